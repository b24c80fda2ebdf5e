//! The text of one report, and why its fingerprints are what they are.

use faults::fingerprint::{Explanation, Level, explain, of_report, of_title};

pub(crate) fn run(bytes: &[u8]) {
    let text = &*String::from_utf8_lossy(bytes);
    let Some(report) = faults::parse(text) else {
        return;
    };
    let explanation = explain(&report);
    assert_eq!(explanation.fingerprints(), of_report(&report));
    assert_eq!(
        explanation.levels[1].fingerprint,
        of_title(report.class, &report.title)
    );
    assert!(
        explanation.levels.is_sorted_by_key(|level| level.level)
            && explanation.frames.len() <= Explanation::FRAMES_MAX
    );
    for frame in &explanation.frames {
        assert!(frame.name.is_some() || !frame.rules.is_empty());
    }
    // What a level looks at, the finer ones look at too.
    for pair in explanation.levels.windows(2) {
        assert!(pair[0].level == Level::Class || pair[1].parts.starts_with(&pair[0].parts));
    }
    let _ = explanation.to_string();
}

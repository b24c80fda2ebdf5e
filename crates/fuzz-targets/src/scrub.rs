//! A text to scrub. The first byte chooses the action.

use faults::scrub::{Action, Policy, Scrubber};
use std::sync::LazyLock;

static SCRUBBERS: LazyLock<[Scrubber; 3]> = LazyLock::new(|| {
    [Action::Replace, Action::Mask, Action::Hash].map(|action| {
        let policy = Policy::all(action).key(b"0123456789abcdef");
        Scrubber::new(&policy.hosts(["anna-pc".to_owned()])).expect("the policy can be followed")
    })
});

pub(crate) fn run(bytes: &[u8]) {
    let Some((action, text)) = bytes.split_first() else {
        return;
    };
    let text = &*String::from_utf8_lossy(text);
    let scrubber = &SCRUBBERS[usize::from(*action) % SCRUBBERS.len()];
    let once = scrubber.text(text);
    for span in &once.spans {
        assert!(text.get(span.before.clone()).is_some() && once.text.get(span.after.clone()).is_some());
        assert_eq!(once.moved(span.before.start), span.after.start);
    }
    assert_eq!(scrubber.text(&once.text).text, once.text);
    if let Some(mut report) = faults::parse(text) {
        scrubber.report(&mut report);
    }
}

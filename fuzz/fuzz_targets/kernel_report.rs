//! The text of one report.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Some(report) = faults::parse(text) {
        assert!(!report.title.is_empty() && !report.title.contains('\n'));
        assert!(report.parts.is_sorted_by_key(|part| part.range.start));
        for part in &report.parts {
            assert!(text.get(part.range.clone()).is_some());
            assert!(part.trace.is_none_or(|trace| trace < report.traces.len()));
        }
    }
});

//! The text of one report.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Some(report) = faults::parse(text) {
        assert!(!report.title.is_empty() && !report.title.contains('\n'));
    }
});

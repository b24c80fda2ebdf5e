//! The text of one report.

pub(crate) fn run(bytes: &[u8]) {
    let text = &*String::from_utf8_lossy(bytes);
    if let Some(report) = faults::parse(text) {
        assert!(!report.title.is_empty() && !report.title.contains('\n'));
        assert!(report.parts.is_sorted_by_key(|part| part.range.start));
        for part in &report.parts {
            assert!(text.get(part.range.clone()).is_some());
            assert!(part.trace.is_none_or(|trace| trace < report.traces.len()));
        }
    }
}

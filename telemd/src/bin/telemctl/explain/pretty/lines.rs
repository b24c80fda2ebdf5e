//! The lines of the log that make the report, the telling ones marked.

use std::fmt::Write as _;

use faults::report::PartKind;

use super::fact;
use crate::explain::read::Found;
use crate::output::{Paint, harmless};

/// Lines shown before and after a marked one.
const CONTEXT: usize = 1;

pub(super) fn write(text: &mut String, found: &Found, paint: Paint, full: bool) {
    let lines: Vec<&str> = found.report.text.lines().collect();
    let marks = marks(found, lines.len());
    let width = found
        .numbers
        .iter()
        .flatten()
        .max()
        .map_or(1, |number| number.to_string().len());
    let mut out = String::new();
    let mut skipped = false;
    for (at, line) in lines.iter().enumerate() {
        let around = marks.get(at.saturating_sub(CONTEXT)..).unwrap_or_default();
        let near = around.iter().take(2 * CONTEXT + 1).any(Option::is_some);
        if !full && !near {
            skipped = true;
            continue;
        }
        if std::mem::take(&mut skipped) {
            let _infallible = writeln!(out, "{:>width$} {}", "", paint.faint("⋮"));
        }
        let number = found.numbers.get(at).copied().flatten();
        let number = number.map(|number| number.to_string()).unwrap_or_default();
        let number = paint.faint(&format!("{number:>width$} │"));
        let line = harmless(line);
        let line = match marks.get(at).copied().flatten() {
            Some(PartKind::Code) => paint.notice(&line),
            Some(_) => paint.mark(&line),
            None => line.into_owned(),
        };
        // Writing to a String cannot fail.
        let _infallible = writeln!(out, "{number} {line}");
    }
    if skipped {
        let _infallible = writeln!(out, "{:>width$} {}", "", paint.faint("⋮"));
    }
    fact(text, paint, "log", &out);
}

/// What each line is marked as.
fn marks(found: &Found, lines: usize) -> Vec<Option<PartKind>> {
    let mut marks = vec![None; lines];
    let parts = &found.report.report.parts;
    // At least the first line tells.
    if let Some(first) = marks.first_mut() {
        *first = Some(PartKind::Head);
    }
    let telling = |kind| {
        matches!(
            kind,
            PartKind::Head | PartKind::Guilty | PartKind::Code | PartKind::Panic
        )
    };
    for part in parts.iter().filter(|part| telling(part.kind)) {
        let first = found
            .report
            .lines
            .partition_point(|line| line.in_text.end < part.range.start);
        let lines = found.report.lines.iter().enumerate().skip(first);
        for (at, _) in lines.take_while(|(_, line)| line.in_text.start < part.range.end) {
            if let Some(mark) = marks.get_mut(at) {
                *mark = Some(part.kind);
            }
        }
    }
    marks
}

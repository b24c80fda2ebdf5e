//! The lines of the log that make the report, the telling ones marked.

use std::fmt::Write as _;

use faults::report::{Part, PartKind};

use super::fact;
use crate::explain::read::Found;
use crate::output::{Paint, harmless};

/// A report that is not longer is shown as a whole.
const SHORT: usize = 10;

pub(super) fn write(text: &mut String, found: &Found, paint: Paint, full: bool) {
    let lines: Vec<&str> = found.report.text.lines().collect();
    let marks = marks(found, lines.len());
    let full = full || lines.len() <= SHORT;
    let width = found
        .numbers
        .iter()
        .flatten()
        .max()
        .map_or(1, |number| number.to_string().len());
    let mut out = String::new();
    let mut skipped = false;
    for (at, line) in lines.iter().enumerate() {
        let mark = marks.get(at).copied().flatten();
        if !full && mark.is_none() {
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
        let line = match mark {
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
    // The second machine code is the program's.
    let code = parts.iter().position(|part| part.kind == PartKind::Code);
    let telling = |(at, part): &(usize, &Part)| match part.kind {
        PartKind::Head | PartKind::Guilty | PartKind::Panic => true,
        PartKind::Code => code == Some(*at),
        _ => false,
    };
    for (_, part) in parts.iter().enumerate().filter(telling) {
        let first = found
            .report
            .lines
            .partition_point(|line| line.in_text.end < part.range.start);
        let inside = found.report.lines.iter().skip(first);
        let count = inside
            .take_while(|line| line.in_text.start < part.range.end)
            .count();
        let inside = marks.get_mut(first..first + count).unwrap_or_default();
        inside.fill(Some(part.kind));
    }
    // Something has to tell.
    if marks.iter().all(Option::is_none)
        && let Some(first) = marks.first_mut()
    {
        *first = Some(PartKind::Head);
    }
    marks
}

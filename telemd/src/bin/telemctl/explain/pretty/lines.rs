//! The lines of the log that make the report, the telling ones marked.

use std::fmt::Write as _;

use super::fact;
use crate::explain::read::Found;
use crate::output::{Paint, harmless};

/// Lines shown before and after a marked one.
const CONTEXT: usize = 1;

/// Why a line is marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    Head,
    Guilty,
    Code,
}

pub(super) fn write(text: &mut String, found: &Found, paint: Paint, full: bool) {
    let lines: Vec<&str> = found.report.text.lines().collect();
    let marks = marks(found, &lines);
    let width = found
        .numbers
        .iter()
        .flatten()
        .max()
        .map_or(1, |number| number.to_string().len());
    let mut out = String::new();
    let mut skipped = false;
    for (at, line) in lines.iter().enumerate() {
        let near = |(marked, _): &(usize, Mark)| marked.abs_diff(at) <= CONTEXT;
        if !full && !marks.iter().any(near) {
            skipped = true;
            continue;
        }
        if std::mem::take(&mut skipped) {
            let _infallible = writeln!(out, "{:>width$} {}", "", paint.faint("⋮"));
        }
        let number = found
            .numbers
            .get(at)
            .copied()
            .flatten()
            .map_or_else(String::new, |n| n.to_string());
        let number = paint.faint(&format!("{number:>width$} │"));
        let line = harmless(line);
        let line = match marks.iter().find(|(marked, _)| *marked == at) {
            Some((_, Mark::Head | Mark::Guilty)) => paint.mark(&line),
            Some((_, Mark::Code)) => paint.notice(&line),
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

/// The lines worth marking.
fn marks(found: &Found, lines: &[&str]) -> Vec<(usize, Mark)> {
    let mut marks = vec![(0, Mark::Head)];
    if let Some(function) = &found.report.report.function
        && let Some(guilty) = lines
            .iter()
            .skip(1)
            .position(|line| line.contains(&format!("{function}+0x")))
    {
        marks.push((guilty + 1, Mark::Guilty));
    }
    if let Some(code) = lines.iter().position(|line| line.starts_with("Code: ")) {
        marks.push((code, Mark::Code));
    }
    marks
}

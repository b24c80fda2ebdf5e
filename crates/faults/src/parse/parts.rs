//! Where in the text the parts of a report are.

use super::scan::Scan;
use super::traces::{Placed, Traces};
use crate::report::{Part, PartKind};

/// Parts kept of one report.
const PARTS_MAX: usize = 512;

/// The parts of a report that begins at line `head`. `marks` are what single lines were found to be, in order.
pub(crate) fn of(
    scan: &Scan<'_>,
    head: usize,
    marks: &[(usize, PartKind)],
    traces: &Traces,
    guilty: Option<Placed>,
) -> Vec<Part> {
    let mut kinds: Vec<Option<(PartKind, Option<usize>)>> = vec![None; scan.lines.len()];
    let stacks = traces
        .lines
        .iter()
        .map(|(line, trace)| (*line, PartKind::Trace, Some(*trace)));
    let contexts = scan
        .contexts
        .iter()
        .map(|(line, _)| (*line, PartKind::Trace, None));
    let marks = marks.iter().map(|(line, kind)| (*line, *kind, None));
    // What comes later counts: a program's registers inside of a stack are no part of it, a frame is nothing else.
    for (line, kind, trace) in contexts
        .chain(marks)
        .chain(stacks)
        .chain([(head, PartKind::Head, None)])
    {
        if let Some(place) = kinds.get_mut(line) {
            *place = Some((kind, trace));
        }
    }
    let mut parts: Vec<Part> = Vec::new();
    let mut before = None;
    // Marks of a stack (`<TASK>`) belong to the stack around them.
    let mut last_trace = None;
    for (line, kind) in kinds.iter().enumerate() {
        let Some((kind, trace)) = *kind else {
            before = None;
            continue;
        };
        let range = scan.range_of(line);
        last_trace = trace.or(last_trace);
        let trace = if kind == PartKind::Trace { last_trace } else { None };
        let goes_on = |last: &&mut Part| before == Some(kind) && last.trace == trace;
        if let Some(last) = parts.last_mut().filter(goes_on) {
            last.range.end = range.end;
        } else if parts.len() < PARTS_MAX {
            parts.push(Part { kind, range, trace });
        } else {
            break;
        }
        before = Some(kind);
    }
    if let Some(guilty) = guilty {
        let range = scan.range_of(guilty.line);
        let at = parts.partition_point(|part| part.range.start <= range.start);
        parts.insert(
            at,
            Part {
                kind: PartKind::Guilty,
                range,
                trace: Some(guilty.trace),
            },
        );
    }
    parts
}

#[cfg(test)]
mod tests;

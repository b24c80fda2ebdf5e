//! Whether a report is whole.

use super::guilty::Guilty;
use super::scan::{Scan, What};
use crate::tables::formats::Format;

/// A stack's head is followed by a frame within so many lines, unless something was lost.
const FRAME_WITHIN: usize = 15;

/// What is wrong with a report's text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Damage {
    /// Lines are missing, cut or mixed with others: the title may name the wrong function.
    pub(crate) corrupted: bool,
    /// The end is missing.
    pub(crate) truncated: bool,
}

/// Looks for signs of damage in a report that begins at line `head`.
pub(crate) fn damage(scan: &Scan<'_>, head: usize, format: &Format, guilty: Option<&Guilty>) -> Damage {
    let needs_stack = format.stack.is_some();
    let nameless = needs_stack && guilty.is_none();
    let empty_stack = scan.items.iter().enumerate().any(|(at, item)| {
        item.line > head && matches!(item.what, What::Stack(_)) && !has_frame(scan, at, item.line)
    });
    let last_is_head = scan
        .items
        .last()
        .is_some_and(|item| matches!(item.what, What::Stack(_)));
    Damage {
        corrupted: nameless || empty_stack,
        truncated: last_is_head || (needs_stack && scan.items.is_empty()),
    }
}

fn has_frame(scan: &Scan<'_>, at: usize, line: usize) -> bool {
    let next = scan
        .items
        .iter()
        .skip(at + 1)
        .find(|item| matches!(item.what, What::Frame(_) | What::Pointer(_)));
    next.is_some_and(|item| item.line <= line + FRAME_WITHIN)
}

//! Whether a report is whole.

use super::guilty::{Guilty, first_stack, items_after};
use super::scan::{Item, Scan, What};
use crate::ReportKind;
use crate::tables::formats::{Format, From, Needs, Pick, Stack};
use crate::tables::{heads, skip};

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
    let items = items_after(scan, head);
    let no_stack = !items.iter().any(|item| matches!(item.what, What::Frame(_)));
    let lost_lines = scan
        .lines
        .iter()
        .any(|line| line.contains("printk messages dropped"));
    let corrupted = lost_lines
        || match &format.needs {
            Needs::Nothing => false,
            Needs::Before => true,
            Needs::AnyStack => no_stack || has_empty_stack(items),
            Needs::Function(stack) => {
                guilty.is_none()
                    || no_stack
                    || lacks_head(items, stack, format.kind)
                    || has_empty_stack(items)
                    || has_foreign_stack(items, format, stack)
                    || is_unexplained(scan, format.kind)
                    || begins_in_stack(items, stack)
                    || is_interrupted(scan, head, items, format.kind)
            }
        };
    let ends_in_head = matches!(
        items.last(),
        Some(Item {
            what: What::Stack(_),
            ..
        })
    );
    Damage {
        corrupted,
        truncated: ends_in_head || (no_stack && !matches!(format.needs, Needs::Nothing)),
    }
}

/// There are frames, but not below the head of a stack: the stack proper is missing.
fn lacks_head(items: &[Item<'_>], stack: &Stack, kind: ReportKind) -> bool {
    let has_own = stack.from == From::Below && kind != ReportKind::Lockdep;
    !has_own && !items.iter().any(|item| matches!(item.what, What::Stack(_)))
}

/// The first stack, or one that tells where memory was allocated or freed, has no frames.
fn has_empty_stack(items: &[Item<'_>]) -> bool {
    let mut stacks = items.iter().enumerate().filter_map(|(at, item)| match item.what {
        What::Stack(label) if !label.starts_with("NMI backtrace") => Some((at, item.line, label)),
        _ => None,
    });
    let is_empty = |at: usize, line: usize| {
        let next = items
            .iter()
            .skip(at + 1)
            .find(|item| !matches!(item.what, What::Pointer(_)));
        !next.is_some_and(|item| matches!(item.what, What::Frame(_)) && item.line <= line + FRAME_WITHIN)
    };
    stacks.next().is_some_and(|(at, line, _)| is_empty(at, line))
        || stacks.any(|(at, line, label)| !label.starts_with("Call") && is_empty(at, line))
}

/// The first stack is that of the fault injector, or it has nothing but the functions that print a report.
fn has_foreign_stack(items: &[Item<'_>], format: &Format, stack: &Stack) -> bool {
    let frames = first_stack(items).iter().filter_map(|item| match item.what {
        What::Frame(frame) if frame.reliable => Some(frame),
        _ => None,
    });
    let has = |start: &str| frames.clone().any(|frame| frame.function.starts_with(start));
    let injected = has("should_fail");
    let of_another = format.pattern.ends_with("suspicious RCU usage") && !has("lockdep_rcu_suspicious");
    let only_helpers =
        stack.from != From::Below && frames.clone().all(|frame| skip::is_reporting(frame.function));
    injected || of_another || only_helpers
}

/// Another report begins before the first frame of an exception's report.
fn is_interrupted(scan: &Scan<'_>, head: usize, items: &[Item<'_>], kind: ReportKind) -> bool {
    if !matches!(
        kind,
        ReportKind::PageFault | ReportKind::NullDereference | ReportKind::Lockdep
    ) {
        return false;
    }
    let first_frame = items.iter().find(|item| matches!(item.what, What::Frame(_)));
    let end = first_frame.map_or(scan.lines.len(), |item| item.line);
    let lines = scan.lines.get(head + 1..end).unwrap_or_default();
    lines
        .iter()
        .filter(|line| heads::find(line).is_some())
        .any(|line| line.contains("BUG: ") && !line.contains("[ BUG: "))
}

/// The use of a value that was never set comes with the place where it was made.
fn is_unexplained(scan: &Scan<'_>, kind: ReportKind) -> bool {
    let explains = |line: &&str| line.starts_with("Uninit was ") || line.starts_with("Local variable ");
    kind == ReportKind::Kmsan && !scan.lines.iter().any(explains)
}

/// Frames between the head of an exception and its instruction pointer belong to another stack.
fn begins_in_stack(items: &[Item<'_>], stack: &Stack) -> bool {
    let begins = matches!(
        items.first(),
        Some(Item {
            what: What::Frame(_),
            ..
        })
    );
    begins && stack.from == From::Pointer && stack.pick == Pick::Plain
}

//! The heads of reports and the titles they get.
//!
//! A [`Head`] is a text that begins a report wherever it is in a line. Its formats are tried in order; the first whose
//! pattern matches gives the title. Titles follow syzbot's convention.

mod memory;
mod scheduling;
mod warning;

use crate::ReportKind;

/// A text that begins a report.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) needle: &'static str,
    /// Texts that make the line no report although the needle is in it.
    pub(crate) unless: &'static [&'static str],
    pub(crate) formats: &'static [Format],
}

/// One form of a head and the title it gives.
#[derive(Debug)]
pub(crate) struct Format {
    /// What the head line looks like, in the language of `parse::pattern`.
    pub(crate) pattern: &'static str,
    /// A text in one of the following lines, near the head, that must be there; it may hold fields too.
    pub(crate) detail: &'static str,
    pub(crate) title: &'static str,
    pub(crate) alt: &'static [&'static str],
    pub(crate) kind: ReportKind,
    /// How the frame is chosen; `None` when the title names none and no stack is needed.
    pub(crate) stack: Option<Stack>,
}

/// How a frame is chosen.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stack {
    pub(crate) from: From,
    pub(crate) pick: Pick,
    /// Functions to skip besides those that are always skipped; a `*` at either end stands for anything.
    pub(crate) skip: &'static [&'static str],
}

/// Where the frames are taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum From {
    /// The instruction pointer, then the first stack.
    Pointer,
    /// The first stack.
    Trace,
    /// Where the lock that the report is about was asked for: the first `at: function` line.
    LockAt,
}

/// Which frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pick {
    /// The first that is not skipped.
    Plain,
    /// What the CPU was asked to do.
    Stall,
    /// What the task waits for.
    Hang,
}

/// Frames from the instruction pointer on.
const POINTER: Option<Stack> = Some(Stack {
    from: From::Pointer,
    pick: Pick::Plain,
    skip: &[],
});
/// Frames of the first stack.
const TRACE: Option<Stack> = Some(Stack {
    from: From::Trace,
    pick: Pick::Plain,
    skip: &[],
});

/// Where a lock was asked for.
const LOCK_AT: Option<Stack> = Some(Stack {
    from: From::LockAt,
    pick: Pick::Plain,
    skip: &[],
});

const fn trace(skip: &'static [&'static str]) -> Option<Stack> {
    Some(Stack {
        from: From::Trace,
        pick: Pick::Plain,
        skip,
    })
}

const fn pointer(skip: &'static [&'static str]) -> Option<Stack> {
    Some(Stack {
        from: From::Pointer,
        pick: Pick::Plain,
        skip,
    })
}

const fn format(
    kind: ReportKind,
    pattern: &'static str,
    title: &'static str,
    stack: Option<Stack>,
) -> Format {
    Format {
        pattern,
        detail: "",
        title,
        alt: &[],
        kind,
        stack,
    }
}

impl Format {
    const fn alt(self, alt: &'static [&'static str]) -> Self {
        Self { alt, ..self }
    }

    const fn with(self, detail: &'static str) -> Self {
        Self { detail, ..self }
    }
}

/// Other names for faults that show themselves in different ways.
const BAD_ACCESS: &[&str] = &["bad-access in {F}"];
const STALL: &[&str] = &["stall in {F}"];
const HANG: &[&str] = &["hang in {F}"];
const STACK_OVERFLOW: &[&str] = &["stack-overflow in {F}"];
const INVALID_FREE: &[&str] = &["invalid-free in {F}"];

/// All heads; where two begin at the same place the longer one counts.
pub(crate) static HEADS: &[&[Head]] = &[memory::HEADS, warning::HEADS, scheduling::HEADS];

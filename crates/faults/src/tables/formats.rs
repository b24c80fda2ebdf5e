//! The heads of reports and the titles they get.
//!
//! A [`Head`] is a text that begins a report wherever it is in a line. Its formats are tried in order; the first whose
//! pattern matches gives the title. Titles follow syzbot's convention: which there are, and which frame each names, is from
//! google/syzkaller, `pkg/report/linux.go` (Apache-2.0).
//!
//! A format reads `Kind[(Severity)]: "pattern" [+ "detail"] => "title", needs [, other titles];`. The pattern is in the language of
//! `parse::pattern` and is looked for in the head's line, the detail in the lines after it. In a title `{0}`, `{1}`, ...
//! are the fields of the pattern and the detail, `{d0}`, ... those that are devices without their number, `{F}` is the
//! function at fault. A function that the pattern names is
//! the first candidate for that; `needs` says where the others come from.

macro_rules! formats {
    ($($kind:ident $(($severity:ident))?: $pattern:literal $(+ $detail:literal)? => $title:literal, $needs:expr $(, $alt:ident)?;)*) => {
        &[$($crate::tables::formats::Format {
            kind: $crate::ReportKind::$kind,
            severity: $crate::tables::formats::either(&[$($crate::Severity::$severity,)?], $crate::ReportKind::$kind),
            pattern: $pattern,
            detail: concat!("" $(, $detail)?),
            title: $title,
            alt: $crate::tables::formats::first(&[$($alt,)? &[]]),
            needs: $needs,
        },)*]
    };
}

macro_rules! heads {
    ($($needle:literal $(unless [$($unless:literal),*])? { $($formats:tt)* })*) => {
        pub(super) const HEADS: &[$crate::tables::formats::Head] = &[$($crate::tables::formats::Head {
            needle: $needle,
            unless: &[$($($unless),*)?],
            formats: formats!($($formats)*),
        },)*];
    };
}

mod exceptions;
mod hardware;
mod locking;
mod memory;
mod stalls;
mod storage;
mod warnings;

use crate::{ReportKind, Severity};

/// A text that begins a report.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) needle: &'static str,
    /// Texts that make the line no report although the needle is in it.
    pub(crate) unless: &'static [&'static str],
    pub(crate) formats: &'static [Format],
}

impl Head {
    /// True for what is said about a device in a line or a few: it is collected by what it says, not by who prints.
    pub(crate) fn is_message(&self) -> bool {
        self.formats
            .iter()
            .all(|format| format.kind.is_message() && matches!(format.needs, Needs::Nothing))
    }
}

/// One form of a head and the title it gives.
#[derive(Debug)]
pub(crate) struct Format {
    pub(crate) kind: ReportKind,
    pub(crate) severity: Severity,
    pub(crate) pattern: &'static str,
    /// Empty when there is none.
    pub(crate) detail: &'static str,
    pub(crate) title: &'static str,
    pub(crate) alt: &'static [&'static str],
    pub(crate) needs: Needs,
}

/// What a whole report has besides its head.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Needs {
    /// Nothing: the title says it all.
    Nothing,
    /// Some stack, from which no function is taken.
    AnyStack,
    /// Some stack, or else it is no report: programs and drivers print such lines too.
    StackToCount,
    /// The report proper, which comes before this head: when this is the first head, it is lost.
    Before,
    /// A stack with the function at fault.
    Function(Stack),
}

/// How a function is chosen.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stack {
    pub(crate) from: From,
    pub(crate) pick: Pick,
    /// Functions to skip besides those that are always skipped: words, where a `*` stands for anything.
    pub(crate) skip: &'static str,
}

/// Where the frames are taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum From {
    /// The instruction pointer, then the first stack.
    Pointer,
    /// The first stack.
    Trace,
    /// All frames after the head, whether a stack's head comes before them or not.
    Below,
    /// Where locks were asked for (`at: function`), then the first stack.
    LockAt,
    /// Where the wanted and the held lock were asked for, then all frames after the head: those of the chain of locks.
    Chain,
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

const NONE: Needs = Needs::Nothing;
const ANY: Needs = Needs::AnyStack;
const BEFORE: Needs = Needs::Before;
const STACK_TO_COUNT: Needs = Needs::StackToCount;
const POINTER: Needs = stack(From::Pointer, "");
const TRACE: Needs = stack(From::Trace, "");
const BELOW: Needs = stack(From::Below, "");
const STALLED: Needs = Needs::Function(Stack {
    from: From::Pointer,
    pick: Pick::Stall,
    skip: "",
});
const HUNG: Needs = Needs::Function(Stack {
    from: From::Trace,
    pick: Pick::Hang,
    skip: "",
});

const fn trace(skip: &'static str) -> Needs {
    stack(From::Trace, skip)
}

const fn stack(from: From, skip: &'static str) -> Needs {
    Needs::Function(Stack {
        from,
        pick: Pick::Plain,
        skip,
    })
}

/// Other names for faults that show themselves in different ways.
const BAD_ACCESS: &[&str] = &["bad-access in {F}"];
const STALL: &[&str] = &["stall in {F}"];
const HANG: &[&str] = &["hang in {F}"];
const STACK_OVERFLOW: &[&str] = &["stack-overflow in {F}"];
const INVALID_FREE: &[&str] = &["invalid-free in {F}"];

const fn either(given: &[Severity], kind: ReportKind) -> Severity {
    match given {
        [severity, ..] => *severity,
        [] => kind.severity(),
    }
}

const fn first(alternatives: &[&'static [&'static str]]) -> &'static [&'static str] {
    match alternatives {
        [first, ..] => first,
        [] => &[],
    }
}

/// All heads; where two begin at the same place the longer one counts.
pub(crate) static HEADS: [&[Head]; 7] = [
    exceptions::HEADS,
    hardware::HEADS,
    memory::HEADS,
    warnings::HEADS,
    locking::HEADS,
    stalls::HEADS,
    storage::HEADS,
];

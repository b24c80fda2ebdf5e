//! What a kernel report says, as values.

use crate::{Class, ReportKind, Severity};

/// One call frame as the kernel printed it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Frame {
    /// The symbol, with the compiler's suffixes (`.isra.0`, `.constprop.1`, ...) as printed.
    pub function: String,
    /// Bytes from the start of the function; absent when not printed (inlined frames, scrubbed logs).
    pub offset: Option<u64>,
    /// Length of the function in bytes.
    pub size: Option<u64>,
    /// The module the function is in; absent for the kernel image.
    pub module: Option<String>,
    /// False when the kernel marked the frame with `?`: an address found on the stack that may be stale.
    pub reliable: bool,
    /// True when a symboliser marked the frame `[inline]`.
    pub inlined: bool,
    /// `file:line` when it was printed.
    pub location: Option<String>,
}

/// One stack of a report.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct CallTrace {
    /// What the stack is of: `Call Trace`, `Allocated by task 77`, `Freed by task 77`, ... without the colon.
    pub label: String,
    /// Innermost first.
    pub frames: Vec<Frame>,
}

/// A kernel report, parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct KernelReport {
    /// The form of the report.
    pub kind: ReportKind,
    /// The sort of fault.
    pub class: Class,
    /// How bad it is.
    pub severity: Severity,
    /// One line in syzbot's convention, at most 120 bytes, without addresses, pids and counts.
    pub title: String,
    /// Other titles under which the same fault may be known.
    pub alt_titles: Vec<String>,
    /// The function at fault, compiler suffixes removed.
    pub function: Option<String>,
    /// The module that function is in.
    pub module: Option<String>,
    /// The stacks in the order they were printed.
    pub traces: Vec<CallTrace>,
    /// The CPU that reported.
    pub cpu: Option<u32>,
    /// The task that was running (for a hung task: the one that hangs; for an OOM kill: the victim).
    pub pid: Option<u32>,
    /// The name of that task.
    pub comm: Option<String>,
    /// `uname -r` and, as printed, the build number after it.
    pub kernel_release: Option<String>,
    /// The taint letters (`G    B D W  OE`), or `Not tainted`.
    pub taint: Option<String>,
    /// Vendor, product and firmware of the machine as printed.
    pub hardware: Option<String>,
    /// Names in `Modules linked in:`, taint marks removed.
    pub modules: Vec<String>,
    /// Registers of the kernel's context, names in upper case, values as printed.
    pub registers: Vec<(String, String)>,
    /// Lines are missing or mixed with others, so that the function at fault may be wrong or cannot be told.
    pub corrupted: bool,
    /// Something that belongs to the report was cut off or limits were reached.
    pub truncated: bool,
}

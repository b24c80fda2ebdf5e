//! What a kernel report says, as values.

use crate::{Class, Severity};
use std::fmt;

/// The form of a kernel report, finer than its [`Class`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ReportKind {
    /// An access through NULL or a small offset from it.
    NullDereference,
    /// A page fault of the kernel at another address.
    PageFault,
    /// An access to a non-canonical address and other general protection faults.
    GeneralProtection,
    /// `BUG()` or `BUG_ON()`.
    Bug,
    /// Another exception: divide error, invalid opcode, double fault, stack segment, unhandled fault, ...
    Trap,
    /// `WARN()` and friends.
    Warning,
    /// `refcount_t` misuse.
    Refcount,
    /// The kernel stopped.
    Panic,
    /// A report that begins with `BUG:` and fits nothing finer.
    BugReport,
    /// A sleep or a scheduler call where none is allowed.
    AtomicSleep,
    /// A page, page map or counter of the memory manager is inconsistent.
    BadPage,
    /// A CPU was stuck in the kernel and interrupts still came.
    SoftLockup,
    /// A CPU was stuck and interrupts did not come.
    HardLockup,
    /// A workqueue made no progress.
    WorkqueueLockup,
    /// RCU waited too long.
    RcuStall,
    /// A task was blocked too long.
    HungTask,
    /// The lock validator.
    Lockdep,
    /// Kernel address sanitizer.
    Kasan,
    /// Kernel memory (uninitialised value) sanitizer.
    Kmsan,
    /// Kernel data-race sanitizer.
    Kcsan,
    /// Sampling memory-error detector.
    Kfence,
    /// Undefined behaviour sanitizer.
    Ubsan,
    /// Unreferenced memory found by kmemleak.
    MemoryLeak,
    /// The out-of-memory killer.
    OomKill,
    /// An allocation failed loudly.
    AllocFailure,
    /// Machine-check text.
    MachineCheck,
    /// Anything else.
    Other,
}

impl ReportKind {
    /// A short name in lower case with underscores.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NullDereference => "null_dereference",
            Self::PageFault => "page_fault",
            Self::GeneralProtection => "general_protection",
            Self::Bug => "bug",
            Self::Trap => "trap",
            Self::Warning => "warning",
            Self::Refcount => "refcount",
            Self::Panic => "panic",
            Self::BugReport => "bug_report",
            Self::AtomicSleep => "atomic_sleep",
            Self::BadPage => "bad_page",
            Self::SoftLockup => "soft_lockup",
            Self::HardLockup => "hard_lockup",
            Self::WorkqueueLockup => "workqueue_lockup",
            Self::RcuStall => "rcu_stall",
            Self::HungTask => "hung_task",
            Self::Lockdep => "lockdep",
            Self::Kasan => "kasan",
            Self::Kmsan => "kmsan",
            Self::Kcsan => "kcsan",
            Self::Kfence => "kfence",
            Self::Ubsan => "ubsan",
            Self::MemoryLeak => "memory_leak",
            Self::OomKill => "oom_kill",
            Self::AllocFailure => "alloc_failure",
            Self::MachineCheck => "machine_check",
            Self::Other => "other",
        }
    }

    /// The class that reports of this kind have.
    pub const fn class(self) -> Class {
        match self {
            Self::NullDereference | Self::PageFault | Self::GeneralProtection | Self::Bug | Self::Trap => {
                Class::KernelOops
            }
            Self::Warning | Self::Refcount => Class::KernelWarning,
            Self::Panic => Class::KernelPanic,
            Self::BugReport | Self::AtomicSleep | Self::BadPage => Class::KernelBug,
            Self::SoftLockup | Self::HardLockup | Self::WorkqueueLockup => Class::KernelLockup,
            Self::RcuStall => Class::KernelRcuStall,
            Self::HungTask => Class::KernelHungTask,
            Self::Lockdep => Class::KernelLockdep,
            Self::Kasan | Self::Kmsan | Self::Kcsan | Self::Kfence | Self::Ubsan => Class::KernelSanitizer,
            Self::OomKill => Class::MemoryOomKill,
            Self::AllocFailure => Class::MemoryAllocFailure,
            Self::MachineCheck => Class::HardwareMachineCheck,
            Self::MemoryLeak | Self::Other => Class::KernelOther,
        }
    }

    /// How bad reports of this kind are unless the report says otherwise.
    pub const fn severity(self) -> Severity {
        match self {
            Self::Panic | Self::HardLockup => Severity::Critical,
            Self::NullDereference
            | Self::PageFault
            | Self::GeneralProtection
            | Self::Bug
            | Self::Trap
            | Self::BadPage
            | Self::SoftLockup
            | Self::RcuStall
            | Self::HungTask
            | Self::Kasan
            | Self::Kfence
            | Self::MachineCheck
            | Self::OomKill => Severity::High,
            Self::Warning
            | Self::Refcount
            | Self::BugReport
            | Self::AtomicSleep
            | Self::WorkqueueLockup
            | Self::Lockdep
            | Self::Kmsan
            | Self::Kcsan
            | Self::Ubsan
            | Self::AllocFailure
            | Self::Other => Severity::Medium,
            Self::MemoryLeak => Severity::Low,
        }
    }
}

impl fmt::Display for ReportKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One call frame as the kernel printed it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
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
pub struct CallTrace {
    /// What the stack is of: `Call Trace`, `Allocated by task 77`, `Freed by task 77`, ... without the colon.
    pub label: String,
    /// Innermost first.
    pub frames: Vec<Frame>,
}

/// A kernel report, parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
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

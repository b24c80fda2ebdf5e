//! The form of a kernel report.

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

#[cfg(feature = "serde")]
impl serde::Serialize for ReportKind {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

//! The form of a kernel report.

use crate::{Class, Severity};
use std::fmt;

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $class:ident, $severity:ident;)*) => {
        /// The form of a kernel report, finer than its [`Class`].
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum ReportKind {
            $($(#[$doc])* $variant,)*
        }

        impl ReportKind {
            /// Every kind, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// A short name in lower case with underscores.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// The class that reports of this kind have.
            pub const fn class(self) -> Class {
                match self {
                    $(Self::$variant => Class::$class,)*
                }
            }

            /// How bad reports of this kind are unless the report says otherwise.
            pub const fn severity(self) -> Severity {
                match self {
                    $(Self::$variant => Severity::$severity,)*
                }
            }
        }
    };
}

kinds! {
    /// An access through NULL or a small offset from it.
    NullDereference = "null_dereference", KernelOops, High;
    /// A page fault of the kernel at another address.
    PageFault = "page_fault", KernelOops, High;
    /// An access to a non-canonical address and other general protection faults.
    GeneralProtection = "general_protection", KernelOops, High;
    /// A division by zero or with an overflow.
    DivideError = "divide_error", KernelOops, High;
    /// An exception while another one was delivered: most often a stack that overflowed.
    DoubleFault = "double_fault", KernelOops, Critical;
    /// A kernel stack that was not large enough.
    StackOverflow = "stack_overflow", KernelOops, Critical;
    /// `BUG()` or `BUG_ON()`.
    Bug = "bug", KernelOops, High;
    /// A list whose neighbours do not point to each other.
    ListCorruption = "list_corruption", KernelOops, High;
    /// A copy to or from a program that reaches outside of an object.
    Usercopy = "usercopy", KernelOops, High;
    /// Another exception: invalid opcode, breakpoint, stack segment, unhandled fault, ...
    Trap = "trap", KernelOops, High;
    /// `WARN()` and friends.
    Warning = "warning", KernelWarning, Medium;
    /// `refcount_t` misuse.
    Refcount = "refcount", KernelWarning, Medium;
    /// An object (timer, work item, RCU head, ...) used in a state in which it must not be.
    Odebug = "odebug", KernelWarning, Medium;
    /// The kernel stopped.
    Panic = "panic", KernelPanic, Critical;
    /// A report that begins with `BUG:` and fits nothing finer.
    BugReport = "bug_report", KernelBug, Medium;
    /// A sleep or a scheduler call where none is allowed.
    AtomicSleep = "atomic_sleep", KernelBug, Medium;
    /// A page, page map or counter of the memory manager is inconsistent.
    BadPage = "bad_page", KernelBug, High;
    /// A CPU was stuck in the kernel and interrupts still came.
    SoftLockup = "soft_lockup", KernelLockup, High;
    /// A CPU was stuck and interrupts did not come.
    HardLockup = "hard_lockup", KernelLockup, Critical;
    /// A workqueue made no progress.
    WorkqueueLockup = "workqueue_lockup", KernelLockup, Medium;
    /// RCU waited too long.
    RcuStall = "rcu_stall", KernelRcuStall, High;
    /// A task was blocked too long.
    HungTask = "hung_task", KernelHungTask, High;
    /// The lock validator: a possible deadlock, or a report that fits nothing finer.
    Lockdep = "lockdep", KernelLockdep, Medium;
    /// RCU-protected data used without protection.
    RcuUsage = "rcu_usage", KernelLockdep, Medium;
    /// A lock released that is not held.
    BadUnlock = "bad_unlock", KernelLockdep, Medium;
    /// A lock taken both with interrupts on and in an interrupt.
    IrqLockState = "irq_lock_state", KernelLockdep, Medium;
    /// Kernel address sanitizer.
    Kasan = "kasan", KernelSanitizer, High;
    /// Kernel memory (uninitialised value) sanitizer.
    Kmsan = "kmsan", KernelSanitizer, Medium;
    /// Kernel data-race sanitizer.
    Kcsan = "kcsan", KernelSanitizer, Medium;
    /// Sampling memory-error detector.
    Kfence = "kfence", KernelSanitizer, High;
    /// Undefined behaviour sanitizer.
    Ubsan = "ubsan", KernelSanitizer, Medium;
    /// Unreferenced memory found by kmemleak.
    MemoryLeak = "memory_leak", KernelOther, Low;
    /// The out-of-memory killer.
    OomKill = "oom_kill", MemoryOomKill, High;
    /// An allocation failed loudly.
    AllocFailure = "alloc_failure", MemoryAllocFailure, Medium;
    /// An interrupt that no driver wanted came until it was switched off.
    IrqNobodyCared = "irq_nobody_cared", KernelOther, Medium;
    /// A network card did not send for too long.
    NetTimeout = "net_timeout", NetworkTimeout, Medium;
    /// A file system found its data inconsistent, or gave up.
    FilesystemError = "filesystem_error", StorageFilesystemError, High;
    /// A disk, its controller or the way to it failed a request.
    BlockError = "block_error", StorageBlockError, High;
    /// Machine-check text.
    MachineCheck = "machine_check", HardwareMachineCheck, High;
    /// A memory controller or the firmware found an error in memory.
    MemoryError = "memory_error", HardwareMemoryError, High;
    /// The kernel took a page with an error in it out of use, or failed to.
    MemoryFailure = "memory_failure", HardwareMemoryFailure, High;
    /// An error on a PCI Express link or in a device on it.
    PcieError = "pcie_error", HardwarePcieError, High;
    /// Another hardware error that the firmware reported.
    FirmwareError = "firmware_error", HardwareFirmwareError, High;
    /// A processor or another part is too hot.
    Thermal = "thermal", HardwareThermal, Medium;
    /// Anything else.
    Other = "other", KernelOther, Medium;
}

impl ReportKind {
    /// True for what a driver, a file system or the firmware says about a device in a line or a few, after which the
    /// kernel goes on: it is no report of the kernel about itself, and comes after those in a list
    /// ([`crate::reports`]).
    pub const fn is_message(self) -> bool {
        matches!(
            self,
            Self::FilesystemError
                | Self::BlockError
                | Self::MemoryError
                | Self::MemoryFailure
                | Self::PcieError
                | Self::FirmwareError
                | Self::Thermal
        )
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

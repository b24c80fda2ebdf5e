//! What sort of fault something is, and how bad.

use std::fmt;
use std::str::FromStr;

macro_rules! classes {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// The sort of a fault: a dotted name, the same on the wire, in the database and in filters.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Class {
            $($(#[$doc])* $variant,)*
        }

        impl Class {
            /// Every class, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The dotted name.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }

        impl FromStr for Class {
            type Err = UnknownClass;

            fn from_str(name: &str) -> Result<Self, UnknownClass> {
                match name {
                    $($name => Ok(Self::$variant),)*
                    _ => Err(UnknownClass { name: name.to_owned() }),
                }
            }
        }
    };
}

classes! {
    /// The kernel killed a task or itself at an exception: a bad access, `BUG()`, a trap.
    KernelOops = "kernel.oops",
    /// The kernel stopped.
    KernelPanic = "kernel.panic",
    /// `WARN()`: an assumption of the kernel did not hold; it went on.
    KernelWarning = "kernel.warning",
    /// A `BUG:` report that does not kill: scheduling while atomic, a bad page, ...
    KernelBug = "kernel.bug",
    /// A CPU made no progress: soft and hard lockups, stalled workqueues.
    KernelLockup = "kernel.lockup",
    /// RCU waited too long for a grace period.
    KernelRcuStall = "kernel.rcu_stall",
    /// A task slept without interruption for too long.
    KernelHungTask = "kernel.hung_task",
    /// The lock validator found a possible deadlock or a misuse of locks or RCU.
    KernelLockdep = "kernel.lockdep",
    /// KASAN, KMSAN, KCSAN, KFENCE or UBSAN.
    KernelSanitizer = "kernel.sanitizer",
    /// Kernel fault text of another form.
    KernelOther = "kernel.other",
    /// The kernel killed a task to get memory.
    MemoryOomKill = "memory.oom_kill",
    /// The kernel could not allocate memory and said so.
    MemoryAllocFailure = "memory.alloc_failure",
    /// A machine check of the processor.
    HardwareMachineCheck = "hardware.machine_check",
    /// An error in memory that a memory controller or the firmware reported.
    HardwareMemoryError = "hardware.memory_error",
    /// An error of PCI Express.
    HardwarePcieError = "hardware.pcie_error",
    /// An error of a CXL link or memory device.
    HardwareCxlError = "hardware.cxl_error",
    /// The kernel took a broken page of memory out of use, or tried to.
    HardwareMemoryFailure = "hardware.memory_failure",
    /// Another hardware error that the firmware reported.
    HardwareFirmwareError = "hardware.firmware_error",
    /// Something is too hot.
    HardwareThermal = "hardware.thermal",
    /// A file system found its data inconsistent, or gave up.
    StorageFilesystemError = "storage.filesystem_error",
    /// A disk, its controller or the way to it failed.
    StorageBlockError = "storage.block_error",
    /// A network card did not send.
    NetworkTimeout = "network.timeout",
    /// A program died of a signal.
    ProgramCrash = "program.crash",
    /// A tracepoint that the administrator of the host watches.
    CustomTracepoint = "custom.tracepoint",
    /// A module that taints the kernel was loaded.
    KernelModuleTaint = "kernel.module_taint",
    /// How a boot ended.
    BootEnd = "boot.end",
    /// A record of a program's own making.
    Custom = "custom",
    /// Records that were lost on the way, counted.
    TelemetryLoss = "telemetry.loss",
    /// A sign of life with what is watched and what is not.
    TelemetryHeartbeat = "telemetry.heartbeat",
    /// Bytes that could not be decoded, kept as they were.
    TelemetryUndecodable = "telemetry.undecodable",
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Class {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// A name that is no [`Class`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown fault class {name:?}")]
pub struct UnknownClass {
    /// What was asked for.
    pub name: String,
}

/// How bad a fault is. The numbers are those of the wire format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Severity {
    /// Good to know: a corrected error, a heartbeat.
    Low = 1,
    /// Something misbehaved and went on.
    Medium = 2,
    /// Something died or data may be wrong.
    High = 3,
    /// The machine died or will.
    Critical = 4,
}

impl Severity {
    /// The lower-case name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Severity {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn class_names_round_trip() {
        for class in Class::ALL {
            assert_eq!(class.as_str().parse(), Ok(*class));
        }
        assert!("kernel.".parse::<Class>().is_err());
    }
}

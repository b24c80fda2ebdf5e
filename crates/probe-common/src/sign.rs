//! Signs that precede faults, as they wait in the map `SIGNS` until somebody wants to know what came before one.

use crate::{COMM_LEN, wire::wire_struct};

/// What was seen; the value of [`Sign::kind`].
#[repr(u16)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SignKind {
    /// A task that wanted memory freed some itself, for [`Sign::value`] nanoseconds.
    Reclaim = 1,
    /// The same because its cgroup was full.
    CgroupReclaim = 2,
    /// A task or the kernel's own moved pages to make room in one piece, for [`Sign::value`] nanoseconds.
    Compaction = 3,
    /// A CPU took interrupts at a rate of [`Sign::value`] a second.
    IrqStorm = 4,
}

impl SignKind {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Reclaim,
        Self::CgroupReclaim,
        Self::Compaction,
        Self::IrqStorm,
    ];

    /// The kind with this number.
    pub fn from_raw(raw: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u16 == raw)
    }
}

wire_struct! {
    /// An element of the map `SIGNS`, an array that user space maps: each CPU writes over its oldest.
    pub struct Sign: 48 {
        /// Time since boot (`CLOCK_BOOTTIME`), nanoseconds; 0: nothing is here, or it is being written. Written first as 0
        /// and last as it is.
        0 since_boot_ns: u64,
        /// See [`SignKind`].
        8 value: u64,
        /// Thread id of the task that was running.
        16 pid: u32,
        /// The CPU.
        20 cpu: u32,
        /// [`SignKind`]
        24 kind: u16,
        /// Zero.
        26 pad: [u8; 6],
        /// Name of that task, NUL-terminated.
        32 comm: [u8; COMM_LEN],
    }
}

/// The least time that a task is held up for a sign, nanoseconds: a frame of a screen, and well above what reclaim
/// takes that finds clean pages at once.
pub const STALL_NS: u64 = 10_000_000;

/// Interrupts that a CPU takes between two looks at the clock.
pub const IRQ_BATCH: u64 = 1024;

/// Interrupts a second on one CPU that are a storm: network cards under load stay at some 10,000, because the kernel polls
/// them from there on (NAPI).
pub const IRQ_STORM_PER_S: u64 = 100_000;

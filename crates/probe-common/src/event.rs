//! What an event is made of.

use crate::{COMM_LEN, FIRST_SLOT, wire::wire_struct};

/// A hook with programs of its own; the value of [`Header::hook`] and the index of its [`Counters`]. Those of slots
/// start at [`crate::FIRST_SLOT`].
#[repr(u16)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Hook {
    /// Kernel log text.
    PrintkConsole = 0,
    /// A CPU starts to report an oops.
    OopsEnter = 1,
    /// The kernel panics.
    Panic = 2,
    /// A machine check was logged.
    MceRecord = 3,
    /// The out-of-memory killer chose a victim.
    OomMarkVictim = 4,
    /// A fatal signal is delivered.
    SignalDeliver = 5,
    /// The out-of-memory killer has chosen.
    OomKill = 6,
    /// The kernel warns.
    Warning = 7,
    /// The watchdog found a CPU that is stuck.
    SoftLockup = 8,
    /// An allocation of pages failed.
    AllocFailure = 9,
}

impl Hook {
    /// Number of hooks.
    pub const COUNT: usize = 10;
    /// All of them, by value.
    pub const ALL: [Self; Self::COUNT] = [
        Self::PrintkConsole,
        Self::OopsEnter,
        Self::Panic,
        Self::MceRecord,
        Self::OomMarkVictim,
        Self::SignalDeliver,
        Self::OomKill,
        Self::Warning,
        Self::SoftLockup,
        Self::AllocFailure,
    ];

    /// The hook with this value.
    pub fn from_raw(raw: u16) -> Option<Self> {
        Self::ALL.get(usize::from(raw)).copied()
    }
}

impl From<Hook> for u16 {
    fn from(hook: Hook) -> Self {
        hook as Self
    }
}

const _: () = assert!(Hook::COUNT <= FIRST_SLOT as usize);

wire_struct! {
    /// Starts every event: what happened where, and the task that was running.
    pub struct Header: 56 {
        /// [`ABI_VERSION`].
        0 abi: u16,
        /// A [`Hook`], or [`FIRST_SLOT`] and the number of a slot.
        2 hook: u16,
        /// The CPU.
        4 cpu: u32,
        /// Thread id in the initial pid namespace.
        8 pid: u32,
        /// Process id in the initial pid namespace.
        12 tgid: u32,
        /// Id of the task's cgroup (v2).
        16 cgroup_id: u64,
        /// `bpf_ktime_get_boot_ns`.
        24 since_boot_ns: u64,
        /// Number of this event on this CPU over all hooks, from 1; a lost event takes a number too.
        32 sequence: u64,
        /// The thread's name, NUL-terminated.
        40 comm: [u8; COMM_LEN],
    }
}

wire_struct! {
    /// A piece of kernel log text; `captured` bytes follow.
    pub struct Text: 72 {
        /// The header.
        0 header: Header,
        /// Where the kernel keeps the text, 0 when unknown: a piece that starts where the one before it ended continues
        /// it. Only compared, never shown.
        56 address: u64,
        /// Length of the whole piece, bytes.
        64 length: u32,
        /// Length of what follows, bytes, at most [`TEXT_MAX`].
        68 captured: u32,
    }
}

wire_struct! {
    /// A machine check, the fields of the `mce:mce_record` tracepoint; one that this kernel lacks is 0 and its bit in
    /// `available` is not set.
    pub struct MachineCheck: 176 {
        /// The header.
        0 header: Header,
        /// `MCG_CAP`.
        56 mcgcap: u64,
        /// `MCG_STATUS`.
        64 mcgstatus: u64,
        /// `MCi_STATUS`.
        72 status: u64,
        /// `MCi_ADDR`.
        80 addr: u64,
        /// `MCi_MISC`.
        88 misc: u64,
        /// `MCA_SYND` (AMD).
        96 synd: u64,
        /// `MCA_IPID` (AMD).
        104 ipid: u64,
        /// Instruction pointer.
        112 ip: u64,
        /// Time stamp counter.
        120 tsc: u64,
        /// Wall clock, seconds since 1970.
        128 walltime: u64,
        /// Protected processor inventory number.
        136 ppin: u64,
        /// The CPU that had the error.
        144 cpu: u32,
        /// CPUID 1 EAX.
        148 cpuid: u32,
        /// APIC id.
        152 apicid: u32,
        /// Socket.
        156 socketid: u32,
        /// Microcode revision.
        160 microcode: u32,
        /// One bit a field, see [`mce`].
        164 available: u32,
        /// Code segment.
        168 cs: u8,
        /// Bank.
        169 bank: u8,
        /// `X86_VENDOR_*`: 0 Intel, 2 AMD, 9 Hygon, 10 Zhaoxin.
        170 cpuvendor: u8,
        /// Zero.
        171 pad: [u8; 5],
    }
}

/// The bits of [`MachineCheck::available`].
pub mod mce {
    /// `mcgcap`
    pub const MCGCAP: u32 = 1;
    /// `mcgstatus`
    pub const MCGSTATUS: u32 = 1 << 1;
    /// `status`
    pub const STATUS: u32 = 1 << 2;
    /// `addr`
    pub const ADDR: u32 = 1 << 3;
    /// `misc`
    pub const MISC: u32 = 1 << 4;
    /// `synd`
    pub const SYND: u32 = 1 << 5;
    /// `ipid`
    pub const IPID: u32 = 1 << 6;
    /// `ip`
    pub const IP: u32 = 1 << 7;
    /// `tsc`
    pub const TSC: u32 = 1 << 8;
    /// `walltime`
    pub const WALLTIME: u32 = 1 << 9;
    /// `ppin`
    pub const PPIN: u32 = 1 << 10;
    /// `cpu`
    pub const CPU: u32 = 1 << 11;
    /// `cpuid`
    pub const CPUID: u32 = 1 << 12;
    /// `apicid`
    pub const APICID: u32 = 1 << 13;
    /// `socketid`
    pub const SOCKETID: u32 = 1 << 14;
    /// `microcode`
    pub const MICROCODE: u32 = 1 << 15;
    /// `cs`
    pub const CS: u32 = 1 << 16;
    /// `bank`
    pub const BANK: u32 = 1 << 17;
    /// `cpuvendor`
    pub const CPUVENDOR: u32 = 1 << 18;
}

wire_struct! {
    /// A victim of the out-of-memory killer, the fields of the `oom:mark_victim` tracepoint; one that this kernel lacks
    /// is 0 and its bit in `available` is not set.
    pub struct OomVictim: 128 {
        /// The header.
        0 header: Header,
        /// Virtual size, KiB.
        56 total_vm: u64,
        /// Resident anonymous memory, KiB.
        64 anon_rss: u64,
        /// Resident file-backed memory, KiB.
        72 file_rss: u64,
        /// Resident shared memory, KiB.
        80 shmem_rss: u64,
        /// Page tables, KiB.
        88 pgtables: u64,
        /// The victim's process id.
        96 pid: u32,
        /// The victim's owner.
        100 uid: u32,
        /// The victim's name, NUL-terminated.
        104 comm: [u8; COMM_LEN],
        /// One bit a field, see [`oom`].
        120 available: u32,
        /// `oom_score_adj`.
        124 oom_score_adj: i16,
        /// Zero.
        126 pad: u16,
    }
}

/// The bits of [`OomVictim::available`].
pub mod oom {
    /// `total_vm`
    pub const TOTAL_VM: u32 = 1;
    /// `anon_rss`
    pub const ANON_RSS: u32 = 1 << 1;
    /// `file_rss`
    pub const FILE_RSS: u32 = 1 << 2;
    /// `shmem_rss`
    pub const SHMEM_RSS: u32 = 1 << 3;
    /// `pgtables`
    pub const PGTABLES: u32 = 1 << 4;
    /// `uid`
    pub const UID: u32 = 1 << 5;
    /// `comm`
    pub const COMM: u32 = 1 << 6;
    /// `oom_score_adj`
    pub const OOM_SCORE_ADJ: u32 = 1 << 7;
}

wire_struct! {
    /// What happened to the events of one hook or slot on one CPU, by number; an element of the per-CPU map `COUNTERS`.
    pub struct Counters: 24 {
        /// Sent.
        0 events: u64,
        /// Lost: the ring buffer was full, or the event's memory could not be read.
        8 lost: u64,
        /// Not sent, because the slot had sent [`crate::SlotConfig::limit`] in that window.
        16 limited: u64,
    }
}

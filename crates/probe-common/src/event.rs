//! The events.

use core::fmt;

use crate::{
    ABI_VERSION, COMM_LEN, FIRST_SLOT, Fault, OomCause, Program, RecordEvent, SLOTS, Signal, Stack, TEXT_MAX,
    fault, wire::wire_struct,
};

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

/// One decoded event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event<'a> {
    /// Kernel log text, `captured` bytes of it.
    Text(Text, &'a [u8]),
    /// A fault of the kernel, which the hook names.
    Fault(Fault, Stack<'a>),
    /// A machine check.
    MachineCheck(MachineCheck),
    /// A victim of the out-of-memory killer.
    OomVictim(OomVictim),
    /// A fatal signal.
    Signal(Signal, Program<'a>),
    /// Why the out-of-memory killer kills.
    OomCause(OomCause, Stack<'a>),
    /// A tracepoint's record.
    Record(RecordEvent<'a>),
}

/// Why bytes are no event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecodeError {
    /// Fewer bytes than the event's structs and text take.
    Short {
        /// Bytes needed.
        needed: usize,
        /// Bytes there.
        found: usize,
    },
    /// More bytes than the event's struct takes.
    Long {
        /// Bytes needed.
        needed: usize,
        /// Bytes there.
        found: usize,
    },
    /// Another version of the format.
    Version(u16),
    /// No such hook or slot.
    Hook(u16),
    /// The lengths of a record do not fit each other or the bytes.
    RecordLengths,
    /// The text claims to be longer than [`TEXT_MAX`] or than itself.
    TextLength {
        /// Bytes claimed to be captured.
        captured: u32,
        /// Bytes claimed in all.
        length: u32,
    },
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short { needed, found } => write!(f, "{found} bytes are too few, {needed} needed"),
            Self::Long { needed, found } => write!(f, "{found} bytes are too many, {needed} expected"),
            Self::Version(version) => write!(f, "format version {version}, not {ABI_VERSION}"),
            Self::Hook(hook) => write!(f, "no hook has number {hook}"),
            Self::RecordLengths => f.write_str("the lengths of a record do not fit"),
            Self::TextLength { captured, length } => {
                write!(
                    f,
                    "{captured} bytes captured of {length} is not possible (at most {TEXT_MAX})"
                )
            }
        }
    }
}

impl core::error::Error for DecodeError {}

/// Decodes one ring-buffer entry.
pub fn decode(bytes: &[u8]) -> Result<Event<'_>, DecodeError> {
    let header = Header::decode(bytes).ok_or(DecodeError::Short {
        needed: Header::SIZE,
        found: bytes.len(),
    })?;
    if header.abi != ABI_VERSION {
        return Err(DecodeError::Version(header.abi));
    }
    if is_slot(header.hook) {
        return RecordEvent::decode(bytes)
            .map(Event::Record)
            .ok_or(DecodeError::RecordLengths);
    }
    match Hook::from_raw(header.hook).ok_or(DecodeError::Hook(header.hook))? {
        Hook::PrintkConsole => decode_text(bytes),
        Hook::MceRecord => exact(bytes, MachineCheck::SIZE, MachineCheck::decode).map(Event::MachineCheck),
        Hook::OomMarkVictim => exact(bytes, OomVictim::SIZE, OomVictim::decode).map(Event::OomVictim),
        Hook::OopsEnter | Hook::Panic | Hook::Warning | Hook::SoftLockup | Hook::AllocFailure => {
            let fault = start(bytes, Fault::SIZE, Fault::decode)?;
            Ok(Event::Fault(
                fault,
                fault::stack(bytes, Fault::SIZE, fault.frames)?,
            ))
        }
        Hook::OomKill => {
            let cause = start(bytes, OomCause::SIZE, OomCause::decode)?;
            Ok(Event::OomCause(
                cause,
                fault::stack(bytes, OomCause::SIZE, cause.frames)?,
            ))
        }
        Hook::SignalDeliver => {
            let signal = start(bytes, Signal::SIZE, Signal::decode)?;
            Ok(Event::Signal(signal, fault::program(bytes, &signal)?))
        }
    }
}

fn is_slot(number: u16) -> bool {
    number
        .checked_sub(FIRST_SLOT)
        .is_some_and(|slot| usize::from(slot) < SLOTS)
}

fn exact<T>(bytes: &[u8], needed: usize, decode: fn(&[u8]) -> Option<T>) -> Result<T, DecodeError> {
    let found = bytes.len();
    if found > needed {
        return Err(DecodeError::Long { needed, found });
    }
    start(bytes, needed, decode)
}

fn start<T>(bytes: &[u8], needed: usize, decode: fn(&[u8]) -> Option<T>) -> Result<T, DecodeError> {
    let found = bytes.len();
    decode(bytes).ok_or(DecodeError::Short { needed, found })
}

fn decode_text(bytes: &[u8]) -> Result<Event<'_>, DecodeError> {
    let found = bytes.len();
    let text = start(bytes, Text::SIZE, Text::decode)?;
    let captured = text.captured as usize;
    if captured > TEXT_MAX || text.captured > text.length {
        return Err(DecodeError::TextLength {
            captured: text.captured,
            length: text.length,
        });
    }
    let needed = Text::SIZE + captured;
    let slice = bytes
        .get(Text::SIZE..needed)
        .ok_or(DecodeError::Short { needed, found })?;
    if found > Text::SIZE + TEXT_MAX {
        return Err(DecodeError::Long {
            needed: Text::SIZE + TEXT_MAX,
            found,
        });
    }
    Ok(Event::Text(text, slice))
}

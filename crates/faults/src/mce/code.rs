//! The compound error codes, bits 15:0 of the status, that the vendors share for the greater part.
//!
//! SDM 3B, "Interpreting the MCA Error Codes"; APM 2, 9.3.3, and the PPRs' "Error Codes". mcelog counts cache levels from
//! 1 where the manuals count from 0; this follows the manuals.

use super::Unit;
use super::bits::byte;

const TRANSACTIONS: [&str; 4] = ["instruction", "data", "generic", "reserved"];
const LEVELS: [&str; 4] = ["L0", "L1", "L2", "generic level"];
const REQUESTS: [&str; 9] = [
    "generic",
    "read",
    "write",
    "data read",
    "data write",
    "instruction fetch",
    "prefetch",
    "eviction",
    "snoop",
];
const MEMORY: [&str; 5] = ["generic", "read", "write", "address or command", "scrub"];
const PARTICIPANTS: [&str; 4] = [
    "local processor originated",
    "local processor responded",
    "observed by third party",
    "generic",
];
const PLACES: [&str; 4] = ["memory access", "reserved", "I/O", "other transaction"];
const SIMPLE: [&str; 7] = [
    "no error",
    "unclassified error",
    "microcode ROM parity error",
    "external error",
    "functional redundancy check error",
    "internal parity error",
    "SMM handler code access violation",
];

/// A code taken apart. The numbers are those of its subfields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Code {
    /// One of the seven simple codes.
    Simple(u16),
    /// Generic cache hierarchy.
    Hierarchy { level: u16 },
    /// A translation lookaside buffer.
    Tlb { transaction: u16, level: u16 },
    /// A memory controller; `cached` when memory serves as the cache of other memory.
    Memory {
        request: u16,
        channel: Option<u8>,
        cached: bool,
    },
    /// A cache; AMD's code for memory too, which is what its manuals call the code.
    Cache {
        noun: &'static str,
        request: u16,
        transaction: u16,
        level: u16,
    },
    /// The internal timer.
    Timer,
    /// Another internal error.
    Internal(u16),
    /// An internal check of the hardware failed (AMD).
    Assertion,
    /// A bus or interconnect.
    Bus {
        participant: u16,
        timed_out: bool,
        request: u16,
        place: u16,
        level: u16,
    },
    /// None of these.
    Unknown(u16),
}

impl Code {
    /// Intel's code, without its filtering bit.
    pub(super) fn intel(code: u16) -> Self {
        match code {
            0..=6 => Self::Simple(code),
            0x000c..=0x000f => Self::Hierarchy { level: code & 3 },
            0x0010..=0x001f => Self::tlb(code),
            0x0080..=0x00ff | 0x0280..=0x02ff => Self::Memory {
                request: code >> 4 & 7,
                channel: Some(byte(code.into(), 0, 3)).filter(|channel| *channel != 0xf),
                cached: code >= 0x0280,
            },
            0x0100..=0x01ff => Self::cache("cache", code),
            0x0400 => Self::Timer,
            0x0401..=0x07ff => Self::Internal(code),
            0x0800..=0x0fff => Self::bus(code),
            _ => Self::Unknown(code),
        }
    }

    /// AMD's code.
    pub(super) fn amd(code: u16) -> Self {
        match code {
            0x0010..=0x001f => Self::tlb(code),
            0x0100..=0x01ff => Self::cache("memory", code),
            0x0800..=0x0fff => Self::bus(code),
            0x0600 => Self::Assertion,
            _ if code & 0xf4ff == 0x0400 => Self::Internal(code),
            _ => Self::Unknown(code),
        }
    }

    fn tlb(code: u16) -> Self {
        Self::Tlb {
            transaction: code >> 2 & 3,
            level: code & 3,
        }
    }

    fn cache(noun: &'static str, code: u16) -> Self {
        Self::Cache {
            noun,
            request: code >> 4 & 0xf,
            transaction: code >> 2 & 3,
            level: code & 3,
        }
    }

    fn bus(code: u16) -> Self {
        Self::Bus {
            participant: code >> 9 & 3,
            timed_out: code & 0x100 != 0,
            request: code >> 4 & 0xf,
            place: code >> 2 & 3,
            level: code & 3,
        }
    }

    /// What failed, in words.
    pub(super) fn words(self) -> String {
        match self {
            Self::Simple(code) => pick(&SIMPLE, code).to_owned(),
            Self::Hierarchy { level } => format!("cache hierarchy error, {}", pick(&LEVELS, level)),
            Self::Tlb { transaction, level } => {
                format!(
                    "{} TLB error, {}",
                    pick(&TRANSACTIONS, transaction),
                    pick(&LEVELS, level)
                )
            }
            Self::Memory {
                request,
                channel,
                cached,
            } => memory(request, channel, cached),
            Self::Cache {
                noun,
                request,
                transaction,
                level,
            } => format!(
                "{} {noun} {} error, {}",
                pick(&TRANSACTIONS, transaction),
                pick(&REQUESTS, request),
                pick(&LEVELS, level)
            ),
            Self::Timer => "internal timer error".to_owned(),
            Self::Internal(_) => "internal unclassified error".to_owned(),
            Self::Assertion => "hardware assertion".to_owned(),
            Self::Bus {
                participant,
                timed_out,
                request,
                place,
                level,
            } => format!(
                "bus or interconnect {} error, {}, {}, {}{}",
                pick(&REQUESTS, request),
                pick(&PLACES, place),
                pick(&PARTICIPANTS, participant),
                pick(&LEVELS, level),
                if timed_out { ", timed out" } else { "" }
            ),
            Self::Unknown(code) => format!("unknown error code {code:#06x}"),
        }
    }

    /// The part that the code speaks of.
    pub(super) fn unit(self) -> Unit {
        match self {
            Self::Simple(2 | 4 | 5 | 6) | Self::Timer | Self::Internal(_) | Self::Assertion => Unit::Core,
            Self::Simple(_) | Self::Unknown(_) => Unit::Unknown,
            Self::Hierarchy { .. } | Self::Cache { .. } => Unit::Cache,
            Self::Tlb { .. } => Unit::Tlb,
            Self::Memory { .. } => Unit::Memory,
            Self::Bus { .. } => Unit::Bus,
        }
    }

    /// The cache level, when the code tells one.
    pub(super) fn cache_level(self) -> Option<u8> {
        match self {
            Self::Hierarchy { level } | Self::Tlb { level, .. } | Self::Cache { level, .. } => {
                u8::try_from(level).ok().filter(|level| *level < 3)
            }
            _ => None,
        }
    }
}

fn memory(request: u16, channel: Option<u8>, cached: bool) -> String {
    let controller = if cached {
        "memory cache controller"
    } else {
        "memory controller"
    };
    let request = pick(&MEMORY, request);
    match channel {
        None => format!("{controller} {request} error, channel not specified"),
        Some(channel) => format!("{controller} {request} error, channel {channel}"),
    }
}

fn pick<'n>(names: &[&'n str], index: u16) -> &'n str {
    names.get(usize::from(index)).copied().unwrap_or("reserved")
}

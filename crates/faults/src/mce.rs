//! Machine checks: the registers of a bank to what failed, how bad and where.

use crate::Severity;
use std::fmt;

/// The registers and facts of one machine-check bank, as `mce:mce_record` and `struct mce` carry them.
///
/// What a kernel does not report is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MachineCheck {
    /// `MCi_STATUS`.
    pub status: u64,
    /// `MCi_ADDR`; valid when bit 58 of the status is set.
    pub addr: u64,
    /// `MCi_MISC`; valid when bit 59 of the status is set.
    pub misc: u64,
    /// `MCA_SYND` (AMD).
    pub synd: u64,
    /// `MCA_IPID` (AMD): which block of the processor the bank belongs to.
    pub ipid: u64,
    /// `MCG_STATUS`.
    pub mcg_status: u64,
    /// `MCG_CAP`.
    pub mcg_cap: u64,
    /// Instruction pointer when the machine check came; meaningful when EIPV is set in `mcg_status`.
    pub ip: u64,
    /// Time stamp counter.
    pub tsc: u64,
    /// Wall time, seconds since 1970.
    pub time: u64,
    /// The CPU whose bank it is.
    pub cpu: u32,
    /// `CPUID(1).EAX`: family, model, stepping.
    pub cpuid: u32,
    /// Local APIC id.
    pub apic_id: u32,
    /// Socket.
    pub socket_id: u32,
    /// Bank number.
    pub bank: u8,
    /// `X86_VENDOR_*` of the kernel: 0 Intel, 2 AMD, 9 Hygon, 10 Zhaoxin.
    pub vendor: u8,
    /// Protected processor inventory number; 0 when not available.
    pub ppin: u64,
    /// Microcode revision.
    pub microcode: u32,
}

/// How a machine check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// The status is not valid: nothing happened.
    Invalid,
    /// Corrected by hardware.
    Corrected,
    /// Uncorrected data that nobody has used yet (AMD deferred, Intel UCNA).
    Deferred,
    /// Uncorrected; software may repair it, or may do so later (Intel SRAO).
    ActionOptional,
    /// Uncorrected; software must act or the program dies (Intel SRAR, AMD recoverable).
    ActionRequired,
    /// The processor's state is lost.
    Fatal,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Invalid => "invalid",
            Self::Corrected => "corrected",
            Self::Deferred => "deferred",
            Self::ActionOptional => "uncorrected, action optional",
            Self::ActionRequired => "uncorrected, action required",
            Self::Fatal => "fatal",
        })
    }
}

/// What a machine check means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded {
    /// What failed, for people: `memory controller read error, channel 1`.
    pub what: String,
    /// How it ended.
    pub outcome: Outcome,
    /// How bad it is.
    pub severity: Severity,
    /// Stable title without CPU numbers, addresses and counts.
    pub title: String,
}

impl MachineCheck {
    /// Decodes the status by the vendor's rules.
    pub fn decode(&self) -> Decoded {
        let what = format!("error code {:#06x}", self.status & 0xffff);
        let title = format!("machine check: {what}");
        Decoded {
            what,
            outcome: Outcome::Fatal,
            severity: Severity::High,
            title,
        }
    }
}

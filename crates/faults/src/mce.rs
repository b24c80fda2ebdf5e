//! Machine checks: the registers of a bank to what failed, how bad and where.

mod amd;
mod intel;
mod text;

use crate::Severity;
use std::fmt;

/// The registers and facts of one machine-check bank, as `mce:mce_record` and `struct mce` carry them.
///
/// What a kernel does not report is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
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

#[cfg(feature = "serde")]
impl serde::Serialize for Outcome {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What a machine check means.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
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

/// Bits of `MCi_STATUS` (SDM 3B, 17.3.2.2; AMD APM 2, 9.3.2).
mod bit {
    pub(super) const VALID: u64 = 1 << 63;
    pub(super) const OVERFLOW: u64 = 1 << 62;
    pub(super) const UNCORRECTED: u64 = 1 << 61;
    pub(super) const CONTEXT_CORRUPT: u64 = 1 << 57;
    /// Intel: the error was signalled by a machine check.
    pub(super) const SIGNALLED: u64 = 1 << 56;
    /// Intel: software must act.
    pub(super) const ACTION: u64 = 1 << 55;
    /// AMD: the thread's context is corrupt.
    pub(super) const TASK_CONTEXT_CORRUPT: u64 = 1 << 55;
    /// AMD: deferred.
    pub(super) const DEFERRED: u64 = 1 << 44;
    /// `MCG_STATUS`: execution can go on at the saved instruction pointer.
    pub(super) const RESTART: u64 = 1;
}

/// `X86_VENDOR_AMD` and `X86_VENDOR_HYGON`.
const AMD_LIKE: [u8; 2] = [2, 9];

impl MachineCheck {
    /// Decodes the status by the vendor's rules.
    ///
    /// ```
    /// let check = faults::mce::MachineCheck { status: 0x8c00_0040_0001_0091, bank: 7, ..Default::default() };
    /// let decoded = check.decode();
    /// assert_eq!(decoded.what, "memory controller read error, channel 1");
    /// assert_eq!(decoded.outcome, faults::mce::Outcome::Corrected);
    /// assert_eq!(decoded.title, "machine check: memory controller read error, channel 1 (corrected)");
    /// ```
    pub fn decode(&self) -> Decoded {
        let outcome = self.outcome();
        let what = if self.is_amd() {
            amd::what(self)
        } else {
            intel::what(self)
        };
        let severity = match outcome {
            Outcome::Invalid | Outcome::Corrected => Severity::Low,
            Outcome::Deferred | Outcome::ActionOptional => Severity::Medium,
            Outcome::ActionRequired => Severity::High,
            Outcome::Fatal => Severity::Critical,
        };
        Decoded {
            title: format!("machine check: {what} ({outcome})"),
            what,
            outcome,
            severity,
        }
    }

    fn is_amd(&self) -> bool {
        AMD_LIKE.contains(&self.vendor)
    }

    fn outcome(&self) -> Outcome {
        let has = |bit: u64| self.status & bit != 0;
        if !has(bit::VALID) {
            return Outcome::Invalid;
        }
        if !has(bit::UNCORRECTED) {
            let deferred = self.is_amd() && has(bit::DEFERRED);
            return if deferred {
                Outcome::Deferred
            } else {
                Outcome::Corrected
            };
        }
        if has(bit::CONTEXT_CORRUPT) {
            return Outcome::Fatal;
        }
        if self.is_amd() {
            let contained = has(bit::TASK_CONTEXT_CORRUPT) || self.mcg_status & bit::RESTART != 0;
            return if contained {
                Outcome::ActionRequired
            } else {
                Outcome::Fatal
            };
        }
        match (has(bit::SIGNALLED), has(bit::ACTION)) {
            // More than one error, one of them uncorrected: what was lost is not known.
            _ if has(bit::OVERFLOW) => Outcome::Fatal,
            (false, _) => Outcome::Deferred,
            (true, false) => Outcome::ActionOptional,
            (true, true) => Outcome::ActionRequired,
        }
    }
}

#[cfg(test)]
mod tests;

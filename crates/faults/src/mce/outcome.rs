//! How bad a machine check is.
//!
//! Intel: SDM 3B, "Machine-Check Architecture", UCR error classification and the overwrite rules. AMD: APM 2, 9.3.2, and the
//! PPRs' "Machine Check Error Handling". Both were compared with Linux 7.2, `arch/x86/kernel/cpu/mce/severity.c`.

use super::status::{Capabilities, bit, global};
use super::{MachineCheck, Vendor, software};
use crate::Severity;
use std::fmt;

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

impl Outcome {
    /// The words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::Corrected => "corrected",
            Self::Deferred => "deferred",
            Self::ActionOptional => "uncorrected, action optional",
            Self::ActionRequired => "uncorrected, action required",
            Self::Fatal => "fatal",
        }
    }

    pub(super) fn severity(self) -> Severity {
        match self {
            Self::Invalid | Self::Corrected => Severity::Low,
            Self::Deferred | Self::ActionOptional => Severity::Medium,
            Self::ActionRequired => Severity::High,
            Self::Fatal => Severity::Critical,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Outcome {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// An outcome and the rule that led to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) outcome: Outcome,
    pub(super) why: &'static str,
}

/// How the check ended.
pub(super) fn of(check: &MachineCheck) -> Verdict {
    if let Some(verdict) = software::verdict(check) {
        return verdict;
    }
    if !check.has(bit::VALID) {
        return verdict(Outcome::Invalid, "VAL is clear: the bank holds no error");
    }
    if check.has(bit::CONTEXT_CORRUPT) {
        return verdict(Outcome::Fatal, "PCC is set: the processor's state is lost");
    }
    match check.vendor() {
        Vendor::Amd | Vendor::Hygon => amd(check),
        Vendor::Intel | Vendor::Centaur | Vendor::Zhaoxin | Vendor::Unknown => intel(check),
    }
}

fn amd(check: &MachineCheck) -> Verdict {
    if check.has(bit::DEFERRED) {
        return verdict(
            Outcome::Deferred,
            "deferred: the data is bad, nobody has used it yet",
        );
    }
    if !check.has(bit::UNCORRECTED) {
        return verdict(Outcome::Corrected, "UC is clear");
    }
    if check.cpuid != 0 && check.family() < FIRST_WITH_RECOVERY {
        return verdict(
            Outcome::Fatal,
            "uncorrected, and processors of this family do not recover",
        );
    }
    if check.has(bit::TASK_CONTEXT_CORRUPT) {
        return verdict(
            Outcome::ActionRequired,
            "TCC is set: only the running thread's state is lost",
        );
    }
    if check.mcg_status & global::RESTART != 0 {
        return verdict(
            Outcome::ActionRequired,
            "RIPV is set: the interrupted program can go on",
        );
    }
    verdict(Outcome::Fatal, "uncorrected, and neither TCC nor RIPV is set")
}

/// Family 15h has processors with MCA recovery (`SUCCOR`); the ones before have none.
const FIRST_WITH_RECOVERY: u32 = 0x15;

/// Intel's codes of errors that a scrubber or a write-back finds: software may repair them later, however they were
/// signalled (SDM 3B, "Architecturally Defined SRAO Errors").
const SCRUB: u64 = 0x00c0;
const SCRUB_MASK: u64 = 0xeff0;
const WRITE_BACK: u64 = 0x017a;
const CODE_MASK: u64 = 0xefff;

fn intel(check: &MachineCheck) -> Verdict {
    if !check.has(bit::UNCORRECTED) {
        if is_skylake_scrub(check) {
            return verdict(
                Outcome::ActionOptional,
                "Skylake's patrol scrubber found an error that it cannot correct, and UC is clear",
            );
        }
        return verdict(Outcome::Corrected, "UC is clear");
    }
    let (signalled, action) = (check.has(bit::SIGNALLED), check.has(bit::ACTION));
    let capabilities = Capabilities::of(check);
    let recovers = capabilities.recovery();
    // The bits say something only where recovery exists; that one is set speaks for it.
    if recovers == Some(false) || recovers.is_none() && !signalled && !action {
        return without_recovery(check, recovers);
    }
    let found_by_scrub = check.status & SCRUB_MASK == SCRUB || check.status & CODE_MASK == WRITE_BACK;
    match (signalled, action) {
        (_, false) if found_by_scrub => {
            verdict(Outcome::ActionOptional, "SRAO: found by a scrub or a write-back")
        }
        (false, false) => verdict(Outcome::Deferred, "UCNA: S and AR are clear"),
        (true, false) => verdict(Outcome::ActionOptional, "SRAO: S is set, AR is clear"),
        (false, true) => verdict(Outcome::Fatal, "AR without S: a combination that is not defined"),
        (true, true) if check.has(bit::OVERFLOW) => verdict(
            Outcome::Fatal,
            "SRAR, and OVER is set: what else was lost is not known",
        ),
        (true, true) => verdict(Outcome::ActionRequired, "SRAR: S and AR are set"),
    }
}

/// Skylake servers can report an uncorrected error of the patrol scrubber as a corrected one, told by `MSCOD` 0x0010
/// (Linux 7.2, `severity.c`, "Uncorrected Patrol Scrub Error").
fn is_skylake_scrub(check: &MachineCheck) -> bool {
    const CODES: u64 = 0xffff_eff0;
    const SCRUB_UNCORRECTED: u64 = 0x0010_00c0;
    let skylake = check.vendor() == Vendor::Intel && check.family() == 6 && check.model() == 0x55;
    skylake
        && check.stepping() >= 4
        && (13..=18).contains(&check.bank)
        && check.has(bit::MISC_VALID)
        && check.has(bit::ADDR_VALID)
        && check.status & CODES == SCRUB_UNCORRECTED
}

fn without_recovery(check: &MachineCheck, recovers: Option<bool>) -> Verdict {
    let in_progress = check.mcg_status & global::IN_PROGRESS != 0;
    if check.has(bit::OVERFLOW) {
        return verdict(
            Outcome::Fatal,
            "uncorrected, and OVER is set: what else was lost is not known",
        );
    }
    match recovers {
        None if !in_progress => verdict(
            Outcome::Deferred,
            "UCNA: S and AR are clear; MCG_CAP is not known, so that they mean something is an assumption",
        ),
        None => verdict(
            Outcome::ActionRequired,
            "uncorrected and signalled by an exception; MCG_CAP is not known",
        ),
        Some(_) => verdict(
            Outcome::ActionRequired,
            "uncorrected; the processor does not say whether software can recover",
        ),
    }
}

const fn verdict(outcome: Outcome, why: &'static str) -> Verdict {
    Verdict { outcome, why }
}

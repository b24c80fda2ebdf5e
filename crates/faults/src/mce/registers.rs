//! The fields that the registers of every vendor's banks have.

use super::bits::half;
use super::field::Fields;
use super::outcome::Verdict;
use super::status::{Capabilities, bit, capability, global};
use super::{MachineCheck, Outcome, intel};

/// The flags of `MCi_STATUS` that mean the same everywhere.
const STATUS: &[(u64, &str, &str)] = &[
    (bit::VALID, "VAL", "the bank holds an error"),
    (
        bit::OVERFLOW,
        "OVER",
        "another error came before this one was read",
    ),
    (bit::UNCORRECTED, "UC", "not corrected by hardware"),
    (bit::ENABLED, "EN", "signalling was enabled"),
    (bit::MISC_VALID, "MISCV", "MISC holds more about the error"),
    (bit::ADDR_VALID, "ADDRV", "ADDR holds the address"),
    (bit::CONTEXT_CORRUPT, "PCC", "the processor's state is lost"),
];

const GLOBAL: &[(u64, &str, &str)] = &[
    (
        global::RESTART,
        "RIPV",
        "execution can go on at the saved instruction pointer",
    ),
    (
        global::ERROR_POINTER,
        "EIPV",
        "the saved instruction pointer is of the instruction at fault",
    ),
    (
        global::IN_PROGRESS,
        "MCIP",
        "a machine-check exception was being handled",
    ),
    (
        global::LOCAL,
        "LMCE",
        "the exception came to this logical processor alone",
    ),
    (global::SEAM, "SEAM_NR", "the processor ran a trust domain"),
];

const CAPABILITIES: &[(u64, &str, &str)] = &[
    (1 << 8, "MCG_CTL_P", "MCG_CTL exists"),
    (1 << 9, "MCG_EXT_P", "extended state registers exist"),
    (
        capability::CORRECTED_INTERRUPT,
        "MCG_CMCI_P",
        "corrected errors are counted and can interrupt",
    ),
    (
        capability::THRESHOLD_STATUS,
        "MCG_TES_P",
        "status bits 54:53 tell of a threshold",
    ),
    (
        capability::RECOVERY,
        "MCG_SER_P",
        "software can recover from some errors",
    ),
    (capability::ENHANCED, "MCG_EMC_P", "enhanced machine check exists"),
    (1 << 26, "MCG_ELOG_P", "firmware can log errors first"),
    (
        1 << 27,
        "MCG_LMCE_P",
        "exceptions can come to one logical processor alone",
    ),
];

/// The flags of the status, and what they lead to.
pub(super) fn status_flags(check: &MachineCheck, verdict: &Verdict, fields: &mut Fields) {
    fields.number("STATUS", "raw", format!("{:#018x}", check.status), "");
    for (bit, name, meaning) in STATUS {
        fields.flag("STATUS", name, check.has(*bit), meaning);
    }
    if verdict.outcome != Outcome::Invalid {
        fields.number(
            "STATUS",
            "outcome",
            verdict.outcome.as_str().to_owned(),
            verdict.why,
        );
    }
}

/// `MCG_STATUS` and `MCG_CAP`.
pub(super) fn global(check: &MachineCheck, fields: &mut Fields) {
    fields.number("MCG_STATUS", "raw", format!("{:#x}", check.mcg_status), "");
    for (bit, name, meaning) in GLOBAL {
        if check.mcg_status & bit != 0 {
            fields.flag("MCG_STATUS", name, true, meaning);
        }
    }
    if check.mcg_cap == 0 {
        fields.number(
            "MCG_CAP",
            "raw",
            "0x0".to_owned(),
            if check.vendor().is_amd() {
                "not known"
            } else {
                "not known: optional status bits are read with caution"
            },
        );
        return;
    }
    fields.number("MCG_CAP", "raw", format!("{:#x}", check.mcg_cap), "");
    fields.number("MCG_CAP", "Count", (check.mcg_cap & 0xff).to_string(), "banks");
    for (bit, name, meaning) in CAPABILITIES {
        if check.mcg_cap & bit != 0 {
            fields.flag("MCG_CAP", name, true, meaning);
        }
    }
}

/// The count of corrected errors (Intel), and its field. Its highest bit stays set when the counter overflowed.
pub(super) fn corrected_count(check: &MachineCheck, fields: &mut Fields) -> Option<u16> {
    const OVERFLOWED: u16 = 1 << 14;
    let count = half(check.status, 38, 52);
    let counts = Capabilities::of(check).corrected_count();
    let known = counts.or(intel::counts_corrected(check).then_some(true));
    let meaning = match known {
        _ if !check.has(bit::VALID) || known == Some(false) || known.is_none() && count == 0 => return None,
        None => "corrected errors of the bank, if it counts them: MCG_CAP is not known",
        Some(_) if count >= OVERFLOWED => {
            "corrected errors of the bank; the counter overflowed, there were more"
        }
        Some(_) => "corrected errors of the bank",
    };
    fields.number("STATUS", "corrected count", count.to_string(), meaning);
    known.map(|_| count)
}

//! Banks that the kernel makes up to report what has none (`arch/x86/kernel/cpu/mce`).

use super::bits::byte;
use super::field::Fields;
use super::outcome::Verdict;
use super::status::bit;
use super::{Address, AddressMode, MachineCheck, Outcome, Place, Unit};

/// The first of them (`MCE_EXTENDED_BANK`).
const FIRST: u8 = 128;
/// `MCE_THERMAL_BANK`.
const THERMAL: u8 = FIRST;
/// CPUs did not answer in time; kernels before 3.0 logged it so.
const TIMEOUT: u8 = FIRST + 90;
/// A memory error that firmware reported (`apei_mce_report_mem_error`). Its code 0x9f is no controller's.
const FIRMWARE: u8 = u8::MAX;

/// Whether the kernel made the bank up.
pub(super) const fn is_bank(bank: u8) -> bool {
    bank >= FIRST
}

/// How an event of such a bank ended, where the status does not say it as a processor's does.
pub(super) fn verdict(check: &MachineCheck) -> Option<Verdict> {
    let (outcome, why) = match check.bank {
        // The status is that of the thermal sensor, without VAL.
        THERMAL => (Outcome::Corrected, "the processor protects itself"),
        FIRMWARE
            if check.has(bit::VALID) && check.has(bit::UNCORRECTED) && !check.has(bit::CONTEXT_CORRUPT) =>
        {
            (
                Outcome::ActionOptional,
                "firmware reports an error that software may recover from",
            )
        }
        _ => return None,
    };
    Some(Verdict { outcome, why })
}

/// What the bank reports.
pub(super) fn decode(check: &MachineCheck, place: &mut Place, fields: &mut Fields) -> (String, Unit) {
    let (what, unit) = match check.bank {
        THERMAL if check.status & 1 != 0 => {
            ("temperature above the threshold, clock throttled", Unit::Thermal)
        }
        THERMAL => ("temperature back to normal", Unit::Thermal),
        TIMEOUT => (
            "other processors did not answer a machine check in time",
            Unit::Core,
        ),
        FIRMWARE => ("memory error reported by firmware", Unit::Memory),
        bank => return (format!("event of software bank {bank}"), Unit::Unknown),
    };
    place.bank_name = Some("reported by software".to_owned());
    if check.bank == FIRMWARE && check.has(bit::ADDR_VALID) {
        let lsb = if check.has(bit::MISC_VALID) {
            byte(check.misc, 0, 5)
        } else {
            0
        };
        let value = check.addr & (u64::MAX << lsb);
        let mode = AddressMode::Physical;
        fields.number("ADDR", "address", format!("{value:#x}"), mode.as_str());
        place.address = Some(Address { value, lsb, mode });
    }
    (what.to_owned(), unit)
}

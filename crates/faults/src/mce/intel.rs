//! Intel, and those who follow its architecture: what failed and where.

mod misc;
mod model;
mod specific;
mod tables;

use super::bits::{byte, field, half};
use super::code::Code;
use super::field::Fields;
use super::status::{Capabilities, bit};
use super::{MachineCheck, Outcome, Place, Unit};
use crate::hardware::PciAddress;
use model::{Model, Part};

/// "Corrected filtering": the hardware reports fewer of these; not a part of the code.
const FILTERED: u16 = 1 << 12;
/// The code of an I/O error whose `MCi_MISC` names the reporting function (SDM 3B, "I/O machine check").
const IO_ERROR: u16 = 0x0e0b;

/// What failed, and where.
pub(super) fn decode(check: &MachineCheck, place: &mut Place, fields: &mut Fields) -> (String, Unit) {
    let raw = half(check.status, 0, 15);
    let code = raw & !FILTERED;
    let parsed = Code::intel(code);
    let model = Model::of(check);
    let part = model.and_then(|model| model.part(check.bank));
    place.bank_name = part.map(|part| part.name().to_owned());
    place.cache_level = parsed.cache_level();
    if let Code::Memory { channel, .. } = parsed {
        place.channel = channel;
    }

    let general = part
        .and_then(|part| uncore_words(part, code))
        .unwrap_or_else(|| parsed.words());
    fields.number("STATUS", "MCACOD", format!("{raw:#06x}"), general.clone());
    if raw & FILTERED != 0 {
        fields.flag(
            "STATUS",
            "F",
            true,
            "the hardware does not report every such error",
        );
    }
    let words = model
        .map_or_else(Vec::new, |model| specific::words(check, model, part))
        .join(", ");
    fields.number(
        "STATUS",
        "MSCOD",
        format!("{:#06x}", specific::mscod(check)),
        words.clone(),
    );
    other_information(check, fields);

    place.address = misc::address(check, model, fields);
    if let Some(model) = model {
        misc::memory(check, model, part, parsed, place, fields);
    }
    if code == IO_ERROR && check.has(bit::MISC_VALID) {
        place.pci = Some(requester(check, fields));
        return ("I/O error reported by a root port".to_owned(), Unit::Io);
    }
    let unit = unit(part, parsed, model, !words.is_empty());
    (sentence(part, &general, &words, parsed), unit)
}

/// The codes of banks outside the cores that mean other than the architecture says (SDM 3B, `06_3FH` and later).
fn uncore_words(part: Part, code: u16) -> Option<String> {
    let words = match (part, code) {
        (Part::PowerControl, 0x0402 | 0x0403) => "power control unit: internal error",
        (Part::PowerControl, 0x0406) => "power control unit: trusted execution (TXT) error",
        (Part::PowerControl, 0x0407) => {
            "power control unit: internal error of the configuration agent (UBOX)"
        }
        _ => return None,
    };
    Some(words.to_owned())
}

fn unit(part: Option<Part>, code: Code, model: Option<Model>, has_words: bool) -> Unit {
    match (part, code) {
        (_, Code::Memory { .. }) => Unit::Memory,
        (None | Some(Part::Core), Code::Bus { .. }) if has_words && model == Some(Model::Nehalem) => {
            Unit::Link
        }
        (None | Some(Part::Core), _) => code.unit(),
        (Some(part), _) => part.unit(),
    }
}

/// One line for people: the part when the code does not say it, the code, what the processor adds.
fn sentence(part: Option<Part>, general: &str, words: &str, code: Code) -> String {
    let named = match part {
        None | Some(Part::Core) => String::new(),
        Some(Part::Controller | Part::Mesh) if matches!(code, Code::Memory { .. }) => String::new(),
        Some(Part::PowerControl) if general.starts_with("power control unit") => String::new(),
        Some(part) => format!("{}: ", part.name()),
    };
    let specific = if words.is_empty() {
        String::new()
    } else {
        format!(": {words}")
    };
    match part {
        // A transaction on the link that failed says nothing beside the reason.
        Some(Part::Qpi | Part::Upi) if !words.is_empty() => format!("{named}{words}"),
        _ => format!("{named}{general}{specific}"),
    }
}

/// Bits 54:53 and 37:32 of the status.
fn other_information(check: &MachineCheck, fields: &mut Fields) {
    let capabilities = Capabilities::of(check);
    let threshold = threshold(check);
    if threshold != 0 && capabilities.threshold_status() != Some(false) {
        let meaning = match threshold {
            1 => "green: fewer corrected errors than the threshold",
            YELLOW => "yellow: more corrected errors than the threshold, it may get worse soon",
            _ => "reserved",
        };
        fields.number("STATUS", "threshold", threshold.to_string(), meaning);
    }
    let other = field(check.status, 32, 36);
    if other != 0 {
        fields.number("STATUS", "other information", format!("{other:#x}"), "");
    }
    if capabilities.firmware_status() == Some(true) {
        let set = field(check.status, 37, 37) != 0;
        fields.flag("STATUS", "FWST", set, "firmware has changed the status");
    }
}

const YELLOW: u64 = 2;

/// The threshold status; 0 for uncorrected errors, where the bits are undefined.
fn threshold(check: &MachineCheck) -> u64 {
    if check.has(bit::UNCORRECTED) {
        0
    } else {
        field(check.status, 53, 54)
    }
}

/// The hardware counts more corrected errors than it considers normal.
pub(super) fn above_threshold(check: &MachineCheck, outcome: Outcome) -> bool {
    let tracked = Capabilities::of(check).threshold_status() == Some(true);
    outcome == Outcome::Corrected && tracked && threshold(check) == YELLOW
}

/// Whether all processors of the model count corrected errors: those since Nehalem do (SDM 3B, "Corrected Machine Check
/// Error Interrupt", `06_1AH`).
pub(super) fn counts_corrected(check: &MachineCheck) -> bool {
    Model::of(check).is_some()
}

fn requester(check: &MachineCheck, fields: &mut Fields) -> PciAddress {
    let pci = PciAddress {
        segment: byte(check.misc, 32, 39).into(),
        bus: byte(check.misc, 24, 31),
        device: byte(check.misc, 19, 23),
        function: byte(check.misc, 16, 18),
    };
    fields.number(
        "MISC",
        "requester",
        pci.to_string(),
        "the PCI function that reported the error",
    );
    pci
}

/// How many words the processor's tables have for the model-specific code.
#[cfg(test)]
pub(super) fn known_words(check: &MachineCheck) -> usize {
    Model::of(check).map_or(0, |model| {
        specific::words(check, model, model.part(check.bank)).len()
    })
}

//! `MCi_MISC` and `MCi_ADDR`: the address, and the cell of a memory module.

use super::super::bits::{byte, field, half, word};
use super::super::code::Code;
use super::super::field::Fields;
use super::super::status::{Capabilities, bit};
use super::super::{Address, AddressMode, Cell, MachineCheck, Place};
use super::model::{Model, Part};

/// The address and how exact it is (SDM 3B, `IA32_MCi_MISC`).
pub(super) fn address(check: &MachineCheck, model: Option<Model>, fields: &mut Fields) -> Option<Address> {
    let granular = describes_address(check, model);
    if granular {
        let (lsb, mode) = (lsb(check), mode(check));
        fields.number(
            "MISC",
            "address LSB",
            lsb.to_string(),
            format!("the address is exact to {}", span(lsb)),
        );
        let number = field(check.misc, 6, 8);
        fields.number(
            "MISC",
            "address mode",
            number.to_string(),
            mode.map_or("reserved", AddressMode::as_str),
        );
    }
    if !check.has(bit::ADDR_VALID) {
        return None;
    }
    let lsb = if granular { lsb(check) } else { 0 };
    let mode = mode(check).filter(|_| granular).unwrap_or(AddressMode::Generic);
    // A shift by 6 bits is at most 63.
    let value = check.addr & (u64::MAX << lsb);
    fields.number("ADDR", "address", format!("{value:#x}"), mode.as_str());
    Some(Address { value, lsb, mode })
}

/// Whether `MISC` tells how exact the address is.
fn describes_address(check: &MachineCheck, model: Option<Model>) -> bool {
    if !check.has(bit::MISC_VALID) || !check.has(bit::ADDR_VALID) {
        return false;
    }
    match Capabilities::of(check).recovery() {
        Some(recovers) => recovers,
        // Nehalem's low bits are a transaction id; that others say "physical" speaks for the architectural form.
        None => model != Some(Model::Nehalem) && mode(check) == Some(AddressMode::Physical),
    }
}

fn lsb(check: &MachineCheck) -> u8 {
    byte(check.misc, 0, 5)
}

fn mode(check: &MachineCheck) -> Option<AddressMode> {
    match field(check.misc, 6, 8) {
        0 => Some(AddressMode::SegmentOffset),
        1 => Some(AddressMode::Linear),
        2 => Some(AddressMode::Physical),
        3 => Some(AddressMode::Memory),
        7 => Some(AddressMode::Generic),
        _ => None,
    }
}

/// The number of bytes below a bit.
fn span(lsb: u8) -> String {
    match lsb {
        0..10 => format!("{} bytes", 1u64 << lsb),
        10..20 => format!("{} KiB", 1u64 << (lsb - 10)),
        _ => format!("{} MiB", 1u64 << (lsb - 20).min(43)),
    }
}

/// Where in memory, as far as the processor's registers tell.
pub(super) fn memory(
    check: &MachineCheck,
    model: Model,
    part: Option<Part>,
    code: Code,
    place: &mut Place,
    fields: &mut Fields,
) {
    let is_memory = matches!(code, Code::Memory { .. });
    match (model, part) {
        (Model::Nehalem, _) if is_memory && check.has(bit::MISC_VALID) => nehalem(check, place, fields),
        (
            Model::SandyBridgeEp
            | Model::IvyBridgeEp
            | Model::HaswellEp
            | Model::BroadwellDe
            | Model::BroadwellEp
            | Model::SkylakeServer,
            Some(Part::Controller),
        ) if is_memory => ranks(check, place, fields),
        (Model::Knights, Some(Part::Controller)) if is_memory => {
            knights(check, place);
            ranks(check, place, fields);
        }
        (Model::IceLakeServer | Model::IceLakeD | Model::SnowRidge, Some(Part::Controller)) => {
            let bank = check.bank.saturating_sub(FIRST_CHANNEL);
            place.controller = Some(bank / 4);
            // The last of the three banks of a controller belongs to no channel of DDR.
            place.channel = (bank % 4 < 2).then_some(bank % 4);
            ice_lake(check, place, fields);
        }
        (Model::SapphireRapids, Some(Part::Controller)) => {
            let bank = check.bank.saturating_sub(FIRST_CHANNEL);
            (place.controller, place.channel) = (Some(bank / 2), Some(bank % 2));
            sapphire_rapids(check, place, fields);
        }
        (Model::GraniteRapids, Some(Part::Controller)) => {
            (place.controller, place.channel) = (Some(check.bank.saturating_sub(FIRST_CHANNEL)), Some(0));
            granite(check, place, fields);
        }
        _ => {}
    }
}

/// The bank of the first memory channel, from Ice Lake on (Linux 7.2, `i10nm_mc_decode`).
const FIRST_CHANNEL: u8 = 13;

/// SDM 3B, `06_1AH`, `IA32_MC8_MISC`.
fn nehalem(check: &MachineCheck, place: &mut Place, fields: &mut Fields) {
    (place.dimm, place.channel) = (Some(byte(check.misc, 16, 17)), Some(byte(check.misc, 18, 19)));
    fields.number(
        "MISC",
        "RTId",
        format!("{:#x}", field(check.misc, 0, 7)),
        "transaction tracker",
    );
    fields.number(
        "MISC",
        "DIMM",
        field(check.misc, 16, 17).to_string(),
        "module on the channel",
    );
    fields.number(
        "MISC",
        "Channel",
        field(check.misc, 18, 19).to_string(),
        "memory channel",
    );
    fields.number(
        "MISC",
        "Syndrome",
        format!("{:#010x}", word(check.misc, 32, 63)),
        "ECC syndrome",
    );
}

/// SDM 3B, `06_2DH` to `06_55H`, `IA32_MCi_MISC` of the controllers: the ranks of the first two bad devices, for corrected
/// errors and when firmware turned the log on (`MSR_ERROR_CONTROL`).
fn ranks(check: &MachineCheck, place: &mut Place, fields: &mut Fields) {
    if !check.has(bit::MISC_VALID) || check.has(bit::UNCORRECTED) {
        return;
    }
    let devices = [
        (62, 46, 50, "FailRank_1stErrDev"),
        (63, 51, 55, "FailRank_2ndErrDev"),
    ];
    for (valid, low, high, name) in devices {
        if field(check.misc, valid, valid) == 1 {
            let rank = byte(check.misc, low, high);
            place.ranks.push(rank);
            fields.number("MISC", name, rank.to_string(), "rank of a failed device");
        }
    }
}

/// Linux 7.2, `sb_edac.c`: each of two controllers has three channels; code 14 stands for memory in the package.
fn knights(check: &MachineCheck, place: &mut Place) {
    const OTHER_CONTROLLER: u8 = 15;
    const DDR: [u8; 2] = [15, 16];
    if !DDR.contains(&check.bank) {
        place.channel = None;
    } else if check.bank == OTHER_CONTROLLER {
        place.channel = place.channel.map(|channel| channel + 3);
    }
}

/// Linux 7.2, `i10nm_mc_decode` (Ice Lake), and mcelog's `i10nm` for device and sub-rank.
fn ice_lake(check: &MachineCheck, place: &mut Place, fields: &mut Fields) {
    if !has_cell(check) {
        return;
    }
    let transient = field(check.misc, 63, 63) == 1;
    let rank = byte(check.misc, 56, 58);
    (place.dimm, place.ranks) = (Some(rank / 4), vec![rank % 4]);
    let cell = Cell {
        bank_group: byte(check.misc, 40, 41) | byte(check.misc, 44, 44) << 2,
        bank: byte(check.misc, 42, 43),
        row: word(check.misc, 19, 39),
        column: half(check.misc, 9, 18) << 2,
        device: (!transient && !check.has(bit::UNCORRECTED)).then_some(byte(check.misc, 46, 51)),
        sub_rank: Some(byte(check.misc, 52, 55)),
    };
    let mode = match field(check.misc, 59, 62) {
        0 => "SDDC, 2LM",
        1 => "SDDC",
        4 => "ADDDC, 2LM",
        5 => "ADDDC",
        _ => "unknown",
    };
    fields.number("MISC", "ECC mode", field(check.misc, 59, 62).to_string(), mode);
    fields.flag("MISC", "transient", transient, "gone when read again");
    tell(cell, place, fields);
}

/// Linux 7.2, `i10nm_mc_decode` (Sapphire Rapids). rasdaemon reads these bits as Ice Lake's.
fn sapphire_rapids(check: &MachineCheck, place: &mut Place, fields: &mut Fields) {
    if !has_cell(check) {
        return;
    }
    (place.dimm, place.ranks) = (Some(byte(check.misc, 58, 58)), vec![byte(check.misc, 57, 57)]);
    let cell = Cell {
        bank_group: byte(check.misc, 37, 38) | byte(check.misc, 41, 41) << 2,
        bank: byte(check.misc, 39, 40),
        row: word(check.misc, 19, 36),
        column: half(check.misc, 9, 18) << 2,
        device: None,
        sub_rank: None,
    };
    tell(cell, place, fields);
}

/// Linux 7.2, `i10nm_mc_decode` (Granite Rapids), and mcelog's `granite` for device, sub-rank and when the bits are valid.
fn granite(check: &MachineCheck, place: &mut Place, fields: &mut Fields) {
    const MISC_IS_CELL: u64 = 1 << 33;
    const INTERNAL_ERRORS: std::ops::RangeInclusive<u16> = 0x800..=0x82f;
    let mscod = half(check.status, 16, 31);
    if !check.has(bit::MISC_VALID) || !check.has(MISC_IS_CELL) || INTERNAL_ERRORS.contains(&mscod) {
        return;
    }
    let transient = field(check.misc, 63, 63) == 1;
    (place.dimm, place.ranks) = (Some(byte(check.misc, 57, 57)), vec![byte(check.misc, 55, 56)]);
    let cell = Cell {
        bank_group: byte(check.misc, 39, 41),
        bank: byte(check.misc, 37, 38),
        row: word(check.misc, 19, 36),
        column: half(check.misc, 9, 18) << 2,
        device: (!transient).then_some(byte(check.misc, 43, 48)),
        sub_rank: Some(byte(check.misc, 51, 54)),
    };
    fields.flag("MISC", "transient", transient, "gone when read again");
    tell(cell, place, fields);
}

/// Whether `MISC` of Ice Lake and Sapphire Rapids holds a cell: not for persistent memory (DDR-T), not for codes of the
/// controller's own (Linux 7.2, `i10nm_mc_decode_available`).
fn has_cell(check: &MachineCheck) -> bool {
    const PERSISTENT: u64 = 8;
    const TRANSACTIONAL: std::ops::RangeInclusive<u16> = 0x0106..=0x0107;
    const INTERNAL: u16 = 0x08;
    let mscod = half(check.status, 16, 31);
    check.has(bit::MISC_VALID)
        && check.has(bit::ADDR_VALID)
        && field(check.misc, 59, 62) != PERSISTENT
        && mscod >> 8 != INTERNAL
        && !TRANSACTIONAL.contains(&mscod)
}

fn tell(cell: Cell, place: &mut Place, fields: &mut Fields) {
    fields.number("MISC", "bank group", cell.bank_group.to_string(), "");
    fields.number("MISC", "bank", cell.bank.to_string(), "");
    fields.number("MISC", "row", format!("{:#x}", cell.row), "");
    fields.number("MISC", "column", format!("{:#x}", cell.column), "");
    if let Some(device) = cell.device {
        fields.number("MISC", "device", device.to_string(), "failed chip of the rank");
    }
    place.cell = Some(cell);
}

//! AMD and Hygon: what failed and where.

mod block;
mod errors;
mod legacy;
mod registers;

use super::bits::{byte, half};
use super::code::Code;
use super::field::Fields;
use super::status::bit;
use super::{MachineCheck, Place, Unit};
use block::{Block, Kind};

/// What failed, and where.
pub(super) fn decode(check: &MachineCheck, place: &mut Place, fields: &mut Fields) -> (String, Unit) {
    let code = Code::amd(half(check.status, 0, 15));
    place.cache_level = code.cache_level();
    registers::status(check, fields);
    let error_code = half(check.status, 0, 15);
    fields.number("STATUS", "ErrorCode", format!("{error_code:#06x}"), code.words());
    let described = match (block::of(check), legacy::applies(check)) {
        (Some(block), _) => scalable(check, block, code, place, fields),
        (None, true) => legacy::decode(check, code, place, fields),
        (None, false) => unknown(check, code, place, fields),
    };
    registers::misc(check, fields);
    registers::identity(check, fields);
    place.fru = registers::replaceable_unit(check, fields);
    described
}

/// A bank of scalable machine-check architecture whose block is known.
fn scalable(
    check: &MachineCheck,
    block: &'static Block,
    code: Code,
    place: &mut Place,
    fields: &mut Fields,
) -> (String, Unit) {
    place.bank_name = Some(block.name.to_owned());
    if let Kind::Cache(level) = block.kind {
        place.cache_level = Some(level);
    }
    let extended = extended(check);
    let error = block
        .errors
        .get(usize::from(extended))
        .copied()
        .unwrap_or_default();
    fields.number("STATUS", "ErrorCodeExt", extended.to_string(), error);
    registers::memory(check, block, place, fields);
    place.address = registers::address(check, Some(block), fields);

    let channel = place
        .channel
        .map_or_else(String::new, |channel| format!(", channel {channel}"));
    let error = match (error, code) {
        ("", Code::Unknown(_)) => format!("extended code {extended}"),
        ("", code) => format!("{}, extended code {extended}", code.words()),
        (error, _) => error.to_owned(),
    };
    (format!("{}{channel}: {error}", block.name), block.unit)
}

/// A bank of which nothing is known but the code.
fn unknown(check: &MachineCheck, code: Code, place: &mut Place, fields: &mut Fields) -> (String, Unit) {
    let extended = extended(check);
    fields.number(
        "STATUS",
        "ErrorCodeExt",
        extended.to_string(),
        "of a block that is not known",
    );
    place.address = registers::address(check, None, fields);
    let unit = if check.has(bit::VALID) {
        code.unit()
    } else {
        Unit::Unknown
    };
    (code.words(), unit)
}

/// Which error of the block it is (bits 21:16).
fn extended(check: &MachineCheck) -> u8 {
    byte(check.status, 16, 21)
}

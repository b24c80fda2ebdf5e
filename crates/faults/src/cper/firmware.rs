//! References to records that firmware keeps in a form of its own: N.2.10.

use super::layout;
use super::layout::{ALWAYS, guid, le, or_zero};
use super::{Guid, Raw};
use crate::hardware::{Field, Fields, hex, named, plain};

layout! {
    /// A reference to a record of the firmware, and the bytes that follow it: often the record, which only its vendor reads.
    pub struct FirmwareRecord {
        /// Kind of record.
        record_type: u8 = bit ALWAYS, le(0), named(TYPES);
        /// Revision of this structure.
        revision: u8 = bit ALWAYS, le(1), plain;
        /// Name of the record as a number: revision 0.
        record_id: u64 = bit 0, le(8), hex;
        /// Name of the record as a GUID: revision 2.
        record_guid: Guid = bit 2, guid(16), plain;
        /// What follows.
        data: Raw = bit ALWAYS, data, |data: Raw| plain(format!("{} bytes", data.bytes.len() + data.left_off));
    }
}

pub(super) const TYPES: &[&str] = &[
    "IPF SAL error record",
    "SoC firmware error record type 1 (legacy crash log)",
    "SoC firmware error record type 2",
];

/// The record begins where the fields of the revision end, as in Linux.
fn data(bytes: &[u8]) -> Option<Raw> {
    let start = match or_zero::<u8>(bytes, 1) {
        0 => 16,
        1 => 8,
        _ => 32,
    };
    bytes.get(start..).filter(|data| !data.is_empty()).map(Raw::of)
}

impl FirmwareRecord {
    pub(super) fn read_all(bytes: &[u8]) -> Self {
        // The revision takes the part of the validation bits.
        let revision = or_zero::<u8>(bytes, 1);
        Self::read(bytes, 1u64.checked_shl(revision.into()).unwrap_or(0))
    }

    pub(super) fn fields(&self) -> Vec<Field> {
        let mut fields = Fields::default();
        self.show(&mut fields);
        fields.list
    }
}

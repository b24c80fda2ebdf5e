//! Each section type, from bytes that are put together by hand.

use super::build::Bytes;
use crate::cper::{Guid, Section, guids};

fn body(kind: Guid, bytes: &[u8]) -> Section {
    let section = Section::of_body(kind, bytes);
    assert_eq!(section.damage, None);
    section
}

/// `name: value (meaning)` of every field behind the section's head.
fn fields(section: &Section) -> Vec<String> {
    let fields = section.hardware_error().fields;
    fields.iter().skip(2).map(ToString::to_string).collect()
}

#[test]
fn the_second_memory_layout_has_wide_numbers() {
    let bytes = Bytes::new(96)
        .u64(
            0,
            1 | 1 << 7 | 1 << 8 | 1 << 10 | 1 << 12 | 1 << 13 | 1 << 14 | 1 << 19 | 1 << 20 | 1 << 21,
        )
        .u64(8, 4 << 8 | 1 << 18)
        .u16(38, 0x0203)
        .u32(40, 5)
        .u32(44, 0x12345)
        .u32(52, 1)
        .u8(60, 2)
        .u8(61, 2)
        .u8(62, 1)
        .u32(92, 0x1101);
    assert_eq!(
        fields(&body(guids::MEMORY_2, &bytes.done())),
        [
            "error_status: 0x0000000000040400 (storage error in memory, in the data)",
            "rank: 1",
            "bank_group: 2",
            "bank_address: 3",
            "device: 5",
            "row: 74565",
            "chip_id: 2",
            "error_type: 2 (single-bit ECC)",
            "module_handle: 0x1101 (SMBIOS)",
            "status: 0x01 (uncorrected)",
        ]
    );
}

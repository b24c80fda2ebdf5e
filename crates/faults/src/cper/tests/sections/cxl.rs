//! Sections of CXL devices, ports and their events.

use super::{Bytes, body, fields};
use crate::cper::{Section, guids};

/// A CXL event section: header, then an event record whose own fields a test sets from byte 32 on.
fn cxl(valid: u16, valid_at: usize) -> Bytes {
    Bytes::new(144)
        .u32(0, 144)
        .u64(4, 7)
        .u16(12, 0x1e98)
        .u16(14, 0x0a)
        .put(16, &[1, 2, 0x38])
        .u16(19, 5)
        .u16(21, 4 << 3)
        .u64(24, 0xabcd)
        .put(32 + 1, &[1 << 3, 0, 0])
        .u16(32 + 4, 0x11)
        .u64(32 + 8, 1_700_000_000_000_000_000)
        .u16(32 + valid_at, valid)
}

#[test]
fn cxl_dram_events_say_which_row() {
    let bytes = cxl(1 | 1 << 1 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 6, 43)
        .u64(32 + 32, 0x1_2345_6040 | 1)
        .u8(32 + 40, 1)
        .u8(32 + 41, 1)
        .u8(32 + 42, 5)
        .put(32 + 45, &[3, 1])
        .put(32 + 50, &[2, 7])
        .put(32 + 52, &[0x56, 0x34, 0x12])
        .u16(32 + 55, 0x44)
        .u8(32 + 110, 1);
    let section = body(guids::CXL_DRAM, &bytes.done());
    let error = section.hardware_error();
    assert_eq!(
        error.place.to_string(),
        "channel 3, rank 1, bank group 2, bank 7, row 1193046, column 68, PCI 0005:38:02.1"
    );
    assert!(
        error
            .title
            .starts_with("CXL memory error: ECC error found by scrubbing on 1e98:000a")
    );
    assert_eq!(
        fields(&section),
        [
            "id: 1e98:000a",
            "address: 0005:38:02.1",
            "slot: 4",
            "serial_number: 0x000000000000abcd",
            "flags: 0x00000008 (maintenance needed)",
            "handle: 0x0011",
            "related_handle: 0x0000",
            "timestamp_ns: 1700000000000000000",
            "maintenance_class: 0",
            "device_address: 0x0000000123456040 (volatile)",
            "descriptor: 0x01 (uncorrectable)",
            "error_type: 1 (ECC error found by scrubbing)",
            "transaction: 5 (internal scrub)",
            "channel: 3",
            "rank: 1",
            "bank_group: 2",
            "bank: 7",
            "row: 1193046",
            "column: 68",
            "sub_type: 1 (internal data path error)",
        ]
    );
}

#[test]
fn cxl_media_and_module_events() {
    let media = cxl(1 << 2 | 1 << 3, 43)
        .u8(32 + 41, 2)
        .put(32 + 47, &[1, 0, 0])
        .put(32 + 50, b"unit-7");
    let section = body(guids::CXL_MEDIA, &media.done());
    assert_eq!(section.hardware_error().what, "data path error");
    assert!(fields(&section).contains(&"device: 0x00000001".to_owned()));

    let module = cxl(0, 51)
        .u8(32 + 32, 3)
        .u8(32 + 33, 4)
        .u8(32 + 36, 12)
        .u16(32 + 37, 0xfffb)
        .u32(32 + 39, 2);
    let section = body(guids::CXL_MODULE, &module.done());
    let shown = fields(&section);
    for line in [
        "event_type: 3 (temperature change)",
        "health_status: 0x04 (replacement needed)",
        "temperature_celsius: -5",
    ] {
        assert!(shown.contains(&line.to_owned()), "{shown:#?}");
    }
    assert!(!shown.iter().any(|line| line.starts_with("component_id")));
}

#[test]
fn cxl_protocol_errors_of_ports_and_restricted_ports() {
    let log = Bytes::new(88).u32(0, 1 << 10).u32(12, 1 << 2);
    let bytes = Bytes::new(116)
        .u64(0, 0x7f)
        .u8(8, 5)
        .put(16, &[1, 2, 0x38, 5, 0])
        .u16(24, 0x8086)
        .u16(26, 0x0d93);
    let bytes = bytes.u16(108, 4).u16(110, 88).done();
    let bytes = [bytes, vec![0xdd; 4], log.done()].concat();
    let section = body(guids::CXL_PROTOCOL, &bytes);
    let error = section.hardware_error();
    assert_eq!(error.what, "poison received from peer, CRC threshold hit");
    assert_eq!(error.place.to_string(), "PCI 0005:38:02.1");
    assert!(fields(&section).contains(&"dvsec: dddddddd".to_owned()));

    let short = Section::of_body(guids::CXL_PROTOCOL, &bytes[..150]);
    assert_eq!(
        short.damage.map(|damage| damage.to_string()).as_deref(),
        Some("bytes of CXL registers at byte 116: 92 are announced, 34 are there")
    );

    let port = Bytes::new(116).u64(0, 3).u8(8, 1).u64(16, 0xfed0_0000);
    assert_eq!(
        fields(&body(guids::CXL_PROTOCOL, &port.done())),
        [
            "agent_type: 1 (restricted CXL host's downstream port)",
            "root_complex_registers: 0x00000000fed00000"
        ]
    );
}

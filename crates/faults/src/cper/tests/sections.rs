//! Each section type, from bytes that are put together by hand.

mod cxl;
mod processor;

use super::build::Bytes;
use crate::cper::{Body, ErrorSeverity, Guid, Section, guids};

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

#[test]
fn the_first_memory_layout_has_its_odd_places() {
    let bytes = Bytes::new(80)
        .u64(
            0,
            1 << 8 | 1 << 9 | 1 << 10 | 1 << 15 | 1 << 16 | 1 << 17 | 1 << 18 | 1 << 19 | 1 << 20 | 1 << 21,
        )
        .u16(38, 0x0102)
        .u16(42, 0xbeef)
        .u16(44, 7)
        .u16(46, 8)
        .u8(73, 2 | 5 << 5)
        .u16(74, 3)
        .u16(76, 0x1000)
        .u16(78, 0x1101)
        .done();
    assert_eq!(
        fields(&body(guids::MEMORY, &bytes)),
        [
            "rank: 3",
            "bank_group: 1",
            "bank_address: 2",
            "row: 179951",
            "column: 7",
            "bit_position: 8",
            "chip_id: 5",
            "card_handle: 0x1000 (SMBIOS)",
            "module_handle: 0x1101 (SMBIOS)",
        ]
    );
}

/// UEFI 2.1 and 2.2 end with the error type; firmware leaves the other validation bits at random.
#[test]
fn the_old_memory_section_has_no_new_fields() {
    let old = Bytes::new(73)
        .u64(0, 1 << 3 | 1 << 14 | 1 << 17 | 1 << 21)
        .u16(32, 1)
        .u8(72, 8);
    let section = Section::of_body(guids::MEMORY, &old.done());
    assert_eq!(fields(&section), ["node: 1", "error_type: 8 (parity error)"]);
    assert_eq!(
        section.damage.map(|damage| damage.to_string()).as_deref(),
        Some("section at byte 0 marks fields valid that lie behind its end (bits 0x220000)")
    );
}

#[test]
fn nothing_is_shown_that_is_not_valid() {
    let kinds = [
        (guids::MEMORY, 80),
        (guids::MEMORY_2, 96),
        (guids::PROCESSOR, 192),
        (guids::PCIE, 208),
        (guids::PCI_BUS, 72),
        (guids::PCI_DEVICE, 40),
        (guids::PROCESSOR_X86, 64),
        (guids::CXL_PROTOCOL, 116),
    ];
    for (kind, size) in kinds {
        let mut bytes = vec![0xa5; size];
        bytes[..8].fill(0);
        assert_eq!(fields(&body(kind, &bytes)), [""; 0], "{kind}");
    }
}

#[test]
fn pci_express_with_its_error_registers() {
    let bytes = Bytes::new(208)
        .u64(0, 0xdf)
        .u32(8, 4)
        .put(12, &[0, 5])
        .u16(16, 0x0547)
        .u16(18, 0x4010)
        .u16(24, 0x8086)
        .u16(26, 0x347a)
        .put(28, &[0x00, 0x04, 0x06])
        .u8(31, 1)
        .u8(32, 2)
        .u16(33, 3)
        .u8(35, 0x15)
        .u8(36, 0x16)
        .u16(37, 9 << 3)
        .u64(40, 0x1122_3344_5566_7788)
        .u16(52 + 10, 1 << 2)
        .u32(112 + 4, 1 << 18)
        .u32(112 + 8, 1 << 20)
        .u32(112 + 12, 1 << 18 | 1 << 4)
        .u32(112 + 16, 0x1)
        .u32(112 + 20, 0x2000)
        .u32(112 + 24, 18)
        .u32(112 + 28, 0x0000_0001)
        .u32(112 + 32, 0x1600_000f)
        .u32(112 + 36, 0x1000)
        .u16(112 + 52, 0x00e5);
    let bytes = bytes.done();
    let mut end_point = bytes.clone();
    end_point[8] = 0;
    let mut section = body(guids::PCIE, &bytes);
    section.severity = ErrorSeverity::Fatal;
    let error = section.hardware_error();
    assert_eq!(error.title, "PCIe error: Malformed TLP on 8086:347a (fatal)");
    assert_eq!(error.place.to_string(), "PCI device 8086:347a, PCI 0003:15:02.1");
    assert_eq!(
        fields(&section),
        [
            "port_type: 4 (root port)",
            "version: 5.0",
            "command: 0x0547",
            "status: 0x4010",
            "address: 0003:15:02.1",
            "id: 8086:347a",
            "class_code: 060400",
            "secondary_bus: 0x16",
            "slot: 9",
            "serial_number: 0x1122334455667788",
            "device_status: 0x0004 (fatal error)",
            "aer uncorrectable_status: 0x00040000 (Malformed TLP)",
            "aer uncorrectable_mask: 0x00100000 (Unsupported Request)",
            "aer uncorrectable_severity: 0x00040010 (Data Link Protocol Error, Malformed TLP)",
            "aer correctable_status: 0x00000001 (Receiver Error)",
            "aer correctable_mask: 0x00002000 (Advisory Non-Fatal Error)",
            "aer control: 0x00000012",
            "aer root_command: 0x00000000",
            "aer root_status: 0x00000000",
            "aer correctable_source: 0x00e5 (0000:00:1c.5)",
            "aer uncorrectable_source: 0x0000 (0000:00:00.0)",
            "tlp_header: 00000001 1600000f 00001000 00000000 (MRd of 1 word at 0x1000 from 16:00.0, tag 0)",
        ]
    );
    assert!(
        fields(&body(guids::PCIE, &end_point))
            .iter()
            .all(|line| !line.starts_with("aer root"))
    );
    section.severity = ErrorSeverity::Corrected;
    assert_eq!(
        section.hardware_error().title,
        "PCIe error: Receiver Error on 8086:347a (corrected)"
    );
}

#[test]
fn a_port_without_a_function_has_registers() {
    let bytes = Bytes::new(208)
        .u64(0, 1 << 8 | 1 << 9)
        .u32(20, 1)
        .u32(31, 0xfe00_0000);
    assert_eq!(
        fields(&body(guids::PCIE, &bytes.done())),
        ["root_complex_registers: 0x00000001fe000000"]
    );
}

#[test]
fn pci_buses_and_devices() {
    let bus = Bytes::new(72)
        .u64(0, 0x2e)
        .u16(16, 6)
        .put(18, &[0x40, 1])
        .u64(24, 0xfebc_0000)
        .u64(40, 1 << 56 | 6);
    let section = body(guids::PCI_BUS, &bus.done());
    assert_eq!(
        fields(&section),
        [
            "error_type: 6 (address parity error)",
            "bus: 0x40",
            "segment: 0x01",
            "bus_address: 0x00000000febc0000",
            "bus_command: 0x0100000000000006 (PCI-X)",
        ]
    );
    assert_eq!(section.hardware_error().what, "address parity error");

    let device = Bytes::new(56)
        .u64(0, 0x1f)
        .u64(8, 22 << 8 | 1 << 16)
        .put(16, &[0x86, 0x80, 0x33, 0x15, 0, 0, 2, 1, 3, 0x81, 0])
        .u32(32, 1);
    let section = body(guids::PCI_DEVICE, &device.done());
    assert_eq!(
        fields(&section),
        [
            "error_status: 0x0000000000011600 (bus parity error, in the address)",
            "id: 8086:1533",
            "class_code: 020000",
            "address: 0000:81:03.1",
            "memory_number: 1",
            "io_number: 0",
        ]
    );
}

#[test]
fn dma_remapping_names_the_device() {
    let bytes = Bytes::new(32)
        .u16(0, 0x0108)
        .u16(2, 1)
        .put(4, &[6, 1, 0, 1])
        .u64(8, 0xdead_b000);
    let section = body(guids::DMA, &bytes.done());
    assert_eq!(
        fields(&section),
        [
            "requester: 0001:01:01.0",
            "fault_reason: 6 (invalid read or write access)",
            "access_type: 1 (DMA read)",
            "address_type: 0 (untranslated request)",
            "architecture: 1 (VT-d)",
            "device_address: 0x00000000deadb000",
        ]
    );
    assert_eq!(
        body(guids::DMA_VTD, &[0; 144]).hardware_error().what,
        "fault of VT-d"
    );
    assert_eq!(
        body(guids::DMA_IOMMU, &[0; 144]).hardware_error().what,
        "fault of an AMD IOMMU"
    );
}

#[test]
fn firmware_records_by_revision() {
    let ids = |revision: u8| {
        let bytes = Bytes::new(40)
            .put(0, &[2, revision])
            .u64(8, 0x77)
            .put(16, &guids::MEMORY.bytes());
        let section = body(guids::FIRMWARE, &bytes.done());
        let Body::Firmware(record) = section.body else {
            panic!("{section:#?}")
        };
        let data = record.data.map_or(0, |data| data.bytes.len());
        (record.record_id, record.record_guid.is_some(), data)
    };
    assert_eq!(ids(0), (Some(0x77), false, 24));
    assert_eq!(ids(1), (None, false, 32));
    assert_eq!(ids(2), (None, true, 8));
}

//! Each section type, from bytes that are put together by hand.

use super::build::Bytes;
use crate::cper::{Body, ErrorSeverity, Guid, Section, X86ErrorInfo, guids};

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
fn x86_processors_with_each_check() {
    let guids_of_checks = [
        "a55701f5-e3ef-43de-ac72-249b573fad2c",
        "fc06b535-5e1f-4562-9f25-0a3b9adb63c3",
        "1cf3f8b3-c5b1-49a2-aa59-5eef92ffa63c",
        "48ab7f57-dc34-4f6c-a7d3-b0b5b0a74314",
    ];
    let checks: [u64; 4] = [
        0xff | 1 << 16 | 8 << 18 | 2 << 22 | 1 << 26,
        0x7 | 5 << 18 | 1 << 22,
        0x7ff | 2 << 16 | 3 << 18 | 2 << 30 | 1 << 32 | 2 << 33,
        0x3f | 2 << 16 | 1 << 19 | 1 << 23,
    ];
    let mut bytes = Bytes::new(64).u64(0, 1 | 4 << 2 | 1 << 8).u64(8, 0x40).done();
    for (guid, check) in guids_of_checks.iter().zip(checks) {
        let kind = guid.parse::<Guid>().unwrap().bytes();
        bytes.extend(
            Bytes::new(64)
                .put(0, &kind)
                .u64(16, 3)
                .u64(24, check)
                .u64(32, 0x1000)
                .done(),
        );
    }
    bytes.extend(Bytes::new(16).u16(0, 1).u16(2, 8).u32(4, 0x401).done());
    bytes.extend(0xbea0_0000_0000_0108u64.to_le_bytes());
    let section = body(guids::PROCESSOR_X86, &bytes);
    let Body::X86(error) = &section.body else {
        panic!("{section:#?}")
    };
    assert_eq!(error.what(), "cache error, snoop, data access, level 2");
    let kinds: Vec<_> = error.errors.iter().map(X86ErrorInfo::kind).collect();
    assert_eq!(
        kinds,
        [
            "cache error",
            "TLB error",
            "bus error",
            "micro-architectural error"
        ]
    );
    let checks: Vec<_> = error.errors.iter().filter_map(X86ErrorInfo::check).collect();
    assert_eq!(
        (checks[0].uncorrected, checks[0].context_corrupt),
        (Some(true), Some(false))
    );
    assert_eq!(
        (checks[1].operation, checks[1].level),
        (Some("instruction fetch"), Some(1))
    );
    assert_eq!((checks[1].uncorrected, checks[1].participation), (None, None));
    assert_eq!(
        (checks[2].participation, checks[2].address_space),
        (Some("observed"), Some("I/O"))
    );
    assert_eq!(checks[2].timed_out, Some(true));
    assert_eq!(
        (checks[3].error_type, checks[3].overflow),
        (Some("microcode ROM parity error"), Some(true))
    );
    assert_eq!(
        (checks[3].transaction, checks[3].context_corrupt),
        (None, Some(true))
    );
    assert_eq!(
        (error.contexts[0].name(), error.contexts[0].msr_address),
        ("MSR registers", Some(0x401))
    );
    assert!(fields(&section).contains(&"error 0 target_id: 0x0000000000001000".to_owned()));

    let short = Section::of_body(guids::PROCESSOR_X86, &bytes[..200]);
    assert_eq!(
        short.damage.map(|damage| damage.to_string()).as_deref(),
        Some("error structures at byte 64: 4 are announced, 2 are there")
    );
}

#[test]
fn arm_processors_with_contexts_and_vendor_data() {
    let bus: u64 =
        0xfff | 1 << 16 | 4 << 18 | 1 << 22 | 1 << 26 | 2 << 29 | 1 << 31 | 3 << 32 | 5 << 34 | 1 << 43;
    let info = Bytes::new(32)
        .put(0, &[0, 32, 0x1f, 0, 1 << 3, 1, 0, 8])
        .u64(8, bus)
        .u64(16, 0xffff_0000)
        .u64(24, 0x8000);
    let length = 40 + 32 + 8 + 16 + 3;
    let mut bytes = Bytes::new(40)
        .u32(0, 0xf)
        .u16(4, 1)
        .u16(6, 1)
        .size(8, length)
        .u8(12, 1)
        .u64(16, 0x8000_0100)
        .u64(24, 0x410f_d0c1)
        .u32(32, 1)
        .done();
    bytes.extend(info.done());
    bytes.extend(Bytes::new(8 + 16).u16(2, 5).u32(4, 16).u64(8, 0x96).done());
    bytes.extend([1, 2, 3]);
    bytes.extend([0; 5]); // not of the section
    let section = body(guids::PROCESSOR_ARM, &bytes);
    assert_eq!(
        fields(&section),
        [
            "mpidr: 0x0000000080000100",
            "affinity_level: 1",
            "midr: 0x00000000410fd0c1",
            "running_state: 0x00000001 (running)",
            "psci_state: 0x00000000",
            "error 0 kind: 0x08 (bus error)",
            "error 0 multiple: 1 (2 errors)",
            "error 0 flags: 0x08 (overflow)",
            "error 0 error_info: 0x00000817c4510fff",
            "error 0 virtual_address: 0x00000000ffff0000",
            "error 0 physical_address: 0x0000000000008000",
            "error 0 transaction: data access",
            "error 0 operation: data write",
            "error 0 level: 1",
            "error 0 context_corrupt: false",
            "error 0 corrected: true",
            "error 0 precise_pc: false",
            "error 0 restartable: false",
            "error 0 participation: observed",
            "error 0 timed_out: true",
            "error 0 address_space: device memory",
            "error 0 memory_attributes: 0x5",
            "error 0 access_mode: normal",
            "context 0 registers: AArch64 EL1 context registers",
            "context 0 data: 96000000000000000000000000000000",
            "vendor: 010203",
        ]
    );
    assert_eq!(section.hardware_error().what, "bus error, data write, level 1");
}

#[test]
fn kinds_of_arm_errors_of_both_ages() {
    let name = |kind: u8| {
        let mut bytes = vec![0; 72];
        (bytes[4], bytes[8], bytes[44]) = (1, 72, kind);
        let section = body(guids::PROCESSOR_ARM, &bytes);
        section.hardware_error().what
    };
    assert_eq!(name(0), "cache error");
    assert_eq!(name(1 << 1), "cache error");
    assert_eq!(name(1 << 2 | 1 << 4), "TLB error and micro-architectural error");
    assert_eq!(name(1 << 5), "unknown error");
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

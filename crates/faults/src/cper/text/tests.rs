mod properties;

use super::*;
use crate::cper::tests::guests_region;
use crate::cper::{Body, Guid, Raw, guids, region};

/// What Linux 6.12 in a guest printed of the region that [`guests_region`] builds.
const GUESTS_LOG: &str = "\
[    1.814490] BERT: Error records from previous boot:
[    1.814599] [Hardware Error]: event severity: fatal
[    1.814663] [Hardware Error]:  Error 0, type: fatal
[    1.814678] [Hardware Error]:  fru_id: 11223344-5566-7788-99aa-bbccddeeff00
[    1.814813] [Hardware Error]:  fru_text: DIMM_A1
[    1.814887] [Hardware Error]:   section_type: memory error
[    1.814946] [Hardware Error]:   physical_address: 0x0000000123456000
[    1.814963] [Hardware Error]:   physical_address_mask: 0xfffffffffffff000
[    1.815103] [Hardware Error]:   node:0 card:1 module:2 bank:3 row:85 column:102 
[    1.815123] [Hardware Error]:   error_type: 3, multi-bit ECC
[    1.815199] [Hardware Error]:  Error 1, type: fatal
[    1.815204] [Hardware Error]:  fru_id: 11223344-5566-7788-99aa-bbccddeeff00
[    1.815209] [Hardware Error]:  fru_text: CPU0
[    1.815230] [Hardware Error]:   section_type: general processor error
[    1.815253] [Hardware Error]:   processor_type: 0, IA32/X64
[    1.815270] [Hardware Error]:   processor_isa: 2, X64
[    1.815282] [Hardware Error]:   error_type: 0x01
[    1.815353] [Hardware Error]:   cache error
[    1.815384] [Hardware Error]:   operation: 1, data read
[    1.815397] [Hardware Error]:   flags: 0x04
[    1.815406] [Hardware Error]:   overflow
[    1.815417] [Hardware Error]:   level: 1
[    1.815436] [Hardware Error]:   processor_id: 0x0000000000000007
[    1.815481] BERT: Total records found: 1
";

/// Text and bytes of one section come to the same.
fn assert_same(log: &str, region: &Region) {
    let read = of_log(log.lines());
    let plain = |section: &Section| Section {
        offset: 0,
        length: 0,
        ..section.clone()
    };
    let of_text: Vec<Section> = read.sections().map(plain).collect();
    let of_bytes: Vec<Section> = region.sections().map(plain).collect();
    assert_eq!(of_text, of_bytes);
}

/// The one section that a body of lines makes.
fn section(lines: &[&str]) -> Section {
    let head = ["event severity: corrected", "Error 0, type: corrected"];
    let log: Vec<String> = head
        .iter()
        .chain(lines)
        .map(|line| format!("{{1}}[Hardware Error]: {line}"))
        .collect();
    let region = of_log(log.iter().map(String::as_str));
    assert_eq!(region.blocks.len(), 1);
    region.blocks[0].sections[0].clone()
}

fn fields(section: &Section) -> Vec<String> {
    section
        .hardware_error()
        .fields
        .iter()
        .skip(2)
        .map(ToString::to_string)
        .collect()
}

#[test]
fn the_kernels_text_comes_to_the_same_values_as_the_bytes() {
    assert_same(GUESTS_LOG, &region(&guests_region()));
    assert_eq!(
        of_log(GUESTS_LOG.lines()).blocks[0].severity,
        ErrorSeverity::Fatal
    );
}

#[test]
fn interleaved_sources_are_kept_apart() {
    let log = "{1}[Hardware Error]: Hardware error from APEI Generic Hardware Error Source: 0\n\
        {1}[Hardware Error]: event severity: corrected\n\
        {2}[Hardware Error]: event severity: recoverable\n\
        {1}[Hardware Error]: imprecise tstamp: 2026-11-25 12:34:56\n\
        {1}[Hardware Error]:  Error 0, type: corrected\n\
        {2}[Hardware Error]:  Error 0, type: recoverable\n\
        {1}[Hardware Error]:   section_type: memory error\n\
        {2}[Hardware Error]:   section_type: PCIe error\n\
        {1}[Hardware Error]:   node:1\n\
        {2}[Hardware Error]:   port_type: 4, root port\n";
    let read = of_log(log.lines());
    let titles: Vec<String> = read
        .sections()
        .map(|section| section.hardware_error().title)
        .collect();
    assert_eq!(
        titles,
        [
            "memory error: unknown (corrected)",
            "PCIe error: error without a status (recoverable)"
        ]
    );
    let time = read.blocks[0].sections[0].timestamp.map(|time| time.to_string());
    assert_eq!(time.as_deref(), Some("2026-11-25 12:34:56 (imprecise)"));
}

#[test]
fn memory_is_read_with_all_its_places() {
    let section = section(&[
        "section_type: memory error",
        "error_status: Storage error in DRAM memory (0x0000000000000400)",
        "physical_address: 0x00000010137cc7c0",
        "node:0 card:0 module:1 rank:1 bank:770 bank_group:3 bank_address:2 device:0 row:74565 column:256 \
         bit_position:3 requestor_id:0x0000000000000009 chip_id:5 ",
        "error_type: 2, single-bit ECC",
        "DIMM location: not present. DMI handle: 0x0021 ",
    ]);
    assert_eq!(
        fields(&section),
        [
            "error_status: 0x0000000000000400 (storage error in memory)",
            "physical_address: 0x00000010137cc7c0",
            "node: 0",
            "card: 0",
            "module: 1",
            "rank: 1",
            "bank_group: 3",
            "bank_address: 2",
            "device: 0",
            "row: 74565",
            "column: 256",
            "bit_position: 3",
            "chip_id: 5",
            "requestor_id: 0x0000000000000009",
            "error_type: 2 (single-bit ECC)",
            "module_handle: 0x0021 (SMBIOS)",
        ]
    );
}

#[test]
fn the_name_of_a_slot_is_the_part() {
    let section = section(&[
        "section_type: memory error",
        "DIMM location: P0 CHANNEL A DIMM 1 ",
    ]);
    assert_eq!(
        section.hardware_error().place.part.as_deref(),
        Some("P0 CHANNEL A DIMM 1")
    );
}

#[test]
fn pci_express_is_read() {
    let section = section(&[
        "section_type: PCIe error",
        "port_type: 0, PCIe end point",
        "version: 3.0",
        "command: 0x0546, status: 0x4010",
        "device_id: 0000:81:00.1",
        "slot: 5",
        "secondary_bus: 0x00",
        "vendor_id: 0x8086, device_id: 0x1533",
        "class_code: 020000",
        "serial number: 0x1234, 0x5678",
        "bridge: secondary_status: 0x0001, control: 0x0002",
        "aer_uncor_status: 0x00100000, aer_uncor_mask: 0x00000000",
        "aer_uncor_severity: 0x00062030",
        "TLP Header: 40000001 0000000f f7a01000 00000000",
    ]);
    let Body::Pcie(error) = &section.body else {
        panic!("{section:#?}")
    };
    assert_eq!(
        error.address.map(|address| address.to_string()).as_deref(),
        Some("0000:81:00.1")
    );
    assert_eq!(error.id.map(|id| id.to_string()).as_deref(), Some("8086:1533"));
    assert_eq!((error.class_code, error.slot), (Some(0x02_0000), Some(5)));
    assert_eq!(error.version, Some(0x300));
    assert_eq!((error.command, error.status), (Some(0x546), Some(0x4010)));
    assert_eq!(error.serial_number, Some(0x5678_0000_1234));
    assert_eq!((error.secondary_status, error.bridge_control), (Some(1), Some(2)));
    let aer = error.aer_error(crate::aer::AerSeverity::NonFatal).unwrap();
    assert_eq!(
        aer.hardware_error().title,
        "PCIe error: Unsupported Request on 8086:1533 (non-fatal)"
    );
    assert!(aer.tlp().is_some());
}

#[test]
fn an_x86_processor_is_read() {
    let section = section(&[
        "section_type: IA32/X64 processor error",
        "Local APIC_ID: 0x21",
        "CPUID Info:",
        "00000000: 00a20f10 00000000 21200800 00000000",
        "00000010: 7ed8320b 00000000 178bfbff 00000000",
        "00000020: 00000000 00000000 00000000 00000000",
        "Error Information Structure 0:",
        " Error Structure Type: cache error",
        " Check Information: 0x000000000602001f",
        "  Transaction Type: 2, Generic",
        "  Operation: 0, generic error",
        "  Level: 0",
        "  Processor Context Corrupt: true",
        "  Uncorrected: true",
        " Instruction Pointer: 0xffffffff81000000",
        "Context Information Structure 0:",
        " Register Context Type: MSR Registers (Machine Check and other MSRs)",
        " Register Array Size: 0x0010",
        " MSR Address: 0xc0002051",
        " Register Array:",
        "00000000: bea0000000000108 00000000ffffffff",
    ]);
    let Body::X86(error) = &section.body else {
        panic!("{section:#?}")
    };
    assert_eq!(section.damage, None);
    assert_eq!(error.apic_id, Some(0x21));
    assert_eq!(
        error.cpuid.as_ref().map(|raw| &raw.bytes[..4]),
        Some(&[0x10, 0x0f, 0xa2, 0][..])
    );
    assert_eq!(error.errors[0].kind(), "cache error");
    let check = error.errors[0].check().unwrap();
    assert_eq!((check.transaction, check.level), (Some("generic"), Some(0)));
    assert_eq!(
        (check.context_corrupt, check.uncorrected, check.overflow),
        (Some(true), Some(true), None)
    );
    assert_eq!(error.errors[0].ip, Some(0xffff_ffff_8100_0000));
    assert_eq!(
        (error.contexts[0].kind, error.contexts[0].msr_address),
        (1, Some(0xc000_2051))
    );
    assert_eq!(
        error.contexts[0].registers.bytes[..8],
        0xbea0_0000_0000_0108u64.to_le_bytes()
    );
    assert_eq!(
        section.hardware_error().place.processor.as_deref(),
        Some("APIC 33")
    );
}

#[test]
fn an_arm_processor_is_read() {
    let section = section(&[
        "section_type: ARM processor error",
        "MIDR: 0x00000000481fd010",
        "Multiprocessor Affinity Register (MPIDR): 0x0000000081080000",
        "running state: 0x1",
        "Power State Coordination Interface state: 0",
        "Error info structure 0:",
        "num errors: 3",
        " first error captured",
        " propagated error captured",
        " error_type: 0x02: cache error",
        " error_info: 0x000000000091000f",
        "  transaction type: Data Access",
        "  cache level: 2",
        " physical fault address: 0x0000002012345000",
        "Context info structure 0:",
        " register context type: AArch64 EL1 context registers",
        " 00000000: 00000001 00000000",
        "Vendor specific error info has 3 bytes:",
        " 00000000: 01 02 03                                         ...",
    ]);
    let Body::Arm(error) = &section.body else {
        panic!("{section:#?}")
    };
    assert_eq!(section.damage, None);
    assert_eq!(
        (error.processor.mpidr, error.processor.midr),
        (Some(0x8108_0000), Some(0x481f_d010))
    );
    assert_eq!(
        (error.processor.running_state, error.processor.affinity_level),
        (Some(1), None)
    );
    let info = &error.errors[0];
    assert_eq!(
        (info.kind_name().as_str(), info.multiple, info.flags),
        ("cache error", Some(2), Some(0b101))
    );
    assert_eq!(
        (info.physical_address, info.virtual_address),
        (Some(0x20_1234_5000), None)
    );
    assert_eq!(
        (error.contexts[0].kind, error.contexts[0].registers.bytes.len()),
        (5, 8)
    );
    assert_eq!(
        error.vendor.as_ref().map(|raw| raw.bytes.as_slice()),
        Some(&[1, 2, 3][..])
    );
}

#[test]
fn firmware_records_and_unknown_sections_keep_their_bytes() {
    let firmware = section(&[
        "section_type: Firmware Error Record Reference",
        "Firmware Error Record Type: SOC Firmware Error Record Type2",
        "Revision: 2",
        "Record Identifier: 8f87f311-c998-4d9e-a0c4-6065518c4f6d",
        "00000000: 7b020000 00000001                    ...{....",
    ]);
    let Body::Firmware(record) = &firmware.body else {
        panic!("{firmware:#?}")
    };
    assert_eq!(
        (record.record_type, record.revision, record.record_id),
        (Some(2), Some(2), None)
    );
    assert_eq!(
        record.record_guid.map(|id| id.to_string()).as_deref(),
        Some("8f87f311-c998-4d9e-a0c4-6065518c4f6d")
    );
    assert_eq!(
        record.data.as_ref().map(Raw::hex).as_deref(),
        Some("0000027b01000000")
    );

    let unknown = section(&[
        "section type: unknown, 330f1140-72a5-11df-9690-0002a5d5c51b",
        "section length: 0x6",
        "00000000: 00000005 0100",
    ]);
    assert_eq!(unknown.kind.to_string(), "330f1140-72a5-11df-9690-0002a5d5c51b");
    assert!(matches!(&unknown.body, Body::Raw(raw) if raw.hex() == "050000000001"));
    assert_eq!(
        unknown.hardware_error().title,
        "firmware error: section 330f1140-72a5-11df-9690-0002a5d5c51b (corrected)"
    );
}

#[test]
fn cxl_is_read() {
    let section = section(&[
        "section_type: CXL Protocol Error",
        "agent_type: 5, CXL Root Port",
        "agent_address: 0001:e0:01.1",
        "slot: 3",
        "vendor_id: 0x1022, device_id: 0x14a5",
        "sub_vendor_id: 0x1022, sub_device_id: 0x1234",
        "class_code: 0604",
        "00000000: 00000010 00000000 00000000 00000000",
        "DVSEC length: 0x0000",
        "Error log length: 0x0058",
        "cxl_ras_uncor_status: 0x00000400",
        "cxl_ras_uncor_mask: 0x00000000",
        "cxl_ras_cor_status: 0x00000000",
    ]);
    assert_eq!(section.damage, None);
    let error = section.hardware_error();
    assert_eq!(
        error.title,
        "CXL error: poison received from peer on 1022:14a5 (corrected)"
    );
    assert_eq!(error.place.to_string(), "PCI 0001:e0:01.1");
}

#[test]
fn other_hardware_lines_are_passed_over() {
    let log = "mce: [Hardware Error]: CPU 0: Machine Check: 0 Bank 4: 9c00400001010091\n\
        mce: [Hardware Error]: TSC 2a1cd553c ADDR 12345000 MISC 8c \n\
        [Hardware Error]:  Error 0, type: fatal\n";
    assert_eq!(of_log(log.lines()), Region::default());
}

#[test]
fn names_of_section_types_are_known() {
    assert_eq!(keys::section_type("PCIe error"), Some(guids::PCIE));
    assert_eq!(keys::section_type("x").unwrap_or_default(), Guid::default());
}

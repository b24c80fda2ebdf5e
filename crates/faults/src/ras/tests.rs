use super::*;
use crate::cper::{Body, ErrorSeverity, guids};
use crate::{Class, Severity};
use proptest::prelude::*;

fn fields(error: &crate::hardware::HardwareError) -> Vec<String> {
    error.fields.iter().map(ToString::to_string).collect()
}

#[test]
fn an_event_of_a_controller_says_which_module() {
    let event = MemoryController {
        severity: McSeverity::of_kernel(1).unwrap(),
        message: "memory scrubbing error".to_owned(),
        label: "DIMM_B2".to_owned(),
        count: 1,
        controller: 1,
        layers: MemoryController::event_layers(2, 0, -1),
        address: None,
        grain: None,
        syndrome: Some(0),
        detail: "err_code:0x0101:0x0090 socket:0".to_owned(),
    }
    .at(0x1_2345_6040, 5);
    let error = event.hardware_error();
    assert_eq!(error.title, "memory error: memory scrubbing error (uncorrected)");
    assert_eq!(
        (error.class, error.severity),
        (Class::HardwareMemoryError, Severity::High)
    );
    assert_eq!(
        error.place.to_string(),
        "DIMM_B2, controller 1, layer 2, layer 0, address 0x123456040"
    );
    assert_eq!(error.place.page(), Some(0x12_3456));
    assert!(fields(&error).contains(&"grain: 32 bytes".to_owned()));
}

#[test]
fn lines_of_the_log_are_read() {
    let cases = [
        (
            "EDAC MC1: 1 UE memory read error on unknown memory (slot:0 page:0x0 offset:0x0 grain:8)",
            ("memory read error", "unknown memory", 1, None),
        ),
        (
            "EDAC MC0: 1 CE on mc#0csrow#3channel#1 (csrow:3 channel:1 page:0x7f offset:0x10 grain:0 syndrome:0x1c)",
            ("", "mc#0csrow#3channel#1", 1, Some(0x7f010)),
        ),
        (
            "EDAC MC0: 1 CE detection error on DIMM_A1 (channel:0 page:0x3 offset:0x0 grain:8 syndrome:0x0)",
            ("detection error", "DIMM_A1", 1, Some(0x3000)),
        ),
        (
            "EDAC MC0: 3 CE Multi-bit ECC on unknown memory (node:0 card:0 module:1 page:0x1 offset:0x0 grain:1 \
             syndrome:0x0 - status(0x0000000000000400): Storage error in DRAM memory)",
            ("Multi-bit ECC", "unknown memory", 3, Some(0x1000)),
        ),
        (
            "EDAC MC0: 1 CE read error on CPU#0 (left) or CPU#1 (channel:0 slot:1 page:0x2 offset:0x0 grain:8 syndrome:0x0)",
            ("read error", "CPU#0 (left) or CPU#1", 1, Some(0x2000)),
        ),
    ];
    for (line, (message, label, count, address)) in cases {
        let event = MemoryController::of_line(line).unwrap_or_else(|| panic!("{line}"));
        assert_eq!(
            (event.message.as_str(), event.label.as_str()),
            (message, label),
            "{line}"
        );
        assert_eq!((event.count, event.address), (count, address), "{line}");
    }
    for line in [
        "EDAC MC0: Giving out device to module skx_edac controller Skylake Socket#0 IMC#0: DEV 0000:3a:0a.0 (INTERRUPT)",
        "EDAC MC: Ver: 3.0.0",
        "EDAC MC0: 1 CE without a place",
        "EDAC MC99999999999: 1 CE x (page:0x0)",
        "",
    ] {
        assert_eq!(MemoryController::of_line(line), None, "{line}");
    }
}

#[test]
fn numbers_of_one_error_stay_out_of_the_title() {
    let line = "EDAC MC0: 1 UE read error 0x1f in chip 3 on label (page:0x2 offset:0x0 grain:8)";
    let error = MemoryController::of_line(line).unwrap().hardware_error();
    assert_eq!(error.title, "memory error: read error in chip (uncorrected)");
}

#[test]
fn what_becomes_of_a_page_says_how_bad_it_is() {
    let failure = |result| MemoryFailure {
        pfn: 0x12345,
        page_type: "dirty LRU page".to_owned(),
        recovery: Recovery::of_kernel(result),
    };
    let severity = |result| failure(result).hardware_error().severity;
    assert_eq!(
        [0, 1, 2, 3].map(severity),
        [Severity::High, Severity::High, Severity::Medium, Severity::Medium]
    );
    let error = failure(3).hardware_error();
    assert_eq!(error.title, "memory failure: dirty LRU page (recovered)");
    assert_eq!(error.place.page(), Some(0x12345));

    let killed =
        MemoryFailure::of_line("Memory failure: 0xff: Killing cc1:77 due to hardware memory corruption")
            .unwrap();
    assert_eq!(killed.recovery, None);
}

/// The compact form is written by hand from `struct cper_mem_err_compact` of Linux 6.18.
#[test]
fn an_extended_log_event_is_a_memory_section() {
    let mut data = [0u8; 55];
    let valid: u64 = 1 << 1 | 1 << 3 | 1 << 5 | 1 << 8 | 1 << 11 | 1 << 15 | 1 << 17 | 1 << 18;
    data[..8].copy_from_slice(&valid.to_le_bytes());
    data[8] = 1; // node
    data[12] = 2; // module
    data[18..20].copy_from_slice(&0x1234u16.to_le_bytes()); // row
    data[24] = 9; // requestor
    data[48] = 3; // rank
    data[52..54].copy_from_slice(&0x1101u16.to_le_bytes()); // module handle
    data[54] = 1; // extended: bit 16 of the row
    let event = ExtendedLog {
        error_type: 2,
        severity: 2,
        address: 0x1_2345_6000,
        address_lsb: 12,
        fru_id: [0; 16],
        fru_text: "DIMM 3",
        data: &data,
    };
    let section = event.section();
    let Body::Memory(memory) = &section.body else {
        panic!("{section:#?}")
    };
    assert_eq!(
        (memory.node, memory.card, memory.module),
        (Some(1), None, Some(2))
    );
    assert_eq!((memory.row, memory.rank), (Some(0x11234), Some(3)));
    assert_eq!(
        (memory.requestor_id, memory.module_handle),
        (Some(9), Some(0x1101))
    );
    assert_eq!(memory.physical_address_mask, Some(!0xfff));
    assert_eq!(
        section.hardware_error().title,
        "memory error: single-bit ECC (corrected)"
    );
    assert_eq!(
        (section.fru_id, section.fru_text.as_deref()),
        (None, Some("DIMM 3"))
    );

    let unknown = ExtendedLog {
        error_type: 0xff,
        address: u64::MAX,
        address_lsb: 0xff,
        data: &[],
        ..event
    };
    let section = unknown.section();
    assert!(matches!(&section.body, Body::Memory(memory) if *memory == crate::cper::MemoryError::default()));
}

#[test]
fn a_non_standard_event_is_named_by_its_vendor() {
    let event = NonStandard {
        section_type: "e8ed898d-df16-43cc-8ecc-54f060ef157f"
            .parse::<crate::cper::Guid>()
            .unwrap()
            .bytes(),
        fru_id: [0; 16],
        fru_text: "",
        severity: 0,
        data: &[1, 2, 3, 4],
    };
    let error = event.section().hardware_error();
    assert_eq!(
        error.title,
        "firmware error: error of an Ampere processor (recoverable)"
    );
    assert_eq!(error.class, Class::HardwareFirmwareError);
    assert!(fields(&error).contains(&"data: 01020304".to_owned()));

    let known = NonStandard {
        section_type: guids::MEMORY.bytes(),
        data: &[0; 80],
        ..event
    };
    assert_eq!(known.section().hardware_error().class, Class::HardwareMemoryError);
}

#[test]
fn an_arm_event_is_a_processor_section() {
    let mut info = [0u8; 32];
    info[1] = 32;
    info[2] = 0b1_0110; // flags, error info, physical address
    info[4] = 1 << 1; // cache
    info[7] = 1;
    let packed: u64 = 0b0111 | 1 << 16 | 3 << 18 | 2 << 22;
    info[8..16].copy_from_slice(&packed.to_le_bytes());
    info[24..32].copy_from_slice(&0x8000_1000u64.to_le_bytes());
    let event = ArmEvent {
        mpidr: 0x8001_0000,
        midr: 0x410f_d0c1,
        running_state: 1,
        psci_state: 0,
        affinity: 0xff,
        severity: Some(2),
        errors: &info,
        contexts: &[],
        vendor: &[7],
    };
    let error = event.section().hardware_error();
    assert_eq!(
        error.title,
        "processor error: cache error, data read, level 2 (corrected)"
    );
    assert_eq!(error.place.to_string(), "MPIDR 0x80010000, address 0x80001000");
    let old = ArmEvent {
        mpidr: 0,
        severity: None,
        errors: &[],
        vendor: &[],
        ..event
    };
    let section = old.section();
    assert_eq!(section.severity, ErrorSeverity::Unknown);
    assert_eq!(section.hardware_error().place.processor, None);
}

proptest! {
    #[test]
    fn any_line_is_read_or_refused(line in "(EDAC MC[0-9]: [0-9]{0,3} ?(CE|UE) )?[ -~é]{0,80}(\\(page:0x[0-9a-f]{0,20}.{0,20}\\))?") {
        if let Some(event) = MemoryController::of_line(&line) {
            prop_assert!(event.hardware_error().fields.len() < 64);
        }
    }

    #[test]
    fn any_failure_is_read_or_refused(line in "Memory failure: 0x[0-9a-f]{0,20}: (recovery action for )?[ -~]{0,40}(: [A-Z][a-z]{0,9})?") {
        if let Some(failure) = MemoryFailure::of_line(&line) {
            failure.hardware_error();
        }
    }

    #[test]
    fn any_format_is_read(format in "(REC->type)?[{}, \"0-9a-z]{0,200}") {
        PageTypes::from_format(&format).name(0);
    }

    #[test]
    fn any_event_bytes_are_survived(data in prop::collection::vec(any::<u8>(), 0..200), number: u8) {
        let event = ArmEvent {
            mpidr: 0, midr: 0, running_state: 0, psci_state: 0, affinity: number, severity: Some(number),
            errors: &data, contexts: &data, vendor: &data,
        };
        prop_assert!(event.section().hardware_error().fields.len() < 1000);
        let event = ExtendedLog {
            error_type: number, severity: number, address: 0, address_lsb: number, fru_id: [number; 16], fru_text: "",
            data: &data,
        };
        event.section().hardware_error();
    }
}

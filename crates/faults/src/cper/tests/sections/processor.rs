//! Sections of x86 and ARM processors.

use super::{Bytes, body, fields};
use crate::cper::{Body, Guid, Section, X86ErrorInfo, guids};

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

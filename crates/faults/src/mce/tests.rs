use super::*;

fn intel(status: u64) -> MachineCheck {
    MachineCheck {
        status,
        ..MachineCheck::default()
    }
}

#[test]
fn intel_compound_codes_are_named() {
    let cases = [
        (
            0x8c00_0040_0001_0091,
            "memory controller read error, channel 1",
            Outcome::Corrected,
            Severity::Low,
        ),
        (
            0xbe00_0000_0080_0400,
            "internal timer error",
            Outcome::Fatal,
            Severity::Critical,
        ),
        (
            0xbd80_0000_0010_0134,
            "data cache data read error, L0",
            Outcome::ActionRequired,
            Severity::High,
        ),
        (
            0x8c00_0040_0001_1091,
            "memory controller read error, channel 1",
            Outcome::Corrected,
            Severity::Low,
        ),
        (
            0xbd00_0000_0000_00cf,
            "memory controller scrub error, channel not specified",
            Outcome::ActionOptional,
            Severity::Medium,
        ),
        (0, "no error", Outcome::Invalid, Severity::Low),
    ];
    for (status, what, outcome, severity) in cases {
        let decoded = intel(status).decode();
        assert_eq!(
            (decoded.what.as_str(), decoded.outcome, decoded.severity),
            (what, outcome, severity),
            "{status:#x}"
        );
    }
}

#[test]
fn amd_blocks_and_outcomes_are_named() {
    let check = MachineCheck {
        status: 0x9c20_4000_0000_011b,
        ipid: 0x0000_0096_0025_0f00,
        vendor: 2,
        ..MachineCheck::default()
    };
    let decoded = check.decode();
    assert_eq!(decoded.what, "memory controller, channel 2: DRAM ECC error");
    assert_eq!(decoded.outcome, Outcome::Corrected);
    let deferred = MachineCheck {
        status: check.status | 1 << 44,
        ..check
    };
    assert_eq!(deferred.decode().outcome, Outcome::Deferred);
    let fatal = MachineCheck {
        status: check.status | 1 << 61,
        ..check
    };
    assert_eq!(fatal.decode().outcome, Outcome::Fatal);
    let running = MachineCheck {
        mcg_status: 1,
        ..fatal
    };
    assert_eq!(running.decode().outcome, Outcome::ActionRequired);
}

#[test]
fn printed_machine_checks_are_read() {
    let text = "mce: [Hardware Error]: CPU 0: Machine Check: 0 Bank 4: 9c00400001010091\n\
                mce: [Hardware Error]: TSC 2a1cd553c ADDR 12345000 MISC 8c \n\
                mce: [Hardware Error]: PROCESSOR 2:60fb1 TIME 1795475774 SOCKET 0 APIC 0 microcode 1000065\n";
    let report = crate::parse(text).unwrap();
    assert_eq!(report.kind, crate::ReportKind::MachineCheck);
    assert_eq!(
        report.title,
        "machine check: northbridge: link CRC error (corrected)"
    );
    assert_eq!(report.severity, Severity::Low);
}

#[test]
fn every_status_decodes() {
    for shift in 0..64_u8 {
        for low in (0..=u16::MAX).skip(usize::from(shift % 7)).step_by(7) {
            let status = 1 << shift | u64::from(low);
            let vendor = if low % 2 == 0 { 2 } else { 0 };
            let check = MachineCheck {
                status,
                vendor,
                ..MachineCheck::default()
            };
            assert!(!check.decode().title.is_empty());
        }
    }
}

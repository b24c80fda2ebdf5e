use super::*;

const UC: u64 = 1 << 61;
const PCC: u64 = 1 << 57;
const S: u64 = 1 << 56;
const AR: u64 = 1 << 55;
const OVER: u64 = 1 << 62;
const VALID: u64 = 1 << 63 | 1 << 60 | 1 << 59 | 1 << 58;

#[test]
fn the_states_of_a_processor_with_recovery() {
    let cases = [
        (0, Outcome::Corrected),
        (OVER, Outcome::Corrected),
        (UC, Outcome::Deferred),
        // SDM 3B, overwrite rules: reset only when PCC or AR is set.
        (UC | OVER, Outcome::Deferred),
        (UC | S, Outcome::ActionOptional),
        (UC | S | OVER, Outcome::ActionOptional),
        (UC | S | AR, Outcome::ActionRequired),
        (UC | S | AR | OVER, Outcome::Fatal),
        (UC | AR, Outcome::Fatal),
        (UC | PCC, Outcome::Fatal),
        (UC | PCC | S | AR, Outcome::Fatal),
    ];
    for (bits, outcome) in cases {
        assert_eq!(xeon(VALID | bits | 0x134).decode().outcome, outcome, "{bits:#x}");
    }
    assert_eq!(xeon(0).decode().outcome, Outcome::Invalid);
}

#[test]
fn what_a_scrub_or_write_back_finds_is_optional_however_it_came() {
    for code in [0x00c0, 0x00cf, 0x10c3, 0x017a] {
        for bits in [UC, UC | S] {
            assert_eq!(
                xeon(VALID | bits | code).decode().outcome,
                Outcome::ActionOptional,
                "{code:#x}"
            );
        }
    }
}

#[test]
fn without_recovery_overflow_is_fatal() {
    let old = |status| MachineCheck {
        mcg_cap: 0x806,
        ..intel(status)
    };
    assert_eq!(old(VALID | UC | 0x134).decode().outcome, Outcome::ActionRequired);
    assert_eq!(old(VALID | UC | OVER | 0x134).decode().outcome, Outcome::Fatal);
    // S and AR mean nothing there.
    assert_eq!(
        old(VALID | UC | S | AR | 0x134).decode().outcome,
        Outcome::ActionRequired
    );
}

#[test]
fn an_unknown_capability_is_said() {
    let silent = intel(VALID | UC | 0x134).decode();
    assert_eq!(silent.outcome, Outcome::Deferred);
    assert!(silent.why.contains("MCG_CAP is not known"));
    let excepted = MachineCheck {
        mcg_status: 5,
        ..intel(VALID | UC | 0x134)
    };
    assert_eq!(excepted.decode().outcome, Outcome::ActionRequired);
    assert!(excepted.decode().why.contains("MCG_CAP is not known"));
    // That S is set says that it means something.
    assert_eq!(
        intel(VALID | UC | S | AR | 0x134).decode().outcome,
        Outcome::ActionRequired
    );
    let counted = intel(0x8c00_0040_0001_0091).decode();
    assert_eq!(counted.corrected_count, None);
    assert!(
        field(&counted, "STATUS", "corrected count")
            .unwrap()
            .meaning
            .contains("MCG_CAP is not known")
    );
    assert_eq!(xeon(0x8c00_0040_0001_0091).decode().corrected_count, Some(1));
    // All processors of this model count.
    let skylake = MachineCheck {
        cpuid: SKYLAKE,
        ..intel(0x8c00_0040_0001_0091)
    };
    assert_eq!(skylake.decode().corrected_count, Some(1));
    let full = xeon(0x8c00_0000_0001_0091 | 0x7fff << 38).decode();
    assert!(
        field(&full, "STATUS", "corrected count")
            .unwrap()
            .meaning
            .contains("overflowed")
    );
}

#[test]
fn skylakes_scrubber_errors_are_not_corrected_ones() {
    let check = MachineCheck {
        bank: 13,
        cpuid: SKYLAKE,
        ..xeon(0x8c00_0040_0010_00c1)
    };
    assert_eq!(check.decode().outcome, Outcome::ActionOptional);
    assert_eq!(
        MachineCheck { bank: 7, ..check }.decode().outcome,
        Outcome::Corrected
    );
}

#[test]
fn amds_states() {
    const DEFERRED: u64 = 1 << 44;
    let cases = [
        (0, 0, Outcome::Corrected),
        (DEFERRED, 0, Outcome::Deferred),
        (UC, 0, Outcome::Fatal),
        (UC, 1, Outcome::ActionRequired),
        (UC | AR, 0, Outcome::ActionRequired),
        (UC | PCC, 1, Outcome::Fatal),
        (PCC | DEFERRED, 1, Outcome::Fatal),
    ];
    for (bits, mcg_status, outcome) in cases {
        let check = MachineCheck {
            mcg_status,
            ..amd(GENOA, VALID | bits | 0x11b)
        };
        assert_eq!(check.decode().outcome, outcome, "{bits:#x} {mcg_status}");
    }
    // Family 10h cannot recover.
    let old = MachineCheck {
        mcg_status: 1,
        ..amd(0x0010_0f42, VALID | UC | 0x11b)
    };
    assert_eq!(old.decode().outcome, Outcome::Fatal);
}

#[test]
fn more_errors_than_normal_are_worse() {
    let green = xeon(VALID | 1 << 53 | 0x134).decode();
    let yellow = xeon(VALID | 2 << 53 | 0x134).decode();
    assert_eq!(
        (green.severity, yellow.severity),
        (Severity::Low, Severity::Medium)
    );
    assert_ne!(green.advice, yellow.advice);
    assert_eq!(green.title, yellow.title);
    // The bits are undefined for uncorrected errors.
    assert!(
        field(
            &xeon(VALID | UC | 2 << 53 | 0x134).decode(),
            "STATUS",
            "threshold"
        )
        .is_none()
    );
}

#[test]
fn events_of_software_are_no_errors_of_a_bank() {
    let thermal = MachineCheck {
        bank: 128,
        ..intel(1)
    };
    let decoded = thermal.decode();
    assert_eq!(
        (decoded.outcome, decoded.unit),
        (Outcome::Corrected, Unit::Thermal)
    );
    let firmware = MachineCheck {
        bank: 255,
        addr: 0x1_2345_6789,
        misc: 0x8c,
        ..xeon(VALID | UC | 0x9f)
    };
    let decoded = firmware.decode();
    assert_eq!(
        decoded.title,
        "machine check: memory error reported by firmware (uncorrected, action optional)"
    );
    assert_eq!(
        decoded.place.address.and_then(|address| address.page()),
        Some(0x12_3456)
    );
    assert_eq!(decoded.place.channel, None);
}

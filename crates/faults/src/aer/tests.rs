use super::*;
use proptest::prelude::*;

#[test]
fn the_first_error_names_the_report() {
    let error = AerError {
        id: Some(PciId {
            vendor: 0x8086,
            device: 0xa110,
        }),
        status: 1 << 14 | 1 << 20,
        first_error: Some(20),
        ..AerError::new(AerSeverity::Fatal)
    };
    let hardware = error.hardware_error();
    assert_eq!(
        hardware.title,
        "PCIe error: Unsupported Request on 8086:a110 (fatal)"
    );
    assert_eq!(hardware.what, "Completion Timeout, Unsupported Request");
    assert_eq!(hardware.severity, Severity::Critical);
}

#[test]
fn masked_errors_do_not_count() {
    let error = AerError {
        status: 1 | 1 << 13,
        mask: Some(1 << 13),
        ..AerError::new(AerSeverity::Corrected)
    };
    assert_eq!(error.hardware_error().what, "Receiver Error");
    assert_eq!(error.main_error().map(|error| error.layer), Some(Layer::Physical));
}

/// Headers put together by hand from figures 2-14 to 2-30 of the specification.
#[test]
fn headers_of_packets_are_decoded() {
    let read = |words| Tlp::decode(words).map(|tlp| tlp.to_string());
    let cases = [
        (
            [0x2000_0002, 0x0208_03ff, 0x0000_0001, 0xfeed_0000],
            "MRd of 2 words at 0x1feed0000 from 02:01.0, tag 3",
        ),
        (
            [0x4000_0001, 0x0000_0a0f, 0xfe00_1004, 0],
            "MWr of 1 word at 0xfe001004 from 00:00.0, tag 10",
        ),
        (
            [0x4000_4001, 0x0000_0a0f, 0xfe00_1004, 0],
            "MWr of 1 word at 0xfe001004 from 00:00.0, tag 10, poisoned",
        ),
        (
            [0x0400_0001, 0x0000_0003, 0x0108_0010, 0],
            "CfgRd0 of 1 word at register 0x10 of 01:01.0 from 00:00.0, tag 0",
        ),
        (
            [0x0500_0001, 0x0000_000f, 0x0300_0104, 0],
            "CfgRd1 of 1 word at register 0x104 of 03:00.0 from 00:00.0, tag 0",
        ),
        (
            [0x4a00_0001, 0x0100_0004, 0x00e5_0540, 0],
            "CplD of 1 word by 01:00.0: successful, 4 bytes left, for 00:1c.5, tag 5",
        ),
        (
            [0x0a00_0000, 0x0100_2004, 0x0000_0500, 0],
            "Cpl of 1024 words by 01:00.0: unsupported request, 4 bytes left, for 00:00.0, tag 5",
        ),
        (
            [0x4a00_0000, 0x0100_0000, 0x0000_0500, 0],
            "CplD of 1024 words by 01:00.0: successful, 4096 bytes left, for 00:00.0, tag 5",
        ),
        (
            [0x3400_0000, 0x0100_0018, 0, 0],
            "Msg with code 0x18 from 01:00.0, tag 0",
        ),
        (
            [0x0200_0001, 0x0000_010f, 0x0000_03f8, 0],
            "IORd of 1 word at 0x3f8 from 00:00.0, tag 1",
        ),
        (
            [0x4c00_0002, 0x0100_02ff, 0x1000_0000, 0],
            "FetchAdd of 2 words at 0x10000000 from 01:00.0, tag 2",
        ),
    ];
    for (words, expected) in cases {
        assert_eq!(read(words).as_deref(), Some(expected), "{words:08x?}");
    }
    assert_eq!(read([u32::MAX; 4]), None);
    assert_eq!(read([0x9000_0000, 0, 0, 0]), None);
}

#[test]
fn ten_bit_tags_come_from_two_places() {
    let tlp = Tlp::decode([0x0088_0001, 0x0100_ff0f, 0, 0]).unwrap();
    assert_eq!(tlp.tag, 0x3ff);
}

fn titles(log: &str) -> Vec<String> {
    of_log(log.lines())
        .iter()
        .map(|report| report.hardware_error().title)
        .collect()
}

/// Put together by hand from the format strings of Linux 5.10, 6.1, 6.12 and 6.18.
#[test]
fn logs_of_several_kernels_say_the_same() {
    let of_5_10 = "[  100.1] pcieport 0000:00:1c.0: AER: Uncorrected (Non-Fatal) error received: 0000:01:00.0\n\
        [  100.1] nvme 0000:01:00.0: PCIe Bus Error: severity=Uncorrected (Non-Fatal), type=Transaction Layer, (Requester ID)\n\
        [  100.1] nvme 0000:01:00.0:   device [144d:a808] error status/mask=00104000/00400000\n\
        [  100.1] nvme 0000:01:00.0:    [14] CmpltTO                \n\
        [  100.1] nvme 0000:01:00.0:    [20] UnsupReq               (First)\n\
        [  100.1] nvme 0000:01:00.0: AER:   TLP Header: 40000001 0000000f f7a01000 00000000\n";
    let of_6_18 = "pcieport 0000:00:1c.0: AER: Uncorrectable (Non-Fatal) error message received from 0000:01:00.0\n\
        nvme 0000:01:00.0: AER: PCIe Bus Error: severity=Uncorrectable (Non-Fatal), type=Transaction Layer, (Requester ID)\n\
        nvme 0000:01:00.0:   device [144d:a808] error status/mask=00104000/00400000\n\
        nvme 0000:01:00.0:    [14] CmpltTO               \n\
        nvme 0000:01:00.0:    [20] UnsupReq               (First)\n\
        nvme 0000:01:00.0: AER:   TLP Header: 0x40000001 0x0000000f 0xf7a01000 0x00000000\n";
    for log in [of_5_10, of_6_18] {
        let reports = of_log(log.lines());
        let [report] = reports.as_slice() else {
            panic!("{reports:#?}")
        };
        assert_eq!(report.severity, AerSeverity::NonFatal);
        assert_eq!(
            (report.status, report.mask, report.first_error),
            (0x0010_4000, Some(0x0040_0000), Some(20))
        );
        assert_eq!(report.driver.as_deref(), Some("nvme"));
        assert_eq!(report.agent.as_deref(), Some("Requester ID"));
        let error = report.hardware_error();
        assert_eq!(
            error.title,
            "PCIe error: Unsupported Request on 144d:a808 (non-fatal)"
        );
        assert_eq!(
            error.place.pci.map(|pci| pci.to_string()).as_deref(),
            Some("0000:01:00.0")
        );
        assert_eq!(
            report.tlp().map(|tlp| tlp.to_string()).as_deref(),
            Some("MWr of 1 word at 0xf7a01000 from 00:00.0, tag 0")
        );
    }
}

#[test]
fn errors_that_firmware_reported_tell_their_severity_by_the_way() {
    let log = "pcieport 0000:80:03.0: AER: aer_status: 0x00000040, aer_mask: 0x00002000\n\
        pcieport 0000:80:03.0:    [ 6] BadTLP                \n\
        pcieport 0000:80:03.0: AER: aer_layer=Data Link Layer, aer_agent=Receiver ID\n\
        i40e 0000:81:00.0: aer_status: 0x00040000, aer_mask: 0x00000000\n\
        i40e 0000:81:00.0:    [18] MalfTLP                (First)\n\
        i40e 0000:81:00.0: aer_layer=Transaction Layer, aer_agent=Receiver ID\n\
        i40e 0000:81:00.0: aer_uncor_severity: 0x00062030\n";
    assert_eq!(
        titles(log),
        [
            "PCIe error: Bad TLP (corrected)",
            "PCIe error: Malformed TLP (fatal)"
        ]
    );
}

#[test]
fn interleaved_devices_keep_their_lines() {
    let log = "pcieport 0000:00:01.0: PCIe Bus Error: severity=Corrected, type=Physical Layer, (Receiver ID)\n\
        pcieport 0000:00:02.0: PCIe Bus Error: severity=Corrected, type=Data Link Layer, (Transmitter ID)\n\
        pcieport 0000:00:01.0:   device [8086:0001] error status/mask=00000001/00002000\n\
        pcieport 0000:00:02.0:   device [8086:0002] error status/mask=00001000/00002000\n";
    assert_eq!(
        titles(log),
        [
            "PCIe error: Receiver Error on 8086:0001 (corrected)",
            "PCIe error: Replay Timer Timeout on 8086:0002 (corrected)"
        ]
    );
}

#[test]
fn other_lines_are_no_reports() {
    let log = "pcieport 0000:00:1c.0: AER: can't find device of ID00e5\n\
        nvme nvme0: I/O 5 QID 3 timeout, aborting\n\
        pcieport 0000:00:1c.0: PME: Signaling with IRQ 122\n\
        2026-11-25T01:12:27.5: aer_status: 0x1, aer_mask: 0x0\n";
    assert_eq!(titles(log), [""; 0]);
}

#[test]
fn an_event_of_the_tracepoint_is_a_report() {
    let header = [0x4000_0001, 0x0000_000f, 0xf7a0_1000, 0, 0, 0];
    let event = AerError::of_event("0000:01:00.0", 1 << 12, 1, Some(&header)).unwrap();
    assert_eq!(event.hardware_error().title, "PCIe error: Poisoned TLP (fatal)");
    assert!(event.tlp().is_some());
    assert_eq!(AerError::of_event("0000:01:00.0", 1, 3, None), None);
    assert_eq!(
        AerError::of_event("x", 1, 2, Some(&header[..2])).map(|event| event.tlp_header),
        Some(None)
    );
}

proptest! {
    #[test]
    fn any_words_are_decoded_or_refused(words: [u32; 4], status: u32, mask: Option<u32>, first: Option<u8>) {
        for severity in [AerSeverity::Corrected, AerSeverity::NonFatal, AerSeverity::Fatal] {
            let error = AerError {
                status,
                mask,
                first_error: first,
                tlp_header: Some(words),
                ..AerError::new(severity)
            };
            prop_assert!(error.hardware_error().fields.len() < 20);
        }
    }

    #[test]
    fn any_log_is_read(log in "((pcieport 0000:0[0-1]:1c\\.[0-9]: (AER: )?)?(PCIe Bus Error: severity=|device \\[|aer_status: |\\[ ?[0-9]{1,3}\\]|TLP Header:|aer_uncor_severity: )?[ -~é]{0,40}\n){0,20}") {
        for report in of_log(log.lines()) {
            report.hardware_error();
        }
    }
}

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
    assert_eq!(hardware.severity, Severity::High);
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
}

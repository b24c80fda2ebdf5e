//! The bytes of tracepoints' records and of what slots are told, as they are written down.

use probe_common::{
    ABI_VERSION, DecodeError, Event, FIRST_SLOT, Header, RECORD_MAX, Record, SLOTS, STACK_FRAMES,
    STRING_BYTES, SlotConfig, TAKE_STACK, Tail, Term, decode,
};
use proptest::prelude::*;

fn record(captured: u16, length: u16) -> Record {
    Record {
        header: Header {
            abi: ABI_VERSION,
            hook: FIRST_SLOT + 3,
            ..Header::default()
        },
        length,
        captured,
        ..Record::default()
    }
}

#[cfg(target_endian = "little")]
#[test]
fn what_a_slot_is_told_has_its_golden_bytes() {
    let mut config = SlotConfig {
        size: 0x0128,
        tails: 1,
        terms: 1,
        flags: TAKE_STACK,
        limit: 0x0500,
        ..SlotConfig::default()
    };
    config.string[0] = 0x0140;
    config.tail[0] = Tail { offset: 12, base: 16 };
    config.term[0] = Term {
        mask: 0xffff_ffff,
        low: 1,
        span: 7,
        offset: 0x0120,
        left: 16,
        shift: 32,
        inverted: 1,
        ..Term::default()
    };
    let bytes = config.encode();
    assert_eq!(
        bytes[..16],
        [0x28, 1, 1, 1, 0, 1, 0x40, 1, 0, 0, 0, 0, 0, 5, 0, 0]
    );
    assert_eq!(bytes[16..20], [12, 0, 16, 0]);
    assert_eq!(bytes[48..56], [0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]);
    assert_eq!((bytes[64], bytes[72]), (1, 7));
    assert_eq!(bytes[80..88], [0x20, 1, 16, 32, 1, 0, 0, 0]);
    assert_eq!(SlotConfig::decode(&bytes), Some(config));
}

#[test]
fn a_record_comes_with_its_stack_and_strings() {
    let mut head = record(12, 20);
    head.frames = 1;
    head.room = u8::try_from(STACK_FRAMES).unwrap();
    head.strings = 1;
    let mut bytes = head.encode().to_vec();
    bytes.extend([7; 8 * STACK_FRAMES]);
    bytes.extend(b"\0\0\0\0\0\0\0\0four");
    bytes.extend([b's'; STRING_BYTES]);
    bytes.extend(b"slack");
    let Ok(Event::Record(event)) = decode(&bytes) else {
        panic!("{:?}", decode(&bytes))
    };
    assert_eq!(event.record, head);
    assert_eq!(event.stack, [7; 8]);
    assert_eq!(event.bytes, b"\0\0\0\0\0\0\0\0four");
    assert_eq!(event.strings, [b's'; STRING_BYTES]);
    for end in Record::SIZE..bytes.len() - b"slack".len() {
        assert_eq!(decode(&bytes[..end]), Err(DecodeError::RecordLengths), "{end}");
    }
}

#[test]
fn lengths_that_do_not_fit_do_not_decode() {
    let refused = |change: fn(&mut Record)| {
        let mut head = record(16, 16);
        change(&mut head);
        let mut bytes = head.encode().to_vec();
        bytes.resize(8192, 0);
        assert_eq!(decode(&bytes), Err(DecodeError::RecordLengths), "{head:?}");
    };
    refused(|head| head.length = 15);
    refused(|head| head.captured = 7);
    refused(|head| head.frames = 1);
    refused(|head| head.room = 1);
    refused(|head| head.strings = 3);
    refused(|head| {
        head.length = u16::MAX;
        head.captured = u16::try_from(RECORD_MAX).unwrap() + 1;
    });
}

#[test]
fn slots_end() {
    let mut head = record(16, 16);
    head.header.hook = FIRST_SLOT + u16::try_from(SLOTS).unwrap();
    assert_eq!(decode(&head.encode()), Err(DecodeError::Hook(head.header.hook)));
}

proptest! {
    #[test]
    fn any_lengths_decode_or_fail_without_a_panic(
        length: u16,
        captured in 0_u16..2100,
        (frames, room, strings) in (0_u8..40, prop_oneof![Just(0), Just(32), any::<u8>()], 0_u8..4),
        rest in proptest::collection::vec(any::<u8>(), 0..3000),
    ) {
        let head = Record { frames, room, strings, ..record(captured, length) };
        let bytes = [head.encode().as_slice(), &rest].concat();
        if let Ok(Event::Record(event)) = decode(&bytes) {
            prop_assert_eq!(event.bytes.len(), usize::from(captured));
            prop_assert_eq!(event.stack.len(), 8 * usize::from(frames));
            prop_assert_eq!(event.strings.len(), STRING_BYTES * usize::from(strings));
        }
    }

    #[test]
    fn what_a_slot_is_told_round_trips(bytes: [[u8; 16]; 13]) {
        let config = SlotConfig::decode(bytes.as_flattened()).unwrap();
        let encoded = config.encode();
        prop_assert_eq!(encoded.as_slice(), bytes.as_flattened());
    }
}

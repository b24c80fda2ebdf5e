//! The bytes as they are written down, and what hostile bytes do.

use probe_common::{
    ABI_VERSION, COMPONENT_BYTES, COMPONENTS, COMPONENTS_CUT, Counters, DecodeError, Event, Fault, Header,
    Hook, MachineCheck, OomCause, OomVictim, STACK_FRAMES, Signal, TEXT_MAX, Text, USER_FRAMES, UserFrame,
    decode, oom_cause,
};
use proptest::prelude::*;

fn header(hook: Hook) -> Header {
    Header {
        abi: ABI_VERSION,
        hook: hook as u16,
        cpu: 0x0403_0201,
        pid: 0x1413_1211,
        tgid: 0x2423_2221,
        cgroup_id: 0x3837_3635_3433_3231,
        since_boot_ns: 0x4847_4645_4443_4241,
        sequence: 0x5857_5655_5453_5251,
        comm: *b"kworker/0:1\0\0\0\0\0",
    }
}

/// The golden bytes are those of a little-endian machine, which is what the supported ones are.
#[cfg(target_endian = "little")]
#[test]
fn a_signal_has_its_golden_bytes() {
    let signal = Signal {
        header: header(Hook::SignalDeliver),
        signal: 11,
        errno: -2,
        code: 1,
        has_address: 1,
        address: 0x6867_6665_6463_6261,
        frames: 1,
        components: 2 | COMPONENTS_CUT,
    };
    let mut golden = vec![
        3, 0, 5, 0, 1, 2, 3, 4, 0x11, 0x12, 0x13, 0x14, 0x21, 0x22, 0x23, 0x24,
    ];
    golden.extend(0x31..=0x38u8);
    golden.extend(0x41..=0x48u8);
    golden.extend(0x51..=0x58u8);
    golden.extend(b"kworker/0:1\0\0\0\0\0");
    golden.extend([11, 0, 0, 0, 0xfe, 0xff, 0xff, 0xff, 1, 0, 0, 0, 1, 0, 0, 0]);
    golden.extend(0x61..=0x68u8);
    golden.extend([1, 0, 0, 0, 2, 0, 0, 0x80]);
    assert_eq!(signal.encode().as_slice(), golden);

    let frame = UserFrame {
        status: 1,
        build_id: *b"abcdefghijklmnopqrst",
        offset: 0x10,
    };
    let mut stack = frame.encode().to_vec();
    assert_eq!(stack[..28], *b"\x01\0\0\0abcdefghijklmnopqrst\x10\0\0\0");
    stack.resize(USER_FRAMES * UserFrame::SIZE, 0xff);
    let mut path = [0xff; COMPONENTS * COMPONENT_BYTES];
    path[..4].copy_from_slice(b"ls\0x");
    path[COMPONENT_BYTES..][..4].copy_from_slice(b"bin\0");
    let bytes = [golden, stack, path.to_vec()].concat();
    let Ok(Event::Signal(found, program)) = decode(&bytes) else {
        panic!("{:?}", decode(&bytes))
    };
    assert_eq!(found, signal);
    assert_eq!(program.frames().collect::<Vec<_>>(), [frame]);
    assert_eq!(
        program.components().collect::<Vec<_>>(),
        [b"ls".as_slice(), b"bin"]
    );
}

#[cfg(target_endian = "little")]
#[test]
fn a_cause_has_its_golden_bytes() {
    let cause = OomCause {
        header: header(Hook::OomKill),
        total_pages: 1,
        points: 2,
        limit_cgroup: 3,
        victim_cgroup: 4,
        victim: 5,
        gfp_mask: 6,
        order: 7,
        constraint: 3,
        available: oom_cause::ORDER | oom_cause::VICTIM,
        frames: 2,
    };
    let mut bytes = cause.encode().to_vec();
    let words = |at: usize| bytes[at..at + 4].to_vec();
    assert_eq!(
        (words(56), words(88), words(104)),
        (vec![1, 0, 0, 0], vec![5, 0, 0, 0], vec![0x50, 0, 0, 0])
    );
    bytes.extend(stack());
    let Ok(Event::OomCause(found, stack)) = decode(&bytes) else {
        panic!("{:?}", decode(&bytes))
    };
    assert_eq!((found, stack.frames().collect::<Vec<_>>()), (cause, vec![0, 1]));
}

/// A kernel stack, its frames numbered.
fn stack() -> Vec<u8> {
    (0..STACK_FRAMES as u64).flat_map(u64::to_ne_bytes).collect()
}

#[test]
fn a_fault_has_as_many_frames_as_it_says() {
    for hook in [
        Hook::OopsEnter,
        Hook::Panic,
        Hook::Warning,
        Hook::SoftLockup,
        Hook::AllocFailure,
    ] {
        let mut fault = Fault {
            header: header(hook),
            detail: 9,
            frames: 3,
        };
        let bytes = [fault.encode().to_vec(), stack()].concat();
        let Ok(Event::Fault(found, frames)) = decode(&bytes) else {
            panic!("{:?}", decode(&bytes))
        };
        assert_eq!(
            (found, frames.frames().collect::<Vec<_>>()),
            (fault, vec![0, 1, 2])
        );
        fault.frames = u32::try_from(STACK_FRAMES).unwrap() + 1;
        let bytes = [fault.encode().to_vec(), stack()].concat();
        assert_eq!(decode(&bytes), Err(DecodeError::RecordLengths));
    }
}

#[cfg(target_endian = "little")]
#[test]
fn a_machine_check_has_its_golden_bytes() {
    let record = MachineCheck {
        header: header(Hook::MceRecord),
        status: 0x9c00_4000_0101_0091,
        bank: 4,
        cpuvendor: 2,
        available: 0x7ffff,
        ..MachineCheck::default()
    };
    let bytes = record.encode();
    assert_eq!(bytes[72..80], [0x91, 0, 1, 1, 0, 0x40, 0, 0x9c]);
    assert_eq!(bytes[164..172], [0xff, 0xff, 7, 0, 0, 4, 2, 0]);
    assert_eq!(decode(&bytes), Ok(Event::MachineCheck(record)));
}

#[cfg(target_endian = "little")]
#[test]
fn a_victim_has_its_golden_bytes() {
    let victim = OomVictim {
        header: header(Hook::OomMarkVictim),
        pid: 4242,
        anon_rss: 7,
        oom_score_adj: -1000,
        ..OomVictim::default()
    };
    let bytes = victim.encode();
    assert_eq!(bytes[64..72], [7, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(bytes[96..100], [0x92, 0x10, 0, 0]);
    assert_eq!(bytes[124..128], [0x18, 0xfc, 0, 0]);
    assert_eq!(decode(&bytes), Ok(Event::OomVictim(victim)));
}

#[cfg(target_endian = "little")]
#[test]
fn a_text_has_its_golden_bytes() {
    let text = Text {
        header: header(Hook::PrintkConsole),
        address: 0xffff_8881_0203_0405,
        length: 2000,
        captured: 3,
    };
    let mut golden = header(Hook::PrintkConsole).encode().to_vec();
    golden.extend([5, 4, 3, 2, 0x81, 0x88, 0xff, 0xff, 0xd0, 7, 0, 0, 3, 0, 0, 0]);
    golden.extend(b"BUG");
    assert_eq!(text.encode(), golden[..Text::SIZE]);
    assert_eq!(decode(&golden), Ok(Event::Text(text, b"BUG")));
}

#[cfg(target_endian = "little")]
#[test]
fn counters_have_their_golden_bytes() {
    let counters = Counters {
        events: 0x0102,
        lost: 3,
        limited: 4,
    };
    assert_eq!(
        counters.encode(),
        [
            2, 1, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0
        ]
    );
}

#[test]
fn slack_has_a_limit() {
    let text = Text {
        header: header(Hook::PrintkConsole),
        ..Text::default()
    };
    let mut bytes = text.encode().to_vec();
    bytes.resize(Text::SIZE + TEXT_MAX, 0);
    assert_eq!(decode(&bytes), Ok(Event::Text(text, b"")));
    bytes.push(0);
    assert_eq!(
        decode(&bytes),
        Err(DecodeError::Long {
            needed: Text::SIZE + TEXT_MAX,
            found: Text::SIZE + TEXT_MAX + 1
        })
    );
}

#[test]
fn slack_after_text_is_not_text() {
    let text = Text {
        header: header(Hook::PrintkConsole),
        address: 1,
        length: 5,
        captured: 5,
    };
    let mut bytes = text.encode().to_vec();
    bytes.extend(b"hello, stale bytes of an older event");
    assert_eq!(decode(&bytes), Ok(Event::Text(text, b"hello")));
}

#[test]
fn text_that_claims_more_than_there_is_does_not_decode() {
    let mut text = Text {
        header: header(Hook::PrintkConsole),
        address: 1,
        length: 6,
        captured: 6,
    };
    let mut bytes = text.encode().to_vec();
    bytes.extend(b"hello");
    assert_eq!(
        decode(&bytes),
        Err(DecodeError::Short {
            needed: Text::SIZE + 6,
            found: Text::SIZE + 5
        })
    );
    text.captured = 7;
    assert_eq!(
        decode(&text.encode()),
        Err(DecodeError::TextLength {
            captured: 7,
            length: 6
        })
    );
    text.captured = 1025;
    text.length = u32::MAX;
    let mut bytes = text.encode().to_vec();
    bytes.resize(4096, 0);
    assert_eq!(
        decode(&bytes),
        Err(DecodeError::TextLength {
            captured: 1025,
            length: u32::MAX
        })
    );
}

#[test]
fn another_version_does_not_decode() {
    let mut other = header(Hook::Panic);
    other.abi = ABI_VERSION + 1;
    assert_eq!(
        decode(&other.encode()),
        Err(DecodeError::Version(ABI_VERSION + 1))
    );
}

#[test]
fn an_unknown_hook_does_not_decode() {
    let mut other = header(Hook::Panic);
    other.hook = 200;
    assert_eq!(decode(&other.encode()), Err(DecodeError::Hook(200)));
}

#[test]
fn a_byte_too_many_or_too_few_does_not_decode() {
    let victim = OomVictim {
        header: header(Hook::OomMarkVictim),
        ..OomVictim::default()
    };
    let fault = Fault {
        header: header(Hook::OopsEnter),
        frames: u32::try_from(STACK_FRAMES).unwrap(),
        ..Fault::default()
    };
    let stacked = [fault.encode().to_vec(), stack()].concat();
    for mut bytes in [victim.encode().to_vec(), stacked] {
        let needed = bytes.len();
        assert!(decode(&bytes).is_ok());
        bytes.push(0);
        let found = bytes.len();
        assert_eq!(decode(&bytes), Err(DecodeError::Long { needed, found }));
        bytes.truncate(needed - 1);
        let found = bytes.len();
        assert_eq!(decode(&bytes), Err(DecodeError::Short { needed, found }));
    }
}

/// The struct of an event, and text behind it.
fn encode(event: &Event<'_>) -> Vec<u8> {
    match event {
        Event::Text(text, bytes) => [text.encode().as_slice(), bytes].concat(),
        Event::Fault(fault, _) => fault.encode().to_vec(),
        Event::OomCause(cause, _) => cause.encode().to_vec(),
        Event::MachineCheck(record) => record.encode().to_vec(),
        Event::OomVictim(victim) => victim.encode().to_vec(),
        Event::Signal(signal, _) => signal.encode().to_vec(),
        Event::Record(_) => panic!("records have tests of their own"),
    }
}

proptest! {
    #[test]
    fn any_bytes_decode_or_fail_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2048)) {
        let _checked = decode(&bytes);
    }

    #[test]
    fn what_decodes_encodes_to_the_same_bytes(
        hook in 0u8..11,
        captured in 0u32..1100,
        length in 0u32..1100,
        count in 0u32..40,
        mut bytes in proptest::collection::vec(any::<u8>(), Header::SIZE..2200),
    ) {
        bytes[..2].copy_from_slice(&ABI_VERSION.to_ne_bytes());
        bytes[2..4].copy_from_slice(&u16::from(hook).to_ne_bytes());
        let size = match hook {
            0 if bytes.len() >= Text::SIZE => {
                bytes[64..68].copy_from_slice(&length.to_ne_bytes());
                bytes[68..72].copy_from_slice(&captured.to_ne_bytes());
                Text::SIZE + captured as usize
            }
            0 => Text::SIZE,
            3 => MachineCheck::SIZE,
            4 => OomVictim::SIZE,
            5 => Signal::SIZE + USER_FRAMES * UserFrame::SIZE + COMPONENTS * COMPONENT_BYTES,
            6 => OomCause::SIZE + STACK_FRAMES * 8,
            1 | 2 | 7..=9 => Fault::SIZE + STACK_FRAMES * 8,
            _ => bytes.len(),
        };
        // Where the number of frames is, and of names.
        let counts: &[usize] = match hook {
            5 => &[80, 84],
            6 => &[108],
            1 | 2 | 7..=9 => &[60],
            _ => &[],
        };
        for at in counts {
            if let Some(slot) = bytes.get_mut(*at..at + 4) {
                slot.copy_from_slice(&count.to_ne_bytes());
            }
        }
        bytes.truncate(size);
        if let Ok(event) = decode(&bytes) {
            let encoded = encode(&event);
            prop_assert_eq!(&encoded, &bytes[..encoded.len()]);
        } else {
            let text = hook == 0 && (captured > length || captured > 1024);
            prop_assert!(bytes.len() < size || hook > 9 || text || !counts.is_empty() && count > 16);
        }
    }

    #[test]
    fn counters_round_trip(events: u64, lost: u64, limited: u64) {
        let counters = Counters { events, lost, limited };
        prop_assert_eq!(Counters::decode(&counters.encode()), Some(counters));
    }
}

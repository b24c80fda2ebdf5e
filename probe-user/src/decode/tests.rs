use probe_common::{ABI_VERSION, Hook, STACK_FRAMES, TEXT_MAX, Text};
use proptest::prelude::*;

use super::*;

fn decoder() -> Decoder {
    let origin = |hook: Hook| Origin {
        hook: format!("{hook:?}").into(),
        attach: Attach::Tracepoint,
        record: None,
    };
    Decoder::new(Hook::ALL.map(|hook| (hook as u16, origin(hook))).into(), &[])
}

fn header(hook: Hook) -> Header {
    Header {
        abi: ABI_VERSION,
        hook: hook as u16,
        cpu: 1,
        pid: 42,
        tgid: 40,
        comm: *b"a\xffb\0garbage     ",
        ..Header::default()
    }
}

fn text(address: u64, bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap();
    let head = Text {
        header: header(Hook::PrintkConsole),
        address,
        length,
        captured: length,
    };
    [head.encode().as_slice(), bytes].concat()
}

fn continues(decoder: &mut Decoder, address: u64, bytes: &[u8]) -> bool {
    match decoder.decode(&text(address, bytes)) {
        Some(Event::KernelText { continues, text, .. }) => {
            assert_eq!(text, bytes);
            continues
        }
        other => panic!("{other:?}"),
    }
}

/// A fault whose stack is 0, 1, 2, ...
fn fault(hook: Hook, detail: u32, frames: u32) -> Vec<u8> {
    let fault = Fault {
        header: header(hook),
        detail,
        frames,
    };
    [fault.encode().to_vec(), stack()].concat()
}

fn stack() -> Vec<u8> {
    (0..STACK_FRAMES as u64).flat_map(u64::to_ne_bytes).collect()
}

#[test]
fn a_failed_allocation_has_its_mask() {
    let event = decoder().decode(&fault(Hook::AllocFailure, 0xcc0, 1));
    assert!(matches!(event, Some(Event::AllocFailure { gfp_mask: 0xcc0, context }) if context.stack == [0]));
}

#[test]
fn what_a_kernel_does_not_say_of_a_kill_is_none() {
    let mut record = probe_common::OomCause {
        header: header(Hook::OomKill),
        constraint: 3,
        order: u32::MAX,
        points: 7,
        frames: 1,
        ..Default::default()
    };
    let cause = |record: &probe_common::OomCause| match decoder()
        .decode(&[record.encode().to_vec(), stack()].concat())
    {
        Some(Event::OomCause { cause, context }) => {
            assert_eq!(context.stack, [0]);
            cause
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(cause(&record), OomCause::default());
    record.available = oom_cause::CONSTRAINT | oom_cause::ORDER | oom_cause::POINTS;
    let expected = OomCause {
        constraint: Some(OomConstraint::Cgroup),
        order: Some(-1),
        points: Some(7),
        ..OomCause::default()
    };
    assert_eq!(cause(&record), expected);
    record.constraint = 4;
    assert_eq!(cause(&record).constraint, None);
}

#[test]
fn the_context_is_copied_and_names_end_at_nul() {
    match decoder().decode(&fault(Hook::OopsEnter, 0, 2)) {
        Some(Event::OopsEnter { context }) => {
            assert_eq!(context.stack, [0, 1]);
            assert_eq!((context.cpu, context.pid, context.tgid), (1, 42, 40));
            assert_eq!(context.comm, "a\u{fffd}b");
            assert_eq!(
                (&*context.hook, context.attach),
                ("OopsEnter", Attach::Tracepoint)
            );
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_piece_right_behind_the_one_before_continues_it() {
    let mut decoder = decoder();
    assert!(!continues(&mut decoder, 1000, b"Modules"));
    assert!(continues(&mut decoder, 1007, b" linked in:"));
    assert!(!continues(&mut decoder, 1032, b"CPU: 0"));
    // The same buffer each time, as kernels before 6.1 have it.
    assert!(!continues(&mut decoder, 1032, b"CPU: 0"));
    // Nothing is known of the address.
    assert!(!continues(&mut decoder, 0, b"x"));
    assert!(!continues(&mut decoder, 1, b"x"));
    // A lone newline ends the line, as seen on 6.12.
    assert!(!continues(&mut decoder, 2000, b"MISC 8c "));
    assert!(continues(&mut decoder, 2008, b""));
    assert!(!continues(&mut decoder, 2008, b"x"));
    // An empty piece and the next in the same buffer.
    assert!(!continues(&mut decoder, 500, b""));
    assert!(!continues(&mut decoder, 500, b"x"));
}

#[test]
fn absent_sizes_of_a_victim_are_none() {
    let mut record = probe_common::OomVictim {
        header: header(Hook::OomMarkVictim),
        pid: 7,
        ..Default::default()
    };
    let victim = |record: &probe_common::OomVictim| match decoder().decode(&record.encode()) {
        Some(Event::OomVictim { victim, .. }) => victim,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        victim(&record),
        OomVictim {
            pid: 7,
            ..OomVictim::default()
        }
    );
    record.available = oom::COMM | oom::ANON_RSS | oom::OOM_SCORE_ADJ;
    record.comm = *b"tail\0\0\0\0\0\0\0\0\0\0\0\0";
    record.anon_rss = 8192;
    record.oom_score_adj = -5;
    let expected = OomVictim {
        pid: 7,
        comm: Some("tail".to_owned()),
        anon_rss_kib: Some(8192),
        oom_score_adj: Some(-5),
        ..OomVictim::default()
    };
    assert_eq!(victim(&record), expected);
}

#[test]
fn an_event_of_a_hook_that_is_not_attached_is_undecodable() {
    let bytes = fault(Hook::Panic, 0, 0);
    match Decoder::new(BTreeMap::new(), &[]).decode(&bytes) {
        Some(Event::Undecodable { bytes: kept, reason }) => {
            assert_eq!(kept, bytes);
            assert_eq!(reason, "hook 2 is not attached");
        }
        other => panic!("{other:?}"),
    }
}

/// Bytes that get past the first checks more often than random ones.
fn plausible() -> impl Strategy<Value = Vec<u8>> {
    (
        0_u8..12,
        prop_oneof![
            prop::collection::vec(any::<u8>(), 0..300),
            // As long as a fault, an out-of-memory kill and a signal are.
            prop::collection::vec(any::<u8>(), 320),
            prop::collection::vec(any::<u8>(), 368),
            prop::collection::vec(any::<u8>(), 2136),
        ],
        any::<[u8; 8]>(),
    )
        .prop_map(|(hook, mut bytes, lengths)| {
            if let Some(start) = bytes.get_mut(..4) {
                start.copy_from_slice(&[
                    ABI_VERSION.to_ne_bytes()[0],
                    ABI_VERSION.to_ne_bytes()[1],
                    hook,
                    0,
                ]);
            }
            if let Some(slot) = bytes.get_mut(64..72) {
                // Small lengths of text.
                slot.copy_from_slice(&[lengths[0], 0, 0, 0, lengths[1], 0, 0, 0]);
            }
            bytes
        })
}

proptest! {
    #[test]
    fn any_bytes_are_an_event(bytes in prop_oneof![prop::collection::vec(any::<u8>(), 0..300), plausible()]) {
        match decoder().decode(&bytes) {
            Some(Event::Undecodable { bytes: kept, reason }) => {
                prop_assert_eq!(kept, bytes);
                prop_assert!(!reason.is_empty());
            }
            Some(Event::KernelText { text, .. }) => prop_assert!(text.len() <= TEXT_MAX && text.len() < bytes.len()),
            _ => {}
        }
    }
}

use faults::scrub::{Action, Policy};
use proto::v1::{CrashThread, Custom, Evidence, HardwareError, Obituary, OomKill, UserFrame};

use super::*;

const PHYSICAL: u64 = 0x12_3456_7000;
const POINTER: u64 = 0xffff_8880_1234_5678;

fn all() -> Scrubber {
    Scrubber::new(&Policy::all(Action::Replace)).unwrap()
}

fn field(name: &str, value: event_field::Value) -> EventField {
    EventField {
        name: name.into(),
        value: Some(value),
    }
}

fn of(payload: Payload) -> Record {
    Record {
        payload: Some(payload),
        ..Record::default()
    }
}

#[test]
fn nothing_private_is_left_of_any_payload() {
    let private = "mail alice@example.org of 192.0.2.7 in /home/alice/plan";
    let frame = UserFrame {
        file: "/home/alice/lib.so".into(),
        offset: 0x7f12_3456_7890,
        ..UserFrame::default()
    };
    let crash = ProgramCrash {
        executable: "/home/alice/a.out".into(),
        address: Some(0x7fff_dead_beef),
        frames: vec![frame.clone()],
        threads: vec![CrashThread {
            tid: 1,
            frames: vec![frame],
        }],
        ..ProgramCrash::default()
    };
    let text = |text: &str| field("text", event_field::Value::Text(text.into()));
    let payloads = [
        Payload::KernelReport(KernelReport {
            text: private.into(),
            ..KernelReport::default()
        }),
        Payload::OomKill(OomKill {
            limit_cgroup: "/home/alice/x".into(),
            ..OomKill::default()
        }),
        Payload::ProgramCrash(crash),
        Payload::KernelEvent(KernelEvent {
            fields: vec![text(private)],
            ..KernelEvent::default()
        }),
        Payload::HardwareError(HardwareError {
            fields: vec![text(private)],
            ..HardwareError::default()
        }),
        Payload::Obituary(Obituary {
            evidence: vec![Evidence {
                text: private.into(),
                ..Evidence::default()
            }],
            ..Obituary::default()
        }),
        Payload::Custom(Custom {
            payload: private.into(),
            fields: vec![text(private)],
            ..Custom::default()
        }),
    ];
    for payload in payloads {
        let mut record = of(payload);
        let counts = scrub(&mut record, &all());
        let left = format!("{record:?}");
        assert!(counts.total() > 0, "{left}");
        for word in ["alice", "192.0.2.7", "7fff", "140735"] {
            assert!(!left.contains(word), "{word} in {left}");
        }
    }
}

#[test]
fn physical_addresses_stay_and_addresses_of_memory_go() {
    let number = |name, value| field(name, event_field::Value::Unsigned(value));
    let mut error = of(Payload::HardwareError(HardwareError {
        address: Some(PHYSICAL),
        fields: vec![number("pa", PHYSICAL)],
        ..HardwareError::default()
    }));
    let before = error.clone();
    assert_eq!(scrub(&mut error, &all()).total(), 0);
    assert_eq!(error, before);

    let mut event = of(Payload::KernelEvent(KernelEvent {
        fields: vec![number("skb", POINTER), number("len", 1500)],
        ..KernelEvent::default()
    }));
    assert_eq!(scrub(&mut event, &all()).of(Rule::Pointer), 1);
    let Some(Payload::KernelEvent(event)) = event.payload else {
        unreachable!()
    };
    assert_ne!(event.fields[0], number("skb", POINTER));
    assert_eq!(event.fields[1], number("len", 1500));
}

#[test]
fn a_text_stays_within_its_limit_though_tokens_are_longer() {
    let hash = Policy::all(Action::Hash).key(&[7; 16]);
    let mut record = of(Payload::Custom(Custom {
        payload: "a@b.de ".repeat(CUSTOM_PAYLOAD_BYTES / 7),
        ..Custom::default()
    }));
    record.title = "é".repeat(TITLE_BYTES / 2 - 4) + " a@b.de";
    let counts = scrub(&mut record, &Scrubber::new(&hash).unwrap());
    assert!(counts.of(Rule::Email) > 1000, "{counts:?}");
    assert!(record.title.len() <= TITLE_BYTES, "{}", record.title);
    let Some(Payload::Custom(custom)) = record.payload else {
        unreachable!()
    };
    assert!((CUSTOM_PAYLOAD_BYTES - 4..=CUSTOM_PAYLOAD_BYTES).contains(&custom.payload.len()));
}

#[test]
fn without_rules_nothing_changes() {
    let mut record = of(Payload::Custom(Custom {
        payload: "alice@example.org".into(),
        ..Custom::default()
    }));
    let before = record.clone();
    assert_eq!(
        scrub(&mut record, &Scrubber::new(&Policy::default()).unwrap()).total(),
        0
    );
    assert_eq!(record, before);
}

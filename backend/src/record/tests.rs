use proptest::prelude::*;
use proto::v1::{
    Context, CrashThread, Custom, Evidence, Fingerprint, FingerprintLevel, HardwareError, Heartbeat,
    KernelEvent, Loss, Obituary, OomKill, Precursor, ProgramCrash, UserFrame,
};

use super::*;

fn custom() -> Record {
    Record {
        class: "custom".to_owned(),
        severity: Severity::Low.into(),
        title: "a title".to_owned(),
        payload: Some(Payload::Custom(Custom::default())),
        ..Record::default()
    }
}

fn refused(record: &Record) -> String {
    decode(&record.encode_to_vec()).unwrap_err()
}

#[test]
fn a_good_record_is_understood() {
    assert_eq!(decode(&custom().encode_to_vec()), Ok(custom()));
}

#[test]
fn each_broken_limit_is_named() {
    let mut record = custom();
    record.title = "x".repeat(limits::TITLE_BYTES + 1);
    assert!(refused(&record).contains("title"));

    for class in ["", "Upper", "space d", "nul\0", &"x".repeat(65)] {
        let record = Record {
            class: class.to_owned(),
            ..custom()
        };
        assert!(refused(&record).contains("class"), "{class:?}");
    }

    for severity in [0, 9] {
        let record = Record { severity, ..custom() };
        assert!(refused(&record).contains("severity"), "{severity}");
    }

    let fingerprint = Fingerprint {
        version: 1,
        level: 1,
        value: "G".repeat(32),
    };
    let record = Record {
        fingerprints: vec![fingerprint],
        ..custom()
    };
    assert!(refused(&record).contains("fingerprint"));

    let record = Record {
        payload: None,
        ..custom()
    };
    assert!(refused(&record).contains("payload"));

    let loss = Loss {
        count: u64::MAX,
        ..Loss::default()
    };
    let record = Record {
        payload: Some(Payload::Loss(loss)),
        ..custom()
    };
    assert!(refused(&record).contains("count"));

    assert!(decode(&vec![0; limits::RECORD_BYTES + 1]).is_err());
}

#[test]
fn a_heartbeat_is_no_issue_whatever_it_carries() {
    let fingerprint = Fingerprint {
        level: FingerprintLevel::Title.into(),
        value: "0".repeat(32),
        ..Fingerprint::default()
    };
    let fault = Record {
        fingerprints: vec![fingerprint.clone()],
        ..custom()
    };
    assert_eq!(issue(&fault), Some(&fingerprint));
    for payload in [
        Payload::Heartbeat(Heartbeat::default()),
        Payload::Loss(Loss::default()),
    ] {
        let told = Record {
            payload: Some(payload),
            ..fault.clone()
        };
        assert_eq!(issue(&told), None, "{told:?}");
    }
}

/// Payloads that break one limit each, with its name.
fn beyond_limits() -> [(&'static str, Payload); 8] {
    [
        (
            "tracepoint",
            Payload::KernelEvent(KernelEvent {
                tracepoint: long(129),
                ..KernelEvent::default()
            }),
        ),
        (
            "advice",
            Payload::HardwareError(HardwareError {
                advice: long(513),
                ..HardwareError::default()
            }),
        ),
        (
            "evidence",
            Payload::Obituary(Obituary {
                evidence: vec![Evidence::default(); 33],
                ..Obituary::default()
            }),
        ),
        (
            "demise",
            Payload::Obituary(Obituary {
                demise: 99,
                ..Obituary::default()
            }),
        ),
        (
            "limit_cgroup",
            Payload::OomKill(OomKill {
                limit_cgroup: long(1025),
                ..OomKill::default()
            }),
        ),
        (
            "frames",
            Payload::ProgramCrash(ProgramCrash {
                frames: vec![UserFrame::default(); 65],
                ..ProgramCrash::default()
            }),
        ),
        (
            "threads",
            Payload::ProgramCrash(ProgramCrash {
                threads: vec![CrashThread::default(); 33],
                ..ProgramCrash::default()
            }),
        ),
        (
            "thread.frames",
            Payload::ProgramCrash(ProgramCrash {
                threads: vec![CrashThread {
                    tid: 1,
                    frames: vec![UserFrame::default(); 17],
                }],
                ..ProgramCrash::default()
            }),
        ),
    ]
}

fn long(length: usize) -> String {
    "x".repeat(length)
}

#[test]
fn each_payload_has_its_limits() {
    for (name, payload) in beyond_limits() {
        let record = Record {
            payload: Some(payload),
            ..custom()
        };
        assert!(refused(&record).contains(name), "{name}");
    }
    let record = Record {
        context: Some(Context {
            container_id: long(129),
            ..Context::default()
        }),
        ..custom()
    };
    assert!(refused(&record).contains("container_id"));
    let record = Record {
        precursors: vec![Precursor::default(); 257],
        ..custom()
    };
    assert!(refused(&record).contains("precursors"));
}

proptest! {
    #[test]
    fn any_bytes_are_a_good_record_or_kept_as_they_are(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        if let Err(reason) = decode(&bytes) {
            let stored = undecodable(&Bytes::from(bytes.clone()), &reason).encode_to_vec();
            let Some(Payload::Undecodable(kept)) = decode(&stored).expect("a good record").payload else {
                panic!("not an Undecodable");
            };
            prop_assert_eq!(kept.bytes, bytes);
            prop_assert_eq!(kept.source, "record");
        }
    }

    #[test]
    fn reasons_of_any_length_fit(reason in ".*", length in 0usize..100_000) {
        let record = undecodable(&Bytes::from(vec![7; length]), &reason);
        prop_assert!(decode(&record.encode_to_vec()).is_ok());
    }
}

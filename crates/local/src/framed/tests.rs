use proptest::prelude::*;
use proto::v1::receipt::Outcome;
use proto::v1::{Counted, EventField, RefusalReason, Refused, event_field::Value};

use super::*;

fn submission(payload: &str) -> Submission {
    Submission {
        classification: "org.example/probe/test".into(),
        severity: 2,
        payload_version: 7,
        event_id: "0123456789abcdef0123456789abcdef".into(),
        payload: payload.into(),
        fields: vec![EventField {
            name: "disk".into(),
            value: Some(Value::Text("sda".into())),
        }],
        ..Submission::default()
    }
}

fn understand(bytes: &[u8]) -> Option<Result<Submission, FramedError>> {
    let (length, body) = bytes.strip_prefix(&MAGIC)?.split_first_chunk()?;
    Some(submission_bytes(*length).and_then(|bytes| read_submission(body.get(..bytes).unwrap_or(body))))
}

#[test]
fn a_submission_has_these_bytes() {
    let small = Submission {
        classification: "a/b/c".into(),
        severity: 1,
        payload: "x".into(),
        ..Submission::default()
    };
    let golden = b"TLM1\x0c\0\0\0\x0a\x05a/b/c\x10\x01\x2a\x01x";
    assert_eq!(write_submission(&small).unwrap(), golden);
    assert_eq!(understand(golden), Some(Ok(small)));
}

#[test]
fn a_receipt_has_these_bytes() {
    let kept = Receipt {
        outcome: Some(Outcome::KeptSeq(300)),
    };
    assert_eq!(write_receipt(&kept), b"\x03\0\0\0\x08\xac\x02");
    let counted = Receipt {
        outcome: Some(Outcome::Counted(Counted {})),
    };
    assert_eq!(write_receipt(&counted), b"\x02\0\0\0\x12\0");
    let refused = Receipt {
        outcome: Some(Outcome::Refused(Refused {
            reason: RefusalReason::Quota.into(),
            message: "no".into(),
        })),
    };
    assert_eq!(write_receipt(&refused), b"\x08\0\0\0\x1a\x06\x08\x03\x12\x02no");
    for receipt in [kept, counted, refused] {
        let bytes = write_receipt(&receipt);
        assert_eq!(read_receipt(&bytes[LENGTH_BYTES..]), Ok(receipt));
    }
}

#[test]
fn the_longest_submission_fits() {
    let fields = (0..FIELDS).map(|n| EventField {
        name: format!("{n:n<FIELD_NAME_BYTES$}"),
        value: Some(Value::Text("v".repeat(FIELD_VALUE_BYTES))),
    });
    let longest = Submission {
        classification: format!("{}/{}/{}", "a".repeat(40), "b".repeat(40), "c".repeat(40)),
        payload_version: u32::MAX,
        fields: fields.collect(),
        ..submission(&"p".repeat(CUSTOM_PAYLOAD_BYTES))
    };
    let bytes = write_submission(&longest).unwrap();
    assert!(bytes.len() - HEAD_BYTES <= SUBMISSION_BYTES);
    assert_eq!(understand(&bytes), Some(Ok(longest)));
}

#[test]
fn each_mistake_has_its_own_answer() {
    let most = u32::try_from(SUBMISSION_BYTES).unwrap();
    assert_eq!(submission_bytes(most.to_le_bytes()), Ok(SUBMISSION_BYTES));
    assert_eq!(
        submission_bytes((most + 1).to_le_bytes()),
        Err(FramedError::SubmissionBytes(most + 1))
    );
    assert_eq!(
        receipt_bytes(u32::MAX.to_le_bytes()),
        Err(FramedError::ReceiptBytes(u32::MAX))
    );
    assert!(matches!(read_submission(&[0xff; 9]), Err(FramedError::Decode(_))));
    assert_eq!(read_submission(b""), Err(ValueError::Classification.into()));
    // An outcome that a later version may have.
    assert_eq!(read_receipt(b"\x42\0"), Err(FramedError::NoOutcome));
    let silent = Submission {
        classification: String::new(),
        ..submission("p")
    };
    assert_eq!(write_submission(&silent), Err(ValueError::Classification));
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(payload in "[^\\x00]{0,2000}", severity in 1i32..5, payload_version: u32) {
        let sent = Submission { severity, payload_version, ..submission(&payload) };
        let bytes = write_submission(&sent).unwrap();
        prop_assert_eq!(understand(&bytes), Some(Ok(sent)));
    }

    #[test]
    fn garbage_is_an_error_and_never_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let _outcome = read_submission(&bytes);
        let _outcome = read_receipt(&bytes);
    }

    #[test]
    fn a_damaged_message_is_never_a_panic(at: prop::sample::Index, byte: u8, keep: prop::sample::Index) {
        let mut damaged = write_submission(&submission("payload")).unwrap();
        let length = damaged.len();
        damaged[at.index(length)] = byte;
        damaged.truncate(keep.index(length) + 1);
        let _outcome = understand(&damaged);
    }
}

use proptest::prelude::*;

use super::*;

fn submission(payload: &str) -> Submission {
    Submission {
        classification: "org.example/probe/test".into(),
        severity: 2,
        payload_version: 7,
        event_id: "0123456789abcdef0123456789abcdef".into(),
        payload: payload.into(),
        ..Submission::default()
    }
}

fn bytes(submission: &Submission) -> Vec<u8> {
    write(submission, &Facts::default()).unwrap()
}

fn parse_all(bytes: &[u8]) -> Result<Submission, FrameError> {
    let (first, body) = bytes.split_first_chunk::<4>().ok_or(FrameError::Short("size"))?;
    let size = size(*first)?;
    let frame = parse(body.get(..size - 4).ok_or(FrameError::Short("body"))?)?;
    Ok(frame.submission)
}

#[test]
fn a_frame_of_libtelemetry_is_understood() {
    // Written out by hand, so that `write` and `parse` cannot agree on a mistake.
    let header = "record_format_version: 4\nclassification: a.b/c/d\nseverity: 3\nmachine_id: FFFFFFFF\n\
        creation_timestamp: 1\narch: x86_64\nhost_type: a|b|c\nbuild: 1\nkernel_version: 6.1\n\
        payload_format_version: 2\nsystem_name: x\nboard_name: y|z\ncpu_model: Intel(R) CPU: fast\n\
        bios_version: 1\nevent_id: 00000000000000000000000000000000\n";
    let mut body = b"CFG:/etc/x.conf\0".to_vec();
    body.extend_from_slice(&u32::try_from(header.len()).unwrap().to_ne_bytes());
    body.extend_from_slice(header.as_bytes());
    body.extend_from_slice(b"hello\n\0");
    let Frame {
        submission: found,
        names_config,
    } = parse(&body).unwrap();
    assert!(names_config);
    assert_eq!(found.classification, "a.b/c/d");
    assert_eq!((found.severity, found.payload_version), (3, 2));
    assert_eq!(found.payload, "hello\n");
}

#[test]
fn the_documented_payload_limit_works_to_its_last_byte() {
    for length in [0, 1, 8186, 8187, 8188, 8191, 8192] {
        let sent = submission(&"x".repeat(length));
        assert_eq!(parse_all(&bytes(&sent)).unwrap(), sent, "{length}");
    }
    let long = write(&submission(&"x".repeat(8193)), &Facts::default());
    assert_eq!(long, Err(FrameError::Payload(8193)));
}

#[test]
fn a_record_without_an_event_id_stays_without() {
    let sent = Submission {
        event_id: String::new(),
        ..submission("p")
    };
    assert_eq!(parse_all(&bytes(&sent)).unwrap(), sent);
}

#[test]
fn older_record_formats_have_fewer_headers() {
    let text = header_text(&submission(""), &Facts::default());
    let header: String = text.split_inclusive('\n').take(9).collect();
    let mut body = u32::try_from(header.len()).unwrap().to_ne_bytes().to_vec();
    body.extend_from_slice(header.as_bytes());
    body.extend_from_slice(b"p\0");
    let found = parse(&body).unwrap().submission;
    assert_eq!((found.payload_version, found.event_id.as_str()), (1, ""));
}

#[test]
fn each_mistake_has_its_own_answer() {
    let good = bytes(&submission("p"));
    let body = &good[4..];
    assert_eq!(size(3u32.to_ne_bytes()), Err(FrameError::Size(3)));
    assert_eq!(size(u32::MAX.to_ne_bytes()), Err(FrameError::Size(u32::MAX)));
    assert_eq!(parse(b""), Err(FrameError::Short("header size")));
    assert_eq!(parse(b"CFG:/x"), Err(FrameError::Short("configuration path")));
    assert_eq!(parse(&[255; 20]), Err(FrameError::HeaderSize(u32::MAX)));
    assert_eq!(parse(&body[..body.len() - 1]), Err(FrameError::Nul));
    assert_eq!(parse(&[body, b"\0"].concat()), Err(FrameError::Nul));
    let swapped = String::from_utf8_lossy(body).replace("severity", "SEVERITY");
    assert_eq!(parse(swapped.as_bytes()), Err(FrameError::Header("severity")));
    let severe = String::from_utf8_lossy(body).replace("severity: 2", "severity: 5");
    assert_eq!(parse(severe.as_bytes()), Err(ValueError::Severity.into()));
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(
        payload in "[^\\x00]{0,2000}",
        severity in 1i32..5,
        payload_version: u32,
        classification in "[a-z.]{1,41}/[a-z-]{1,38}/[A-Z0-9]{1,38}",
        with_id: bool,
    ) {
        prop_assume!(payload.len() <= PAYLOAD_BYTES);
        let event_id = if with_id { "a".repeat(32) } else { "0".repeat(32) };
        let sent = Submission { classification, severity, payload_version, event_id, payload, ..Submission::default() };
        prop_assert_eq!(parse_all(&bytes(&sent)).unwrap(), sent);
    }

    #[test]
    fn garbage_is_an_error_and_never_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let _outcome = parse(&bytes);
        let _outcome = parse_all(&bytes);
    }

    #[test]
    fn a_damaged_frame_is_never_a_panic(at: prop::sample::Index, byte: u8, keep: prop::sample::Index) {
        let mut damaged = bytes(&submission("payload"));
        let length = damaged.len();
        damaged[at.index(length)] = byte;
        damaged.truncate(keep.index(length) + 1);
        let _outcome = parse_all(&damaged);
    }
}

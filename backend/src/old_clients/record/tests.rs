use axum::http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;

use super::*;

/// What a client of version 2.3.5 sends.
fn sent() -> Vec<(&'static str, &'static str)> {
    vec![
        ("record_format_version", "4"),
        ("classification", "org.clearlinux/kernel/warning"),
        ("severity", "2"),
        ("machine_id", "c75e2f6cdd4d2a4e8f1b5b1c9a6e4f3d"),
        ("creation_timestamp", "1504828222"),
        ("arch", "x86_64"),
        ("host_type", "innotek GmbH|VirtualBox|1.2"),
        ("build", "17780"),
        ("kernel_version", "4.12.10-374.native"),
        ("payload_format_version", "1"),
        ("system_name", "clear-linux-os"),
        ("board_name", "VirtualBox|Oracle Corporation"),
        ("cpu_model", "Intel(R) Core(TM) i7-5650U CPU @ 2.20GHz"),
        ("bios_version", "VirtualBox"),
        ("event_id", "39cc109a1079df96376693ebc7a0f632"),
    ]
}

fn headers(fields: &[(&str, &str)]) -> HeaderMap {
    let header = |(name, value): &(&str, &str)| {
        let name: HeaderName = name.parse().expect("a name");
        (name, HeaderValue::from_str(value).expect("a value"))
    };
    fields.iter().map(header).collect()
}

fn wrong(name: &str, value: &str) -> String {
    let mut fields = sent();
    for field in &mut fields {
        if field.0 == name {
            field.1 = value;
        }
    }
    let Wrong(message) = OldRecord::of_headers(&headers(&fields), b"").expect_err("it is wrong");
    message
}

#[test]
fn fields_and_payload_become_a_record_and_a_host() {
    let record = OldRecord::of_headers(&headers(&sent()), "Stack für\n".as_bytes()).expect("a record");
    let host = record.host();
    assert_eq!(
        (host.product.as_str(), host.board.as_str()),
        ("innotek GmbH VirtualBox", "VirtualBox Oracle Corporation")
    );
    assert_eq!(host.os_build, "17780");
    let stored = record.record(true);
    assert_eq!(stored.title, "org.clearlinux/kernel/warning");
    assert_eq!(stored.occurred_at_unix_ns, 1_504_828_222_000_000_000);
    let Some(Payload::Custom(custom)) = stored.payload else {
        panic!("{stored:?}");
    };
    assert_eq!(custom.payload, "Stack für\n");
    assert_eq!(custom.fields[0].name, "external");
}

#[test]
fn hyphens_are_as_good_as_underscores_and_quotes_go() {
    let fields: Vec<(String, &str)> = sent()
        .into_iter()
        .map(|(name, value)| (name.replace('_', "-"), value))
        .map(|(name, value)| {
            if name == "build" {
                (name, "\"17780\"")
            } else {
                (name, value)
            }
        })
        .collect();
    let fields: Vec<(&str, &str)> = fields
        .iter()
        .map(|(name, value)| (name.as_str(), *value))
        .collect();
    let hyphens = OldRecord::of_headers(&headers(&fields), b"x").expect("a record");
    let underscores = OldRecord::of_headers(&headers(&sent()), b"x").expect("a record");
    assert_eq!(hyphens.digest(), underscores.digest());
    let other = OldRecord::of_headers(&headers(&sent()), b"y").expect("a record");
    assert_ne!(other.digest(), underscores.digest());
    assert_eq!(other.sender().agent_id, underscores.sender().agent_id);
}

#[test]
fn a_body_that_is_no_utf_8_is_latin_1() {
    let record = OldRecord::of_headers(&headers(&sent()), b"caf\xe9").expect("a record");
    assert_eq!(record.payload, "café");
}

#[test]
fn each_mistake_is_told_by_its_field() {
    assert_eq!(
        wrong("record_format_version", "5"),
        "record_format_version is not 1 to 4"
    );
    assert_eq!(wrong("severity", "0"), "severity is not 1 to 4");
    assert_eq!(wrong("severity", "+1"), "severity has more than 1 bytes");
    assert_eq!(
        wrong("classification", "a/b"),
        "classification is not DOMAIN/PROBE/REST"
    );
    assert_eq!(wrong("machine_id", ""), "machine_id is missing");
    assert_eq!(
        wrong("machine_id", "<b>or any text</b>"),
        "machine_id is not letters, digits and . _ -"
    );
    assert_eq!(
        wrong("creation_timestamp", "-1"),
        "creation_timestamp is no number of seconds since 1970"
    );
    assert_eq!(
        wrong("event_id", "39CC109A1079DF96376693EBC7A0F632"),
        "event_id is not 32 lower-case hexadecimal digits"
    );
    let long = vec![b'x'; limits::CUSTOM_PAYLOAD_BYTES + 1];
    let Wrong(message) = OldRecord::of_headers(&headers(&sent()), &long).expect_err("too long");
    assert_eq!(message, "the payload has more than 65536 bytes");
}

#[test]
fn what_a_format_does_not_have_is_not_asked_for() {
    let mut fields = sent();
    fields[0].1 = "2";
    fields.truncate(11);
    let record = OldRecord::of_headers(&headers(&fields), b"").expect("version 2");
    assert_eq!(record.host().bios, "");
    fields[0].1 = "3";
    let Wrong(message) = OldRecord::of_headers(&headers(&fields), b"").expect_err("version 3 has boards");
    assert_eq!(message, "board_name is missing");
}

proptest! {
    #[test]
    fn any_body_is_answered(body: Vec<u8>, json in "\\PC{0,200}") {
        OldRecord::of_json(&body).ok();
        OldRecord::of_json(json.as_bytes()).ok();
        OldRecord::of_headers(&headers(&sent()), &body).ok();
    }

    #[test]
    fn whatever_is_taken_is_within_the_limits_of_the_wire(values in prop::array::uniform15("[ -~]{0,40}"), payload in "\\PC{0,80}") {
        let mut object: serde_json::Map<String, Value> = FIELDS
            .iter()
            .zip(values)
            .map(|((name, ..), value)| ((*name).to_owned(), Value::String(value)))
            .collect();
        object.insert("record_format_version".to_owned(), json!("1"));
        object.insert("severity".to_owned(), json!(3));
        object.insert("machine_id".to_owned(), json!("my-machine"));
        object.insert("creation_timestamp".to_owned(), json!("1504828222"));
        object.insert("classification".to_owned(), json!("a/b/c"));
        object.insert("event_id".to_owned(), json!(""));
        object.insert("payload".to_owned(), json!(payload));
        object.insert("payload_format_version".to_owned(), Value::Null);
        if let Ok(record) = OldRecord::of_json(&serde_json::to_vec(&object).expect("JSON")) {
            prop_assert!(crate::record::check::host(&record.host()).is_ok());
            let encoded = prost::Message::encode_to_vec(&record.record(false));
            prop_assert!(crate::record::decode(&encoded).is_ok());
        }
    }
}

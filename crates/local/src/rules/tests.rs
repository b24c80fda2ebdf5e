use super::*;

fn submission() -> Submission {
    Submission {
        classification: "org.example/probe/test".into(),
        severity: Severity::Medium.into(),
        ..Submission::default()
    }
}

fn field(name: &str, value: Option<Value>) -> EventField {
    EventField {
        name: name.into(),
        value,
    }
}

fn with_fields(fields: Vec<EventField>) -> Submission {
    Submission {
        fields,
        ..submission()
    }
}

#[test]
fn classifications_follow_the_grammar() {
    for good in [
        "a/b/c",
        "org.clearlinux/hello/world",
        &format!("{}/{}/c", "a".repeat(41), "b".repeat(40)),
    ] {
        check_classification(good).unwrap();
    }
    let long = format!("a/{}/c", "b".repeat(41));
    for bad in [
        "",
        "a",
        "a/b",
        "a/b/c/d",
        "a//c",
        "/b/c",
        "a/b/",
        "a/b c/d",
        "a/b/é",
        long.as_str(),
    ] {
        assert_eq!(
            check_classification(bad),
            Err(ValueError::Classification),
            "{bad}"
        );
    }
}

#[test]
fn a_severity_is_one_of_four() {
    for severity in 1..=4 {
        let submission = Submission {
            severity,
            ..submission()
        };
        check(&submission).unwrap();
    }
    for severity in [-1, 0, 5] {
        let submission = Submission {
            severity,
            ..submission()
        };
        assert_eq!(check(&submission), Err(ValueError::Severity));
    }
}

#[test]
fn a_payload_is_text_up_to_its_limit() {
    let longest = "x".repeat(CUSTOM_PAYLOAD_BYTES);
    check_payload(&longest).unwrap();
    let longer = longest + "x";
    assert_eq!(
        check_payload(&longer),
        Err(ValueError::PayloadBytes(CUSTOM_PAYLOAD_BYTES + 1))
    );
    assert_eq!(check_payload("a\0b"), Err(ValueError::PayloadNul));
}

#[test]
fn fields_have_names_of_their_own_and_values_within_their_limit() {
    let number = Some(Value::Unsigned(1));
    let longest = Some(Value::Text("x".repeat(FIELD_VALUE_BYTES)));
    let most = (0..FIELDS).map(|n| field(&format!("f{n}"), longest.clone()));
    check(&with_fields(most.collect())).unwrap();

    let many = (0..=FIELDS).map(|n| field(&format!("f{n}"), number.clone()));
    assert_eq!(
        check(&with_fields(many.collect())),
        Err(ValueError::Fields(FIELDS + 1))
    );
    let twice = with_fields(vec![field("a", number.clone()), field("a", number.clone())]);
    assert_eq!(check(&twice), Err(ValueError::FieldTwice("a".into())));
    for name in ["", "a b", "é", "a=b", &"n".repeat(FIELD_NAME_BYTES + 1)] {
        let wrong = with_fields(vec![field(name, number.clone())]);
        assert_eq!(check(&wrong), Err(ValueError::FieldName), "{name}");
    }
    let empty = with_fields(vec![field("a", None)]);
    assert_eq!(check(&empty), Err(ValueError::FieldEmpty("a".into())));
    let long = Value::Bytes(vec![0; FIELD_VALUE_BYTES + 1].into());
    let long = with_fields(vec![field("a", Some(long))]);
    assert_eq!(check(&long), Err(ValueError::FieldBytes("a".into())));
}

//! What is asked for is found, and nothing else.

use axum::http::StatusCode;
use backend::{access::Anonymous, store::Sender};
use proto::v1::{Custom, FaultFilter, FingerprintLevel, Heartbeat, Record, Severity, record::Payload};
use tokio_util::sync::CancellationToken;

use crate::issues::get;
use crate::support::{Database, fingerprint, host, record, sender};

/// An oops and a warning of one title, a custom record and a heartbeat.
pub(crate) fn faults() -> [Record; 4] {
    let levels = |deeper: &str| {
        vec![
            fingerprint(FingerprintLevel::Title, &"a".repeat(32)),
            fingerprint(FingerprintLevel::TopFrames, &deeper.repeat(32)),
        ]
    };
    let fault = |class: &str, severity: Severity, deeper: &str| Record {
        class: class.to_owned(),
        severity: severity.into(),
        title: "a fault".to_owned(),
        fingerprints: levels(deeper),
        ..record(class)
    };
    [
        fault("kernel.oops", Severity::High, "b"),
        Record {
            kernel_release: "5.10.0-own".to_owned(),
            ..fault("kernel.warning", Severity::Medium, "c")
        },
        record("custom"),
        Record {
            payload: Some(Payload::Heartbeat(Heartbeat::default())),
            ..record("")
        },
    ]
}

/// They, from a host of that name.
pub(crate) async fn deliver_faults(db: &Database, sender: &Sender, hostname: &str) {
    let host = proto::v1::Host {
        hostname: hostname.to_owned(),
        ..host()
    };
    db.store.hello(sender, &host, "1").await.unwrap();
    db.deliver(sender, &faults()).await;
}

#[tokio::test]
async fn filters_choose() {
    let Some(db) = Database::new("filters_choose").await else {
        return;
    };
    let (one, two) = (sender(), sender());
    deliver_faults(&db, &one, "one").await;
    deliver_faults(&db, &two, "two").await;
    let class = |class: &str| FaultFilter {
        class: class.to_owned(),
        ..FaultFilter::default()
    };
    let host = |host: &str| FaultFilter {
        host: host.to_owned(),
        ..FaultFilter::default()
    };
    let kernel = |release: &str| FaultFilter {
        kernel_release: release.to_owned(),
        ..FaultFilter::default()
    };
    let fingerprint = |digit: &str| FaultFilter {
        fingerprint: digit.repeat(32),
        ..FaultFilter::default()
    };
    let severe = FaultFilter {
        min_severity: Severity::High.into(),
        ..FaultFilter::default()
    };
    let cases = [
        ("all", FaultFilter::default(), 6),
        (
            "housekeeping too",
            FaultFilter {
                include_housekeeping: true,
                ..FaultFilter::default()
            },
            8,
        ),
        ("a prefix", class("kernel."), 4),
        ("a class", class("kernel.oops"), 2),
        ("all of a family", class("kernel.*"), 4),
        ("a class of older systems", class("kernel/oops"), 2),
        ("a class that nobody knows", class("kernel.of_tomorrow"), 0),
        ("a severity", severe, 2),
        ("a host", host("one"), 3),
        ("an agent", host(&two.agent_id.to_string()), 3),
        ("another host", host("three"), 0),
        ("the record's kernel", kernel("5.10.0-own"), 2),
        ("the host's kernel", kernel("6.1.0-test"), 4),
        ("a title's fingerprint", fingerprint("a"), 4),
        ("a deeper fingerprint", fingerprint("b"), 2),
        ("the same in capitals", fingerprint("B"), 2),
        ("an unknown fingerprint", fingerprint("d"), 0),
        (
            "several at once",
            FaultFilter {
                host: "one".to_owned(),
                class: "kernel.".to_owned(),
                ..fingerprint("b")
            },
            1,
        ),
    ];
    for (what, filter, count) in cases {
        assert_eq!(
            db.store.list_faults(&filter, 0, "").await.unwrap().faults.len(),
            count,
            "{what}"
        );
    }
}

#[tokio::test]
async fn the_filter_language_chooses() {
    let Some(db) = Database::new("the_filter_language_chooses").await else {
        return;
    };
    let (one, two) = (sender(), sender());
    deliver_faults(&db, &one, "web-1").await;
    deliver_faults(&db, &two, "db_1").await;
    let found = async |query: &str| {
        let filter = FaultFilter {
            query: query.to_owned(),
            ..FaultFilter::default()
        };
        let page = db.store.list_faults(&filter, 0, "").await;
        page.map(|page| page.faults.len())
    };
    let agent = format!("host:{}", two.agent_id);
    let issue = format!("issue:{}", "a".repeat(32));
    let deeper = format!("fingerprint:{}", "B".repeat(32));
    for (query, count) in [
        ("", 6),
        ("fault", 4),
        ("\"A FAULT\"", 4),
        ("-fault", 2),
        ("class:kernel.*", 4),
        ("class:kernel/oops", 2),
        ("class:*oops severity:high", 2),
        ("severity<high severity>1", 2),
        ("kernel:5.10.*", 2),
        ("host:web-*", 3),
        ("host:web-1", 3),
        (&agent, 3),
        ("host:db%1", 0),
        ("host:web-1 or host:db_1", 6),
        ("-(host:web-1 or class:custom)", 2),
        (&issue, 4),
        (&deeper, 2),
        ("-model:* or arch:sparc", 0),
        ("build:\"\"x", 0),
        ("payload:custom", 2),
        ("payload:\"a fault\"", 4),
        ("payload:\"A fault\"", 0),
        ("payload:kernel.*ing", 2),
        ("payload:\"kernel.*ing\"", 0),
        ("payload:kernel_oops", 0),
        ("-payload:fault", 2),
        ("after:-1h", 6),
        ("before:-1h", 0),
        ("before:2020-01-01", 0),
        ("housekeeping:true", 2),
        ("housekeeping:true or fault", 6),
        ("os:* cpu:* bios:*", 6),
    ] {
        match found(query).await {
            Ok(number) => assert_eq!(number, count, "{query}"),
            Err(error) => assert!(
                count == 0 && error.to_string().contains("column"),
                "{query}: {error}"
            ),
        }
    }
    let error = found("fault kernl:6.1").await.unwrap_err().to_string();
    assert!(
        error.contains("query, column 7: there is no key kernl; did you mean kernel?"),
        "{error}"
    );

    // Those that are merged into an issue are of it.
    let sql = db.sql().await;
    let other = "b".repeat(32);
    sql.execute("INSERT INTO triage (issue) VALUES ($1::text::uuid)", &[&other])
        .await
        .unwrap();
    sql.execute(
        "UPDATE triage SET merged_into = $1::text::uuid WHERE issue <> $1::text::uuid",
        &[&other],
    )
    .await
    .unwrap();
    assert_eq!(found(&format!("issue:{other}")).await.unwrap(), 4);
    assert_eq!(found(&format!("-issue:{other}")).await.unwrap(), 2);
}

#[tokio::test]
async fn records_of_an_event_are_found_by_it() {
    let Some(db) = Database::new("records_of_an_event_are_found_by_it").await else {
        return;
    };
    let (one, other) = (
        "39cc109a1079df96376693ebc7a0f632",
        "00cc109a1079df96376693ebc7a0f632",
    );
    let of_event = |event_id: &str| {
        let custom = Custom {
            classification: "a/b/c".to_owned(),
            event_id: event_id.to_owned(),
            ..Custom::default()
        };
        Record {
            payload: Some(Payload::Custom(custom)),
            ..record("")
        }
    };
    for _host in 0..2 {
        db.tell(&[one, other, "", "no event at all"].map(of_event)).await;
    }
    for (query, count) in [
        (format!("event:{one}"), 2),
        (format!("-event:{one}"), 6),
        (format!("event:{one} or event:{other}"), 4),
        (format!("event:{}", "1".repeat(32)), 0),
    ] {
        let filter = FaultFilter {
            query: query.clone(),
            ..FaultFilter::default()
        };
        let page = db.store.list_faults(&filter, 0, "").await.unwrap();
        assert_eq!(page.faults.len(), count, "{query}");
    }
}

#[tokio::test]
async fn a_class_is_asked_for_as_it_is_stored_and_a_mistake_is_told_with_its_column() {
    let test = "a_class_is_asked_for_as_it_is_stored_and_a_mistake_is_told_with_its_column";
    let Some(db) = Database::new(test).await else {
        return;
    };
    let of_class = |class: &str| Record {
        class: class.to_owned(),
        ..record("")
    };
    db.tell(&["hardware", "hardware.memory", "custom"].map(of_class))
        .await;
    let router = db.router(Anonymous::Admin, &CancellationToken::new());
    for (asked, count) in [
        ("class=hardware", 1),
        ("class=hardware.*", 1),
        ("q=class:hardware", 1),
        ("q=a%09custom%0Arecord", 3),
    ] {
        let (status, found) = get(&router, &format!("/api/v1/faults?{asked}")).await;
        assert_eq!(status, StatusCode::OK, "{asked}: {found}");
        assert_eq!(found["faults"].as_array().unwrap().len(), count, "{asked}");
    }
    for (wrong, told) in [
        (
            "q=a%00b".to_owned(),
            "column 2: control characters are not allowed",
        ),
        (
            format!("q={}", "x".repeat(2049)),
            "column 2049: a filter has at most 2048 bytes",
        ),
    ] {
        let (status, problem) = get(&router, &format!("/api/v1/faults?{wrong}")).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert!(problem["detail"].as_str().unwrap().ends_with(told), "{problem}");
    }
}

//! A PostgreSQL, a database and a collector for each test, and what is sent and asked.

mod collector;
pub(crate) mod fetch;
mod postgres;
pub(crate) mod program;
pub(crate) mod python;

use std::time::Duration;

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Request, StatusCode},
};
use backend::store::Sender;
use bytes::Bytes;
use prost::Message as _;
use prost_types::FieldMask;
use proto::v1::{
    Batch, Custom, Fingerprint, FingerprintLevel, Hello, Host, Record, Severity, record::Payload,
};
use tower::ServiceExt as _;
use uuid::Uuid;

pub(crate) use self::collector::{Collector, Stream};
pub(crate) use self::postgres::{Database, Postgres, postgres_is_installed};

/// How long a test waits for anything.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// What clients of Clear Linux are set up with in their shipped configuration, or with another one like it.
pub(crate) const TELEMETRY_ID: &str = "6907c830-eed9-4ce9-81ae-76daf8d88f0f";

/// What a page says; it has to be there.
pub(crate) async fn get(router: &Router, address: &str) -> String {
    let (status, text) = ask(
        router,
        Request::get(address).body(Body::empty()).expect("an address"),
    )
    .await;
    assert_eq!(status, StatusCode::OK, "{address}");
    text
}

/// A page has all these words.
pub(crate) fn assert_says(page: &str, all: &[&str]) {
    for words in all {
        assert!(page.contains(words), "{words:?} is missing in:\n{page}");
    }
}

/// The status of an answer, and its text.
pub(crate) async fn ask(router: &Router, request: Request<Body>) -> (StatusCode, String) {
    let response = router.clone().oneshot(request).await.expect("a router answers");
    let status = response.status();
    let body = to_bytes(response.into_body(), 1 << 24).await.expect("a body");
    (status, String::from_utf8(body.to_vec()).expect("text"))
}

pub(crate) fn hello(sender: &Sender) -> Hello {
    Hello {
        agent_id: Bytes::copy_from_slice(sender.agent_id.as_bytes()),
        epoch: Bytes::copy_from_slice(sender.epoch.as_bytes()),
        host: Some(host()),
        agent_version: "0.1.0".to_owned(),
    }
}

pub(crate) fn host() -> Host {
    Host {
        hostname: "host\0with-nul".to_owned(),
        kernel_release: "6.1.0-test".to_owned(),
        cpus: 2,
        memory_bytes: 1 << 34,
        ..Host::default()
    }
}

pub(crate) fn sender() -> Sender {
    Sender::new(Uuid::new_v4(), Uuid::new_v4(), "6.1.0-test")
}

/// A custom record that is told from others by its payload.
pub(crate) fn record(payload: &str) -> Record {
    Record {
        occurred_at_unix_ns: 1_700_000_000_000_000_000,
        class: "custom".to_owned(),
        severity: Severity::Low.into(),
        title: "a custom record".to_owned(),
        payload: Some(Payload::Custom(Custom {
            payload: payload.to_owned(),
            ..Custom::default()
        })),
        ..Record::default()
    }
}

/// What makes a record one of an issue.
pub(crate) fn of_issue(issue: &str) -> Vec<Fingerprint> {
    vec![fingerprint(FingerprintLevel::Title, issue)]
}

/// By the present rules, with these 32 digits.
pub(crate) fn fingerprint(level: FingerprintLevel, value: &str) -> Fingerprint {
    Fingerprint {
        version: 1,
        level: level.into(),
        value: value.to_owned(),
    }
}

/// A batch of custom records whose payloads are their sequences.
pub(crate) fn batch(first_seq: u64, count: u64) -> Batch {
    let records = (first_seq..first_seq + count)
        .map(|seq| encoded(&record(&seq.to_string())))
        .collect();
    Batch { first_seq, records }
}

/// The fields that are asked for, with commas between them.
pub(crate) fn mask(paths: &str) -> FieldMask {
    let paths = paths.split(',').map(str::to_owned).collect();
    FieldMask { paths }
}

pub(crate) fn encoded(record: &Record) -> Bytes {
    record.encode_to_vec().into()
}

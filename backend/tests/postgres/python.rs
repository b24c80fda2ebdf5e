//! Programs of another language ask: Python, with what its own tools make of reflection.

use std::process::{Command, Stdio};

use axum::{
    body::{Body, to_bytes},
    http::Request,
};
use backend::access::Anonymous;
use proto::v1::{Batch, Record, Severity};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use crate::support::{Collector, Database, PATIENCE, encoded, of_issue, python::python, record};

/// As of 2026; the client uses none of their newer features.
const GRPC: [&str; 2] = ["grpcio==1.85.1", "grpcio-reflection==1.85.1"];
/// It has the schema of `OpenAPI` 3.1.
const VALIDATOR: [&str; 1] = ["openapi-spec-validator==0.9.0"];
const CLIENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/client.py");

fn oops(number: u64) -> Record {
    Record {
        class: "kernel.oops".to_owned(),
        severity: Severity::High.into(),
        title: format!("oops {number}"),
        fingerprints: of_issue(&"0a".repeat(16)),
        ..record("")
    }
}

/// What the client has found is what was delivered.
fn assert_as_delivered(found: &Value) {
    let custom = "a custom record";
    assert_eq!(
        found["tailed"], "the latest",
        "what was there before is not tailed"
    );
    assert_eq!(
        found["all"],
        json!([
            "the latest",
            "oops 6",
            "oops 5",
            custom,
            "oops 3",
            "oops 2",
            custom
        ])
    );
    assert_eq!(found["filtered"], json!(["oops 6", "oops 5", "oops 3", "oops 2"]));
    let refused = found["refused"].as_str().unwrap();
    assert!(
        refused.starts_with("INVALID_ARGUMENT: ") && refused.contains("column 1: there is no key kernl"),
        "{refused}"
    );
    assert_eq!(
        (&found["issue"], &found["history"]),
        (&json!("ISSUE_STATE_RESOLVED"), &json!("python"))
    );
    assert_eq!(found["hosts"], json!(["host\u{fffd}with-nul"]));
    let services = found["services"].as_array().unwrap();
    for service in ["Hosts", "Issues", "Query", "Statistics"] {
        assert!(
            services.contains(&json!(format!("telemetry.v1.{service}"))),
            "{services:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_python_client_lists_tails_and_filters_through_reflection() {
    let test = "a_python_client_lists_tails_and_filters_through_reflection";
    let Some(db) = Database::new(test).await else {
        return;
    };
    let Some(python) = python(test, &GRPC) else {
        return;
    };
    let records = [record("1"), oops(2), oops(3), record("4"), oops(5)];
    let sender = db.tell(&records).await;
    let collector = Collector::start(&db).await;

    let mut client = tokio::process::Command::new(python)
        .args([CLIENT, &collector.grpc.to_string()])
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("python starts");
    let mut lines = BufReader::new(client.stdout.take().unwrap()).lines();
    let mut line = async || {
        let line = tokio::time::timeout(PATIENCE, lines.next_line()).await;
        line.expect("in time")
            .unwrap()
            .expect("not the end: its stderr says why")
    };
    assert_eq!(line().await, "tailing");
    let latest = Record {
        title: "the latest".to_owned(),
        ..record("6")
    };
    let later = Batch {
        first_seq: 6,
        records: vec![encoded(&oops(6)), encoded(&latest)],
    };
    db.store.deliver(&sender, later).await.unwrap();

    let found: Value = serde_json::from_str(&line().await).expect("JSON");
    assert!(client.wait().await.unwrap().success());
    assert_as_delivered(&found);
    collector.stop().await;
}

#[tokio::test]
async fn the_description_of_the_api_is_valid_openapi() {
    let test = "the_description_of_the_api_is_valid_openapi";
    let Some(db) = Database::new(test).await else {
        return;
    };
    let Some(python) = python(test, &VALIDATOR) else {
        return;
    };
    let router = db.router(Anonymous::Admin, &CancellationToken::new());
    let request = Request::get("/api/v1/openapi.json").body(Body::empty()).unwrap();
    let answer = router.oneshot(request).await.unwrap();
    let document = to_bytes(answer.into_body(), 1 << 24).await.unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), document).unwrap();
    let output = Command::new(python)
        .args(["-m", "openapi_spec_validator", "--schema", "3.1"])
        .arg(file.path())
        .output()
        .expect("python starts");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
}

//! Records as files, and as old scripts ask for them.

use std::{
    io::{BufReader, Read as _},
    process::{Command, Stdio},
};

use axum::{
    body::{Body, to_bytes},
    http::{HeaderMap, Request, StatusCode, header},
};
use backend::access::Anonymous;
use bytes::Bytes;
use parquet::{
    file::reader::{FileReader as _, SerializedFileReader},
    record::RowAccessor as _,
};
use proto::v1::{Custom, Host, KernelReport, Record, Severity, record::Payload};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use crate::support::{Database, batch, host, of_issue, record, sender};

/// The issue of an exported oops.
const ISSUE: &str = "00112233445566778899aabbccddee0a";

/// Records of the large export.
const MANY: i64 = 200_000;
/// What a program that exports them may take, KiB: unoptimized, with all that it is linked with.
const MEMORY_KIB: u64 = 160 * 1024;

async fn get(db: &Database, address: &str) -> (StatusCode, HeaderMap, Bytes) {
    let router = db.router(Anonymous::Admin, &CancellationToken::new());
    let request = Request::get(address).body(Body::empty()).unwrap();
    let (parts, body) = router.oneshot(request).await.unwrap().into_parts();
    let body = to_bytes(body, 1 << 24).await.unwrap();
    (parts.status, parts.headers, body)
}

async fn get_json(db: &Database, address: &str) -> (StatusCode, Value) {
    let (status, _, body) = get(db, address).await;
    (status, serde_json::from_slice(&body).unwrap())
}

/// An oops with its text, and a record of a program with a title that a spreadsheet would run.
async fn tell(db: &Database) {
    let sender = sender();
    let told = Host {
        hostname: "web-07".to_owned(),
        os_build: "42".to_owned(),
        ..host()
    };
    db.store.hello(&sender, &told, "1").await.unwrap();
    let oops = Record {
        fingerprints: of_issue(ISSUE),
        class: "kernel.oops".to_owned(),
        severity: Severity::High.into(),
        title: "=1+1".to_owned(),
        payload: Some(Payload::KernelReport(KernelReport {
            text: "BUG: line\nCall Trace:".to_owned(),
            ..KernelReport::default()
        })),
        ..record("")
    };
    let hello = Record {
        title: "org.clearlinux/hello/world".to_owned(),
        payload: Some(Payload::Custom(Custom {
            classification: "org.clearlinux/hello/world".to_owned(),
            payload: "hello, \"world\"".to_owned(),
            event_id: "0a".repeat(16),
            ..Custom::default()
        })),
        ..record("")
    };
    db.deliver(&sender, &[oops, hello]).await;
}

#[tokio::test]
async fn every_format_has_what_was_stored() {
    let Some(db) = Database::new("every_format_has_what_was_stored").await else {
        return;
    };
    tell(&db).await;
    let (status, headers, csv) = get(&db, "/api/v1/faults/export").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(
        headers[header::CONTENT_DISPOSITION],
        "attachment; filename=\"faults.csv\""
    );
    let text = std::str::from_utf8(&csv).unwrap();
    let lines: Vec<&str> = text.split("\r\n").collect();
    assert!(lines[0].starts_with("id,received_at,occurred_at,agent_id,hostname,class,severity,title,"));
    assert!(
        lines[1].contains(",web-07,custom,1,org.clearlinux/hello/world,"),
        "{text}"
    );
    assert!(lines[0].ends_with(",issue"), "{text}");
    assert!(lines[1].ends_with(",false,\"hello, \"\"world\"\"\","), "{text}");
    assert!(text.ends_with(&format!(",{ISSUE}\r\n")), "{text}");
    assert!(lines[2].contains(",kernel.oops,3,'=1+1,"), "no formula: {text}");

    let (_, _, lines) = get(&db, "/api/v1/faults/export?format=jsonl&q=severity%3E=high").await;
    let line: Value = serde_json::from_slice(&lines).expect("one line");
    assert_eq!(line["record"]["kernel_report"]["text"], "BUG: line\nCall Trace:");
    assert_eq!(line["issue"], ISSUE);

    let (_, _, table) = get(&db, "/api/v1/faults/export?format=parquet").await;
    let reader = SerializedFileReader::new(table).unwrap();
    let rows: Vec<_> = reader.get_row_iter(None).unwrap().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 2);
    let titles: Vec<&String> = rows.iter().map(|row| row.get_string(7).unwrap()).collect();
    assert_eq!(titles, ["org.clearlinux/hello/world", "=1+1"], "as they are");
    assert_eq!(rows[1].get_int(6).unwrap(), 3);
    let issues: Vec<&String> = rows.iter().map(|row| row.get_string(17).unwrap()).collect();
    assert_eq!(issues, ["", ISSUE]);

    for wrong in ["format=xml", "q=kernl:1", "page_size=1", "page_token=00"] {
        let (status, problem) = get_json(&db, &format!("/api/v1/faults/export?{wrong}")).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{wrong}: {problem}");
    }
    let (_, _, nothing) = get(&db, "/api/v1/faults/export?class=no.such&format=jsonl").await;
    assert_eq!(nothing, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn exports_of_any_size_take_bounded_memory() {
    let Some(db) = Database::new("exports_of_any_size_take_bounded_memory").await else {
        return;
    };
    let sender = sender();
    db.store.hello(&sender, &host(), "1").await.unwrap();
    db.store.deliver(&sender, batch(1, 1)).await.unwrap();
    // As many, a microsecond apart, with ids that carry their times.
    let copies = format!(
        "INSERT INTO records SELECT (left(lpad(to_hex(ms), 12, '0'), 12) || '7' || lpad(to_hex(us * 4096 / 1000), 3, '0')
                || '8' || lpad(to_hex(n), 15, '0'))::uuid,
            to_timestamp(ms / 1000.0) + us * interval '1 microsecond', agent_id, epoch, n + 1, occurred_at, class, severity,
            housekeeping, title, kernel_release, issue, fingerprints, record
         FROM records, generate_series(1, {MANY} - 1) n,
              LATERAL (SELECT floor(extract(epoch FROM received_at) * 1000)::bigint - n / 1000 AS ms, n % 1000 AS us) t"
    );
    db.sql().await.batch_execute(&copies).await.unwrap();
    for format in ["csv", "jsonl", "parquet"] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_backend"))
            .args(["export", "--format", format, "--database", &db.url])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        let status = format!("/proc/{}/status", child.id());
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let (mut file, mut piece, mut peak) = (Vec::new(), vec![0; 1 << 16], 0);
        loop {
            let length = stdout.read(&mut piece).unwrap();
            if length == 0 {
                break;
            }
            file.extend_from_slice(&piece[..length]);
            let told = std::fs::read_to_string(&status).unwrap_or_default();
            let high = told.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let kib = high.and_then(|line| line.trim().split(' ').next()?.parse::<u64>().ok());
            peak = peak.max(kib.unwrap_or(0));
        }
        assert!(child.wait().unwrap().success(), "{format}");
        let rows = if format == "parquet" {
            let reader = SerializedFileReader::new(Bytes::from(file)).unwrap();
            reader.metadata().file_metadata().num_rows()
        } else {
            let lines = file.split(|byte| *byte == b'\n').count() - 1;
            i64::try_from(lines).unwrap() - i64::from(format == "csv")
        };
        assert_eq!(rows, MANY, "{format}");
        assert!(peak > 0 && peak < MEMORY_KIB, "{format} took {peak} KiB");
    }
}

#[tokio::test]
async fn old_scripts_ask_for_records_as_they_always_did() {
    let Some(db) = Database::new("old_scripts_ask_for_records_as_they_always_did").await else {
        return;
    };
    tell(&db).await;
    let asked = async |query: &str| {
        let (status, answer) = get_json(&db, &format!("/api/records?{query}")).await;
        assert_eq!(status, StatusCode::OK, "{query}: {answer}");
        answer["records"].as_array().unwrap().clone()
    };
    let all = asked("").await;
    assert_eq!(all.len(), 2);
    let hello = &all[0];
    assert_eq!(hello["classification"], "org.clearlinux/hello/world");
    assert_eq!(hello["payload"], "hello, \"world\"");
    assert_eq!(
        (&hello["build"], &hello["severity"], &hello["external"]),
        (&json!("42"), &json!(1), &json!(false))
    );
    assert_eq!(hello["ts_capture"], "2023-11-14 22:13:20 UTC");
    assert_eq!(all[1]["classification"], "telemetrics/kernel/oops");
    let machine_id = hello["machine_id"].as_str().unwrap();
    assert_eq!(machine_id.len(), 32);

    let newest = hello["id"].as_str().unwrap();
    for (query, count) in [
        ("severity=3".to_owned(), 1),
        ("classification=org.clearlinux/hello/world".to_owned(), 1),
        ("classification=org.clearlinux/hello/other".to_owned(), 0),
        ("classification=telemetrics/kernel/oops".to_owned(), 1),
        ("build=42&created_in_days=1".to_owned(), 2),
        ("build=41".to_owned(), 0),
        (format!("machine_id={machine_id}&created_in_sec=3600"), 2),
        (format!("from_id={newest}"), 1),
        ("ts_capture=1700000000".to_owned(), 0),
        ("ts_capture=1699999999".to_owned(), 2),
        ("limit=1".to_owned(), 1),
        ("limit=10000".to_owned(), 2),
    ] {
        assert_eq!(asked(&query).await.len(), count, "{query}");
    }
    for wrong in [
        "severity=5",
        "classification=a/b",
        "from_id=7",
        "limit=x",
        "nonsense=1",
    ] {
        let (status, answer) = get_json(&db, &format!("/api/records?{wrong}")).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{wrong}");
        assert!(answer["message"].is_string(), "{answer}");
    }
}

#[tokio::test]
async fn a_filter_is_completed_with_values_that_are_known() {
    let Some(db) = Database::new("a_filter_is_completed_with_values_that_are_known").await else {
        return;
    };
    tell(&db).await;
    let offered = async |q: &str, at: &str| {
        let (status, answer) = get_json(&db, &format!("/api/v1/filter/complete?q={q}{at}")).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        let texts = answer["candidates"].as_array().unwrap().iter();
        let texts: Vec<String> = texts
            .map(|one| one["text"].as_str().unwrap().to_owned())
            .collect();
        (answer["from"].as_u64().unwrap(), texts)
    };
    assert_eq!(offered("cla", "").await, (0, vec!["class:".to_owned()]));
    assert_eq!(
        offered("nvme%20class:k", "").await,
        (11, vec!["kernel.oops".to_owned()])
    );
    assert_eq!(offered("host:w", "").await, (5, vec!["web-07".to_owned()]));
    assert_eq!(
        offered("severity%3E=h%20nvme", "&at=11").await,
        (10, vec!["high".to_owned()])
    );
    assert_eq!(
        offered("hosts%3E=2%20st", "&of=issues").await,
        (9, vec!["state:".to_owned()])
    );
    assert_eq!(offered("st", "&of=hosts").await, (0, Vec::new()));
    let (status, _) = get_json(&db, "/api/v1/filter/complete?q=a&of=people").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let (status, _) = get_json(&db, "/api/v1/filter/complete?q=%C3%A4&at=1").await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "not between characters");
}

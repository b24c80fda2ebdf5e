//! Issues asked for in the filter language.

use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode},
};
use backend::{
    access::Anonymous,
    store::{IssueChange, IssueState, Sender},
};
use proto::v1::{Host, Record, Severity};
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::support::{Database, ask, host, of_issue, record};

/// An oops that two hosts had, one of them twice, and a warning of one host.
const OOPS: &str = "00112233445566778899aabbccddee0a";
const WARNING: &str = "00112233445566778899aabbccddee0b";

fn fault(issue: &str, class: &str, severity: Severity, title: &str) -> Record {
    Record {
        class: class.to_owned(),
        severity: severity.into(),
        title: title.to_owned(),
        fingerprints: of_issue(issue),
        ..record("")
    }
}

/// The answer of a list to a query.
async fn list(router: &Router, list: &str, query: &str) -> (StatusCode, Value) {
    let query: String = form_urlencoded::byte_serialize(query.as_bytes()).collect();
    let request = Request::get(format!("/api/v1/{list}?q={query}")).body(Body::empty());
    let (status, body) = ask(router, request.unwrap()).await;
    (status, serde_json::from_str(&body).unwrap())
}

fn ids(answer: &Value) -> Vec<&str> {
    let issues = answer["issues"].as_array().unwrap().iter();
    let mut ids: Vec<&str> = issues.map(|one| one["issue"].as_str().unwrap()).collect();
    ids.sort_unstable();
    ids
}

/// A host with a build, a kernel and what it tells.
async fn tell(db: &Database, name: &str, build: &str, kernel: &str, records: &[Record]) {
    let sender = Sender::new(Uuid::new_v4(), Uuid::new_v4(), kernel);
    let host = Host {
        hostname: name.to_owned(),
        os_build: build.to_owned(),
        kernel_release: kernel.to_owned(),
        ..host()
    };
    db.store.hello(&sender, &host, "1").await.unwrap();
    db.deliver(&sender, records).await;
}

#[tokio::test]
async fn issues_are_asked_for_by_what_they_are_and_where_they_were_seen() {
    let Some(db) = Database::new("issues_are_asked_for_by_what_they_are_and_where_they_were_seen").await
    else {
        return;
    };
    let oops = fault(OOPS, "kernel.oops", Severity::High, "BUG: bad thing in nvme_poll");
    let warning = fault(WARNING, "kernel.warning", Severity::Medium, "WARNING in tcp_ack");
    tell(&db, "web-1", "41", "6.1.120", &[oops.clone(), oops.clone()]).await;
    tell(&db, "web-2", "42", "6.12.9", &[oops, warning]).await;
    let router = db.router(Anonymous::Admin, &CancellationToken::new());
    let decided = IssueChange {
        who: "ann".to_owned(),
        owner: Some("net team".to_owned()),
        state: Some(IssueState::Resolved),
        ..IssueChange::default()
    };
    db.store.change_issue(WARNING, &decided).await.unwrap();

    for (query, found) in [
        ("", &[OOPS, WARNING][..]),
        ("NVME", &[OOPS]),
        ("class:kernel.*", &[OOPS, WARNING]),
        ("severity>medium", &[OOPS]),
        ("hosts>=2", &[OOPS]),
        ("records:3", &[OOPS]),
        ("records<3", &[WARNING]),
        ("state:resolved owner:net*", &[WARNING]),
        ("-state:resolved", &[OOPS]),
        ("owner:\"\"", &[OOPS]),
        ("NOT owner:\"\"", &[WARNING]),
        ("kernel:6.1.*", &[OOPS]),
        ("kernel:6.12.* build:42", &[OOPS, WARNING]),
        ("host:web-1", &[OOPS]),
        ("model:none or arch:none", &[]),
        ("after:-1h before:2999-01-01", &[OOPS, WARNING]),
        ("before:-1h", &[]),
        (&format!("issue:{OOPS}"), &[OOPS]),
    ] {
        let (status, answer) = list(&router, "issues", query).await;
        assert_eq!(status, StatusCode::OK, "{query}: {answer}");
        assert_eq!(ids(&answer), found, "{query}");
    }

    let merged = IssueChange {
        who: "ann".to_owned(),
        merged_into: Some(OOPS.to_owned()),
        ..IssueChange::default()
    };
    db.store.change_issue(WARNING, &merged).await.unwrap();
    let (_, answer) = list(&router, "issues", "kernel:6.12.* build:42 build:41").await;
    assert_eq!(ids(&answer), [OOPS], "seen in both, with what was merged into it");

    let (status, answer) = list(&router, "issues", "nvme event:1").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let detail = answer["detail"].as_str().unwrap();
    assert!(
        detail.contains("column 6: issues cannot be asked for by event"),
        "{detail}"
    );
}

#[tokio::test]
async fn hosts_are_asked_for_by_words_of_their_names() {
    let Some(db) = Database::new("hosts_are_asked_for_by_words_of_their_names").await else {
        return;
    };
    tell(&db, "web-1", "41", "6.1", &[record("")]).await;
    tell(&db, "db-1", "41", "6.1", &[record("")]).await;
    let router = db.router(Anonymous::Admin, &CancellationToken::new());
    let (status, answer) = list(&router, "hosts", "WEB build:41").await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let hosts = answer["hosts"].as_array().unwrap();
    assert_eq!(hosts.len(), 1, "{answer}");
    assert!(hosts[0].to_string().contains("web-1"), "{answer}");
}

#[tokio::test]
async fn hosts_are_asked_for_by_when_they_were_last_heard() {
    let Some(db) = Database::new("hosts_are_asked_for_by_when_they_were_last_heard").await else {
        return;
    };
    tell(&db, "web-1", "41", "6.1", &[record("")]).await;
    tell(&db, "db-1", "41", "6.1", &[record("")]).await;
    let heard_long_ago = "UPDATE hosts SET last_seen = last_seen - interval '1 hour' WHERE hostname = 'db-1'";
    db.sql().await.execute(heard_long_ago, &[]).await.unwrap();
    let router = db.router(Anonymous::Admin, &CancellationToken::new());
    for (query, found) in [
        ("before:-17m", "db-1"),
        ("-after:-17m", "db-1"),
        ("after:-17m", "web-1"),
    ] {
        let (status, answer) = list(&router, "hosts", query).await;
        assert_eq!(status, StatusCode::OK, "{query}: {answer}");
        let hosts = answer["hosts"].as_array().unwrap();
        assert_eq!(hosts.len(), 1, "{query}: {answer}");
        assert_eq!(hosts[0]["host"]["hostname"], found, "{query}: {answer}");
    }
}

//! Issues: made with their first record, decided about by people, and come again.

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Request, StatusCode, header},
};
use backend::{
    access::Anonymous,
    alerts::{self, Condition},
    analysis,
    store::Sender,
};
use proto::v1::{Batch, FingerprintLevel, Record, Severity};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use crate::support::{Database, encoded, fingerprint, host, of_issue, record, sender};

pub(crate) const A: &str = "00112233445566778899aabbccddee0a";
pub(crate) const B: &str = "00112233445566778899aabbccddee0b";

pub(crate) fn router(db: &Database) -> Router {
    db.router(Anonymous::Admin, &CancellationToken::new())
}

pub(crate) async fn ask(router: &Router, request: Request<Body>) -> (StatusCode, Value) {
    let response = router.clone().oneshot(request).await.unwrap();
    let status = response.status();
    let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
    (status, serde_json::from_slice(&body).unwrap())
}

pub(crate) async fn get(router: &Router, address: &str) -> (StatusCode, Value) {
    ask(router, Request::get(address).body(Body::empty()).unwrap()).await
}

pub(crate) async fn change(router: &Router, issue: &str, change: &Value) -> (StatusCode, Value) {
    let request = Request::post(format!("/api/v1/issues/{issue}"))
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(change.to_string()));
    ask(router, request.unwrap()).await
}

/// An agent that tells of one issue after the other.
pub(crate) struct Teller<'a> {
    db: &'a Database,
    sender: Sender,
    next_seq: u64,
}

impl<'a> Teller<'a> {
    pub(crate) async fn new(db: &'a Database) -> Self {
        let sender = sender();
        db.store.hello(&sender, &host(), "1").await.unwrap();
        Self {
            db,
            sender,
            next_seq: 1,
        }
    }

    pub(crate) async fn tell(&mut self, issue: &str, kernel_release: &str) {
        let oops = Record {
            class: "kernel.oops".to_owned(),
            severity: Severity::High.into(),
            title: format!("oops {issue}"),
            kernel_release: kernel_release.to_owned(),
            fingerprints: of_issue(issue),
            ..record("")
        };
        let batch = Batch {
            first_seq: self.next_seq,
            records: vec![encoded(&oops)],
        };
        self.db.store.deliver(&self.sender, batch).await.unwrap();
        self.next_seq += 1;
    }
}

#[tokio::test]
async fn a_resolved_issue_regresses_with_a_kernel_that_should_not_have_it() {
    let test = "a_resolved_issue_regresses_with_a_kernel_that_should_not_have_it";
    let Some(db) = Database::new(test).await else {
        return;
    };
    let (router, mut teller, mut old) = (router(&db), Teller::new(&db).await, Teller::new(&db).await);
    teller.tell(A, "6.1.9-amd64").await;
    old.tell(A, "6.1.9-amd64").await;
    let address = format!("/api/v1/issues/{A}");
    let (_, issue) = get(&router, &address).await;
    assert_eq!(issue["state"], "new");
    assert_eq!((&issue["occurrences"], &issue["hosts"]), (&json!(2), &json!(2)));

    let resolve =
        json!({ "who": "ann", "state": "resolved", "resolved_in": "6.1.120", "note": "see the list" });
    let (status, issue) = change(&router, A, &resolve).await;
    assert_eq!(
        (status, &issue["state"]),
        (StatusCode::OK, &json!("resolved")),
        "{issue}"
    );
    old.tell(A, "6.1.9-amd64").await;
    teller.tell(A, "6.1.119").await;
    assert_eq!(
        get(&router, &address).await.1["state"],
        "resolved",
        "6.1.9 and 6.1.119 are older"
    );
    teller.tell(A, "6.1.121-1-amd64").await;
    let (_, issue) = get(&router, &address).await;
    assert_eq!(issue["state"], "regressed");
    assert_eq!(issue["occurrences"], 5);
    assert_eq!(issue["history"][0]["who"], "collector");
    let by = "kernel 6.1.121-1-amd64, on host\u{fffd}with-nul";
    assert_eq!(issue["history"][0]["change"]["note"], by);
    assert_eq!(issue["history"][1]["change"]["note"], "see the list");

    let regression = Condition::Regression { class: String::new() };
    let found = alerts::find(&db.store, &regression, &[]).await.unwrap();
    assert_eq!(
        found.findings[0].summary,
        format!("regressed on 1 host since it was resolved (first with {by}): oops {A}")
    );
}

#[tokio::test]
async fn an_ignored_issue_comes_back_beyond_its_limit() {
    let Some(db) = Database::new("an_ignored_issue_comes_back_beyond_its_limit").await else {
        return;
    };
    let (router, mut one, mut other) = (router(&db), Teller::new(&db).await, Teller::new(&db).await);
    one.tell(A, "6.1").await;
    let ignore = json!({ "who": "ann", "state": "ignored", "ignore_hosts": 2, "ignore_days": 3 });
    assert_eq!(change(&router, A, &ignore).await.1["state"], "ignored");
    one.tell(A, "6.1").await;
    let (_, ignored) = get(&router, "/api/v1/issues?state=ignored").await;
    assert_eq!(ignored["issues"][0]["issue"], A);
    other.tell(A, "6.1").await;
    let (_, ignored) = get(&router, "/api/v1/issues?state=ignored").await;
    assert_eq!(ignored["issues"], json!([]), "a second host has it");
    assert_eq!(
        get(&router, &format!("/api/v1/issues/{A}")).await.1["state"],
        "ongoing"
    );
    analysis::keep_up_once(&db.store, 1).await;
    analysis::keep_up_once(&db.store, 2).await;
    let (_, issue) = get(&router, &format!("/api/v1/issues/{A}")).await;
    let history = issue["history"].as_array().unwrap();
    assert_eq!((history.len(), &history[0]["who"]), (2, &json!("collector")));
    assert_eq!(history[0]["change"]["state"], "ongoing");
    assert_eq!(
        history[0]["change"]["note"],
        "no longer ignored: it was until 2 hosts had it"
    );

    let ignore = json!({ "who": "ann", "state": "ignored", "ignore_days": 1 });
    assert_eq!(change(&router, A, &ignore).await.1["state"], "ignored");
    analysis::keep_up_once(&db.store, 3).await;
    assert_eq!(
        get(&router, &format!("/api/v1/issues/{A}")).await.1["state"],
        "ignored"
    );
}

/// An oops in A whose stack is `frames`.
fn oops_by(frames: &str) -> Record {
    Record {
        class: "kernel.oops".to_owned(),
        severity: Severity::High.into(),
        title: "oops".to_owned(),
        fingerprints: vec![
            fingerprint(FingerprintLevel::Title, A),
            fingerprint(FingerprintLevel::TopFrames, frames),
            fingerprint(FingerprintLevel::Stack, &frames.replace("0b", "0d")),
        ],
        ..record("")
    }
}

/// Issues have so many records, and so many of them were sighted.
async fn assert_moved(db: &Database, issues: &[(&str, i64)]) {
    for (issue, records) in issues {
        let count = format!("SELECT count(*) FROM records WHERE issue = '{issue}'");
        assert_eq!(db.count(&count).await, *records, "{issue}");
        let seen = format!("SELECT sum(records)::bigint FROM sightings WHERE issue = '{issue}'");
        assert_eq!(db.count(&seen).await, *records, "{issue}");
    }
}

/// Issues are told to spread to so many hosts today, by all hosts being watched since five days.
async fn assert_rising(db: &Database, router: &Router, issues: &[(&str, i64)]) {
    let watched = "INSERT INTO exposure_daily
        SELECT agent_id, date_trunc('day', now(), 'UTC') - back * interval '1 day', '', '', '', 86400
        FROM hosts, generate_series(0, 5) AS back";
    db.sql().await.batch_execute(watched).await.unwrap();
    let (_, rising) = get(router, "/api/v1/statistics/escalations?days=10&false_part=1").await;
    for (issue, hosts) in issues {
        let mut all = rising["escalations"].as_array().unwrap().iter();
        let found = all.find(|one| one["issue"] == *issue).unwrap();
        assert_eq!(found["hosts"][9], *hosts, "{issue}: {rising:#}");
    }
}

#[tokio::test]
async fn a_split_issue_is_one_for_each_of_its_top_frames_until_it_is_put_together_again() {
    let test = "a_split_issue_is_one_for_each_of_its_top_frames_until_it_is_put_together_again";
    let Some(db) = Database::new(test).await else {
        return;
    };
    let c = B.replace("0b", "1b");
    let (router, one, other) = (router(&db), sender(), sender());
    let tell = async |sender: &Sender, first_seq, records: &[Record]| {
        let records = records.iter().map(encoded).collect();
        db.store
            .deliver(sender, Batch { first_seq, records })
            .await
            .unwrap();
    };
    for sender in [&one, &other] {
        db.store.hello(sender, &host(), "1").await.unwrap();
    }
    let bare = Record {
        fingerprints: oops_by(B).fingerprints[..1].to_vec(),
        ..oops_by(B)
    };
    tell(&one, 1, &[oops_by(B), oops_by(&c), bare]).await;
    tell(&other, 1, &[oops_by(B)]).await;
    let (_, preview) = get(&router, &format!("/api/v1/issues/{A}/split")).await;
    let groups: Vec<_> = preview["groups"].as_array().unwrap().iter().collect();
    assert_eq!(
        (
            groups.len(),
            &groups[0]["issue"],
            &groups[0]["occurrences"],
            &groups[0]["hosts"]
        ),
        (2, &json!(B), &json!(2), &json!(2))
    );

    let (status, issue) = change(&router, A, &json!({ "who": "ann", "split": true })).await;
    assert_eq!(
        (status, &issue["regroup"]),
        (StatusCode::OK, &json!(true)),
        "{issue}"
    );
    // What comes now is grouped at once, what was there when it is moved.
    tell(&one, 4, &[oops_by(&c)]).await;
    db.store.regroup().await.unwrap();
    let counted = async |issue: &str| {
        let (_, issue) = get(&router, &format!("/api/v1/issues/{issue}")).await;
        (issue["occurrences"].as_i64(), issue["hosts"].as_i64())
    };
    assert_eq!(
        counted(A).await,
        (Some(1), Some(1)),
        "the one without a stack stays"
    );
    assert_eq!(counted(B).await, (Some(2), Some(2)));
    assert_eq!(counted(&c).await, (Some(2), Some(1)));
    assert_moved(&db, &[(A, 1), (B, 2), (&c, 2)]).await;
    assert_rising(&db, &router, &[(A, 1), (B, 2), (&c, 1)]).await;
    let all = format!("/api/v1/faults?fingerprint={A}");
    assert_eq!(get(&router, &all).await.1["faults"].as_array().unwrap().len(), 5);
    let (status, _) = change(&router, B, &json!({ "who": "ann", "split": true })).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "nothing is split twice");

    change(&router, A, &json!({ "who": "ann", "split": false })).await;
    tell(&other, 2, &[oops_by(B)]).await;
    db.store.regroup().await.unwrap();
    assert_eq!(counted(A).await, (Some(6), Some(2)));
    assert_eq!(
        get(&router, &format!("/api/v1/issues/{B}")).await.0,
        StatusCode::NOT_FOUND
    );
    assert_eq!(db.count("SELECT sum(records)::bigint FROM sightings").await, 6);
    assert_eq!(db.count("SELECT count(DISTINCT issue) FROM sightings").await, 1);
    assert_eq!(db.count("SELECT count(*) FROM triage WHERE regroup").await, 0);
    db.assert_balanced().await;
}

#[tokio::test]
async fn an_issue_that_comes_more_often_than_it_used_to_escalates() {
    let Some(db) = Database::new("an_issue_that_comes_more_often_than_it_used_to_escalates").await else {
        return;
    };
    let (router, sender) = (router(&db), sender());
    db.store.hello(&sender, &host(), "1").await.unwrap();
    let address = format!("/api/v1/issues/{A}");
    // All at once: of one hour.
    let mut next_seq = 1;
    let mut tell = async |count: u64| {
        let records = (0..count).map(|_| encoded(&oops_by(B))).collect();
        let batch = Batch {
            first_seq: next_seq,
            records,
        };
        db.store.deliver(&sender, batch).await.unwrap();
        next_seq += count;
        get(&router, &address).await.1
    };
    let issue = tell(50).await;
    assert_eq!(issue["state"], "new", "it has no past to compare with");
    // As if it had been there for three days, with four an hour until two hours ago.
    let past =
        "UPDATE triage SET hour = date_trunc('hour', now()) - interval '2 hours', hour_occurrences = 4,
                                  first_seen = now() - interval '3 days', usual_per_hour = 4 * (1 - 0.5 ^ 3)";
    let sql = db.sql().await;
    sql.batch_execute(past).await.unwrap();
    let issue = tell(15).await;
    assert_eq!(
        issue["state"], "new",
        "15 are not more than 3 * 4 + 3 * sqrt(4): {issue}"
    );
    sql.batch_execute(past).await.unwrap();
    let issue = tell(20).await;
    assert_eq!(
        (&issue["state"], &issue["hour_occurrences"]),
        (&json!("escalating"), &json!(20)),
        "{issue}"
    );
    change(
        &router,
        A,
        &json!({ "who": "ann", "state": "ignored", "ignore_days": 1 }),
    )
    .await;
    assert_eq!(get(&router, &address).await.1["state"], "ignored");
}

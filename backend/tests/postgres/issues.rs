//! Issues: made with their first record, decided about by people, and come again.

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Request, StatusCode, header},
};
use backend::{access::Anonymous, store::Sender};
use proto::v1::{Batch, FingerprintLevel, Record, Severity};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use crate::support::{Database, encoded, fingerprint, host, of_issue, record, sender};

const A: &str = "00112233445566778899aabbccddee0a";
const B: &str = "00112233445566778899aabbccddee0b";

fn router(db: &Database) -> Router {
    db.router(Anonymous::Admin, &CancellationToken::new())
}

async fn ask(router: &Router, request: Request<Body>) -> (StatusCode, Value) {
    let response = router.clone().oneshot(request).await.unwrap();
    let status = response.status();
    let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
    (status, serde_json::from_slice(&body).unwrap())
}

async fn get(router: &Router, address: &str) -> (StatusCode, Value) {
    ask(router, Request::get(address).body(Body::empty()).unwrap()).await
}

async fn change(router: &Router, issue: &str, change: &Value) -> (StatusCode, Value) {
    let request = Request::post(format!("/api/v1/issues/{issue}"))
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(change.to_string()));
    ask(router, request.unwrap()).await
}

/// An agent that tells of one issue after the other.
struct Teller<'a> {
    db: &'a Database,
    sender: Sender,
    next_seq: u64,
}

impl<'a> Teller<'a> {
    async fn new(db: &'a Database) -> Self {
        let sender = sender();
        db.store.hello(&sender, &host(), "1").await.unwrap();
        Self {
            db,
            sender,
            next_seq: 1,
        }
    }

    async fn tell(&mut self, issue: &str, kernel_release: &str) {
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
    let (router, mut teller) = (router(&db), Teller::new(&db).await);
    teller.tell(A, "6.1.9-amd64").await;
    let address = format!("/api/v1/issues/{A}");
    let (_, issue) = get(&router, &address).await;
    assert_eq!(issue["state"], "new");
    assert_eq!((&issue["occurrences"], &issue["hosts"]), (&json!(1), &json!(1)));

    let resolve =
        json!({ "who": "ann", "state": "resolved", "resolved_in": "6.1.120", "note": "see the list" });
    let (status, issue) = change(&router, A, &resolve).await;
    assert_eq!(
        (status, &issue["state"]),
        (StatusCode::OK, &json!("resolved")),
        "{issue}"
    );
    teller.tell(A, "6.1.9-amd64").await;
    teller.tell(A, "6.1.119").await;
    assert_eq!(
        get(&router, &address).await.1["state"],
        "resolved",
        "6.1.9 and 6.1.119 are older"
    );
    teller.tell(A, "6.1.121-1-amd64").await;
    let (_, issue) = get(&router, &address).await;
    assert_eq!(issue["state"], "regressed");
    assert_eq!(issue["occurrences"], 4);
    assert_eq!(issue["history"][0]["who"], "collector");
    assert_eq!(issue["history"][1]["change"]["note"], "see the list");
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
}

#[tokio::test]
async fn merged_issues_count_together_until_they_are_taken_apart() {
    let Some(db) = Database::new("merged_issues_count_together_until_they_are_taken_apart").await else {
        return;
    };
    let (router, mut teller) = (router(&db), Teller::new(&db).await);
    for issue in [A, B, B] {
        teller.tell(issue, "6.1").await;
    }
    let (_, first) = get(&router, "/api/v1/issues?class=kernel.&page_size=1").await;
    assert_eq!(first["issues"][0]["issue"], B, "the latest first");
    let token = first["next_page_token"].as_str().unwrap();
    // B has another record meanwhile and is not repeated.
    teller.tell(B, "6.1").await;
    let (_, next) = get(
        &router,
        &format!("/api/v1/issues?class=kernel.&page_size=1&page_token={token}"),
    )
    .await;
    assert_eq!(next["issues"][0]["issue"], A);
    assert_eq!(next["next_page_token"], "");

    let (_, into) = change(&router, A, &json!({ "who": "ann", "merged_into": B })).await;
    assert_eq!(
        (&into["issue"], &into["occurrences"], &into["hosts"]),
        (&json!(B), &json!(4), &json!(1))
    );
    let (status, refused) = change(&router, B, &json!({ "who": "ann", "merged_into": A })).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "no circles: {refused}");
    let (_, apart) = change(&router, A, &json!({ "who": "ann", "merged_into": "" })).await;
    assert_eq!((&apart["issue"], &apart["occurrences"]), (&json!(A), &json!(1)));
}

#[tokio::test]
async fn the_address_of_a_merged_issue_leads_to_the_one_that_it_counts_for() {
    let test = "the_address_of_a_merged_issue_leads_to_the_one_that_it_counts_for";
    let Some(db) = Database::new(test).await else {
        return;
    };
    let (router, mut teller) = (router(&db), Teller::new(&db).await);
    for issue in [A, B] {
        teller.tell(issue, "6.1").await;
    }
    change(
        &router,
        A,
        &json!({ "who": "ann", "merged_into": B, "note": "same bug" }),
    )
    .await;
    let (status, led) = get(&router, &format!("/api/v1/issues/{A}")).await;
    assert_eq!((status, &led["issue"]), (StatusCode::OK, &json!(B)), "{led}");
    let event = &led["history"][0];
    assert_eq!(
        (&event["merged"], &event["change"]["note"]),
        (&json!(A), &json!("same bug"))
    );
    let (_, found) = get(&router, &format!("/api/v1/issues?q=issue:{A}")).await;
    assert_eq!(found["issues"][0]["issue"], B, "{found}");

    // What is decided there is decided about the one that is shown.
    let (_, owned) = change(&router, A, &json!({ "who": "bob", "owner": "bob" })).await;
    assert_eq!((&owned["issue"], &owned["owner"]), (&json!(B), &json!("bob")));
    let (_, apart) = change(
        &router,
        A,
        &json!({ "who": "ann", "merged_into": "", "note": "no" }),
    )
    .await;
    assert_eq!((&apart["issue"], &apart["owner"]), (&json!(A), &json!("")));
    let (_, other) = get(&router, &format!("/api/v1/issues/{B}")).await;
    let said = |event: &Value| (event["merged"].clone(), event["parted"].clone());
    let history: Vec<_> = other["history"].as_array().unwrap().iter().map(said).collect();
    assert_eq!(
        history,
        [
            (Value::Null, json!(A)),
            (Value::Null, Value::Null),
            (json!(A), Value::Null)
        ]
    );
    assert_eq!(other["occurrences"], 1);
}

#[tokio::test]
async fn changes_that_make_no_sense_are_refused_with_a_reason() {
    let Some(db) = Database::new("changes_that_make_no_sense_are_refused_with_a_reason").await else {
        return;
    };
    let (router, mut teller) = (router(&db), Teller::new(&db).await);
    teller.tell(A, "6.1").await;
    let cases = [
        (A, json!({ "state": "resolved" }), StatusCode::BAD_REQUEST),
        (
            A,
            json!({ "who": "ann", "state": "regressed" }),
            StatusCode::BAD_REQUEST,
        ),
        (
            A,
            json!({ "who": "ann", "ignore_days": 1 }),
            StatusCode::BAD_REQUEST,
        ),
        (
            A,
            json!({ "who": "ann", "resolved_in": "6.1" }),
            StatusCode::BAD_REQUEST,
        ),
        (
            A,
            json!({ "who": "ann", "merged_into": A }),
            StatusCode::BAD_REQUEST,
        ),
        (
            A,
            json!({ "who": "ann", "merged_into": "nonsense" }),
            StatusCode::BAD_REQUEST,
        ),
        (A, json!({ "who": "a\0n" }), StatusCode::BAD_REQUEST),
        (
            A,
            json!({ "who": "ann", "note": "x".repeat(1025) }),
            StatusCode::BAD_REQUEST,
        ),
        (A, json!({ "who": "ann", "nonsense": 1 }), StatusCode::BAD_REQUEST),
        (B, json!({ "who": "ann", "owner": "ann" }), StatusCode::NOT_FOUND),
        ("nonsense", json!({ "who": "ann" }), StatusCode::BAD_REQUEST),
    ];
    for (issue, what, status) in cases {
        let (answered, error) = change(&router, issue, &what).await;
        assert_eq!(answered, status, "{what}: {error}");
        assert!(
            error["detail"].as_str().is_some_and(|text| !text.is_empty()),
            "{error}"
        );
    }
    let form = Request::post(format!("/api/v1/issues/{A}"))
        .header(header::CONTENT_TYPE, "text/plain")
        .body(Body::from(r#"{"who":"another site"}"#));
    assert_eq!(ask(&router, form.unwrap()).await.0, StatusCode::BAD_REQUEST);
    for address in [
        "/api/v1/issues?page_size=501",
        "/api/v1/issues?page_token=x",
        "/api/v1/issues?state=odd",
        "/api/v1/issues?nonsense=1",
    ] {
        assert_eq!(
            get(&router, address).await.0,
            StatusCode::BAD_REQUEST,
            "{address}"
        );
    }
    assert_eq!(db.count("SELECT count(*) FROM triage_history").await, 0);
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

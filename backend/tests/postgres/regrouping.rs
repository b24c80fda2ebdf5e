//! Records are grouped anew when the rules that they are grouped by have changed.

mod fleet;

use std::sync::{Arc, Mutex};

use axum::{
    body::{Body, to_bytes},
    http::{Request, header},
};
use backend::{
    access::Anonymous,
    record::rules::{Rules as _, RunningRules},
    store::Regrouped,
};
use proto::v1::{Batch, Fingerprint, FingerprintLevel, Record};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use self::fleet::{ByText, level, new};
pub(crate) use self::fleet::{Fleet, issue, old};
use crate::support::{Database, encoded, host, record, sender};

/// All that is counted, without moments.
const COUNTS: &str = "
    SELECT jsonb_build_object(
        'fingerprints', (SELECT jsonb_agg(jsonb_build_array(agent_id, fingerprint, level, version, issue, class, title, severity,
                                                            occurrences) ORDER BY agent_id, fingerprint) FROM fingerprints),
        'rollups', (SELECT jsonb_agg(jsonb_build_array(agent_id, class, kernel_release, severity, records)
                                     ORDER BY agent_id, class, kernel_release, severity) FROM rollups),
        'daily', (SELECT jsonb_agg(jsonb_build_array(agent_id, class, kernel_release, severity, records)
                                   ORDER BY agent_id, class, kernel_release, severity) FROM rollups_daily),
        'sightings', (SELECT jsonb_agg(jsonb_build_array(agent_id, issue, kernel_release, records)
                                       ORDER BY agent_id, issue, kernel_release) FROM sightings WHERE records > 0),
        'records', (SELECT jsonb_agg(jsonb_build_array(agent_id, seq, issue, class, title, severity, fingerprints)
                                     ORDER BY agent_id, seq) FROM records),
        'issues', (SELECT jsonb_agg(jsonb_build_array(issue, class, title, severity, occurrences, hosts)
                                    ORDER BY issue) FROM triage WHERE occurrences > 0))::text";

async fn counts(db: &Database) -> Value {
    let row = db.sql().await.query_one(COUNTS, &[]).await;
    serde_json::from_str(row.expect("a row").get(0)).unwrap()
}

async fn ask(db: &Database, request: Request<Body>) -> Value {
    let router = db.router(Anonymous::Admin, &CancellationToken::new());
    let response = router.oneshot(request).await.unwrap();
    let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
    serde_json::from_slice(&body).unwrap()
}

async fn get(db: &Database, issue: &str) -> Value {
    let address = format!("/api/v1/issues/{issue}");
    ask(db, Request::get(address).body(Body::empty()).unwrap()).await
}

async fn change(db: &Database, issue: &str, change: Value) {
    let request = Request::post(format!("/api/v1/issues/{issue}"))
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(change.to_string()));
    let answer = ask(db, request.unwrap()).await;
    assert!(answer["issue"].is_string(), "{answer}");
}

pub(crate) async fn regroup(db: &Database) -> Regrouped {
    let done = db.store.regroup_by(Arc::new(ByText), &|_| {}).await.unwrap();
    done.expect("nobody else regroups this database")
}

#[tokio::test]
async fn what_is_regrouped_is_counted_as_if_it_had_come_so() {
    let test = "what_is_regrouped_is_counted_as_if_it_had_come_so";
    let (Some(there), Some(db)) = (Database::new(test).await, Database::new(test).await) else {
        return;
    };
    Fleet::new(&there).await.tell_all(new).await;
    Fleet::new(&db).await.tell_all(old).await;
    let so_far = Mutex::new(Vec::new());
    let tell = |regrouped| so_far.lock().unwrap().push(regrouped);
    let done = db
        .store
        .regroup_by(Arc::new(ByText), &tell)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((done.issues, done.issues_left, done.records), (2, 0, 6));
    let so_far = so_far.into_inner().unwrap();
    assert_eq!((so_far[0].issues_left, so_far.last()), (2, Some(&done)));
    assert_eq!(counts(&db).await, counts(&there).await);
    db.assert_balanced().await;

    let before = counts(&db).await;
    assert_eq!(regroup(&db).await, Regrouped::default(), "nothing is left to do");
    assert_eq!(counts(&db).await, before);
}

#[tokio::test]
async fn what_people_decided_follows_an_issue_to_its_successor() {
    let test = "what_people_decided_follows_an_issue_to_its_successor";
    let Some(db) = Database::new(test).await else {
        return;
    };
    let mut fleet = Fleet::new(&db).await;
    fleet.tell_all(old).await;
    let (disk, cable) = (issue(1, "disk"), issue(1, "cable"));
    let (sector, link) = (issue(2, "bad-sector"), issue(2, "link-down"));
    let fix = json!({ "who": "ann", "owner": "ann", "known_fix": "a new disk", "state": "ignored", "ignore_hosts": 9 });
    change(&db, &disk, fix).await;
    change(
        &db,
        &cable,
        json!({ "who": "bob", "owner": "bob", "note": "seen in rack 4" }),
    )
    .await;
    regroup(&db).await;

    let of = |shown: &Value| {
        let text = |name: &str| shown[name].as_str().unwrap_or_default().to_owned();
        (text("title"), text("owner"), text("known_fix"), text("state"))
    };
    let shown = get(&db, &sector).await;
    let expected = ["bad-sector", "ann", "a new disk", "ignored"].map(str::to_owned);
    assert_eq!(of(&shown), expected.into(), "{shown}");
    assert_eq!(get(&db, &disk).await, shown, "its old address leads there");
    assert_eq!(shown["history"][0]["who"], "collector");
    assert_eq!(shown["history"][1]["change"]["owner"], "ann");
    let shown = get(&db, &link).await;
    let expected = ["link-down", "bob", "", "new"].map(str::to_owned);
    assert_eq!(of(&shown), expected.into(), "{shown}");
    let history = shown["history"].to_string();
    for said in [
        "seen in rack 4",
        &format!("part of issue {disk}"),
        &sector,
        &format!("was issue {cable}"),
    ] {
        assert!(history.contains(said), "{said}: {history}");
    }

    // An agent with older rules tells of the old issue: it counts for the successor at once, and is moved with the next round.
    fleet.tell(1, &old("disk", "storage.read bad-sector a")).await;
    let shown = get(&db, &sector).await;
    assert_eq!(
        (&shown["occurrences"], &shown["hosts"]),
        (&json!(4), &json!(2)),
        "{shown}"
    );
    assert_eq!(regroup(&db).await.records, 1);
    let shown = get(&db, &sector).await;
    assert_eq!(
        (&shown["occurrences"], &shown["hosts"]),
        (&json!(4), &json!(2)),
        "{shown}"
    );
    assert_eq!(
        shown["history"].as_array().map(Vec::len),
        Some(2),
        "decided about once: {shown}"
    );
    db.assert_balanced().await;

    // It can be merged, and taken apart, with what it was.
    for (into, leads_to) in [(&*link, &link), ("", &sector)] {
        change(&db, &sector, json!({ "who": "ann", "merged_into": into })).await;
        for address in [&disk, &sector] {
            assert_eq!(get(&db, address).await["issue"], **leads_to, "{address}");
        }
    }
}

#[tokio::test]
async fn what_is_merged_or_split_stays_so() {
    let Some(db) = Database::new("what_is_merged_or_split_stays_so").await else {
        return;
    };
    let mut fleet = Fleet::new(&db).await;
    for (title, text) in [
        ("a", "kernel.oops one x"),
        ("a", "kernel.oops one y"),
        ("b", "kernel.oops two x"),
        ("c", "kernel.oops three z"),
    ] {
        fleet.tell(0, &old(title, text)).await;
    }
    change(
        &db,
        &issue(1, "c"),
        json!({ "who": "ann", "merged_into": issue(1, "b") }),
    )
    .await;
    change(&db, &issue(1, "a"), json!({ "who": "ann", "split": true })).await;
    db.store.regroup().await.unwrap();
    regroup(&db).await;
    db.store.regroup().await.unwrap();

    let shown = get(&db, &issue(2, "two")).await;
    assert_eq!(shown["occurrences"], 2, "with what was merged: {shown}");
    assert_eq!(
        db.count("SELECT count(*) FROM v_issues WHERE occurrences > 0")
            .await,
        3
    );
    let shown = get(&db, &issue(2, "one")).await;
    assert_eq!(
        (&shown["split"], &shown["occurrences"]),
        (&json!(true), &json!(0)),
        "{shown}"
    );
    for stack in ["x", "y"] {
        let part = level(2, FingerprintLevel::TopFrames, stack).value;
        let shown = get(&db, &part).await;
        assert_eq!(shown["split_from"], issue(2, "one"), "{shown}");
    }
    db.assert_balanced().await;
}

#[tokio::test]
async fn what_has_no_records_any_more_goes_by_its_title() {
    let Some(db) = Database::new("what_has_no_records_any_more_goes_by_its_title").await else {
        return;
    };
    let mut fleet = Fleet::new(&db).await;
    for text in ["kernel.oops one x", "kernel.oops one x", "kernel.oops two y"] {
        fleet.tell(0, &old("partly", text)).await;
    }
    fleet.tell(1, &old("wholly", "kernel.oops three z")).await;
    let expired = "DELETE FROM records WHERE title = 'wholly' OR seq = 1";
    db.sql().await.batch_execute(expired).await.unwrap();
    let two = regroup(&db).await;
    assert_eq!((two.issues, two.records), (2, 2));
    // One record of each is left, and the first in order has what has expired.
    let [one, two] = ["one", "two"].map(|title| issue(2, title));
    let successor = if one < two { &one } else { &two };
    assert_eq!(get(&db, successor).await["occurrences"], 2);
    let shown = get(&db, &issue(2, "wholly")).await;
    assert_eq!(
        (&shown["title"], &shown["occurrences"]),
        (&json!("wholly"), &json!(1)),
        "{shown}"
    );
}

#[tokio::test]
async fn a_preview_says_what_would_be_done_and_does_nothing() {
    let Some(db) = Database::new("a_preview_says_what_would_be_done_and_does_nothing").await else {
        return;
    };
    let mut fleet = Fleet::new(&db).await;
    fleet.tell_all(old).await;
    fleet.tell(0, &old("same", "custom same x")).await;
    let before = counts(&db).await;
    let preview = db.store.preview_regrouping(Arc::new(ByText)).await.unwrap();
    assert_eq!((preview.issues, preview.records), (3, 7));
    assert_eq!(
        (preview.same, preview.renamed, preview.split, preview.joined),
        (1, 2, 1, 2)
    );
    let split = &preview.examples[0];
    let parts: Vec<_> = split
        .becomes
        .iter()
        .map(|part| (&*part.title, part.records, part.hosts, part.joined))
        .collect();
    assert_eq!((&*split.title, &*split.issue), ("disk", &*issue(1, "disk")));
    assert_eq!(parts, [("bad-sector", 3, 2, false), ("link-down", 1, 1, true)]);
    assert_eq!(preview.examples[1].title, "cable");
    assert_eq!(counts(&db).await, before);
}

#[tokio::test]
async fn records_that_come_meanwhile_are_counted_once() {
    let Some(db) = Database::new("records_that_come_meanwhile_are_counted_once").await else {
        return;
    };
    let teller = sender();
    db.store.hello(&teller, &host(), "1").await.unwrap();
    let tell = async {
        for seq in 0..40 {
            let records = (0..20)
                .map(|_| encoded(&old("disk", "storage.read bad-sector a")))
                .collect();
            let batch = Batch {
                first_seq: seq * 20 + 1,
                records,
            };
            db.store.deliver(&teller, batch).await.unwrap();
        }
    };
    let again = async {
        for _ in 0..10 {
            regroup(&db).await;
        }
    };
    tokio::join!(tell, again);
    regroup(&db).await;
    let shown = get(&db, &issue(2, "bad-sector")).await;
    assert_eq!(shown["occurrences"], 800, "{shown}");
    for counted in [
        "SELECT sum(records)::bigint FROM sightings",
        "SELECT sum(records)::bigint FROM rollups",
    ] {
        assert_eq!(db.count(counted).await, 800, "{counted}");
    }
    db.assert_balanced().await;
}

#[tokio::test]
async fn one_regroups_at_a_time() {
    let Some(db) = Database::new("one_regroups_at_a_time").await else {
        return;
    };
    Fleet::new(&db).await.tell_all(old).await;
    let sql = db.sql().await;
    // "regroup1" in ASCII, as in the store.
    let lock = "SELECT pg_advisory_lock(x'726567726f757031'::bigint)";
    sql.batch_execute(lock).await.unwrap();
    let refused = db.store.regroup_by(Arc::new(ByText), &|_| {}).await.unwrap();
    assert_eq!(refused, None);
    drop(sql);
}

#[tokio::test]
async fn records_of_the_present_rules_are_left_alone() {
    let Some(db) = Database::new("records_of_the_present_rules_are_left_alone").await else {
        return;
    };
    let mut fleet = Fleet::new(&db).await;
    let mut fresh = record("");
    fresh.title = "a title".to_owned();
    RunningRules.read(&mut fresh);
    fleet.tell(0, &fresh).await;
    let unknown = Record {
        fingerprints: vec![Fingerprint {
            version: 0,
            ..level(1, FingerprintLevel::Title, "of nobody's rules")
        }],
        ..record("")
    };
    fleet.tell(0, &unknown).await;
    let done = db
        .store
        .regroup_by(Arc::new(RunningRules), &|_| {})
        .await
        .unwrap();
    assert_eq!(done, Some(Regrouped::default()));
}

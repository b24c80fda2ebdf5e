//! Which kernels and builds are later than others, and what that makes of issues that were resolved.

use axum::http::StatusCode;
use proto::v1::{Batch, Host, Record, Severity};
use serde_json::json;

use crate::issues::{A, change, get, router};
use crate::support::{Database, assert_says, encoded, get as page, host, of_issue, record, sender};

/// Each is earlier than all that follow in its line.
const IN_ORDER: [&[&str]; 8] = [
    &[
        "5.14.0-427.el9.x86_64",
        "5.14.0-427.13.1.el9_4.x86_64",
        "5.14.0-503.el9.x86_64",
        "6.1.0-9-amd64",
        "6.1.0-34-amd64",
        "6.1.0-35-amd64",
        "6.1.9",
        "6.1.119-1",
        "6.1.120",
        "6.1.120-1-amd64",
        "6.6.0-rc7",
        "6.6.0-rc10",
        "6.6",
        "6.6.1",
    ],
    &["6.6-rc7", "6.6.0", "6.6-1", "6.6.0-2"],
    &["5.15.0-91-generic", "5.15.0-105-generic"],
    &["6.4.0-150600.23-default", "6.4.0-150600.23.7-default"],
    &["1.0.0~beta1", "1.0.0-1", "1.0.0-2", "1.0.0-10"],
    &[
        "20261127",
        "20261127.2",
        "20261128",
        "99999999999999999998",
        "99999999999999999999",
    ],
    &["build-9", "build-10"],
    &["v6.1", "v6.10"],
];
/// Neither is earlier.
const WITHOUT_ORDER: [(&str, &str); 6] = [
    ("bookworm", "trixie"),
    ("bookworm", "12"),
    ("jammy-1", "noble-2"),
    ("v6.1", "6.2"),
    ("", "6.1"),
    ("", "trixie"),
];

#[tokio::test]
async fn kernels_and_builds_have_the_order_of_packages() {
    let Some(db) = Database::new("kernels_and_builds_have_the_order_of_packages").await else {
        return;
    };
    let sql = db.sql().await;
    let reached = async |version: &str, since: &str| {
        let row = sql
            .query_one("SELECT version_reached($1, $2)", &[&version, &since])
            .await;
        row.unwrap().get::<_, Option<bool>>(0)
    };
    for line in IN_ORDER {
        for (place, earlier) in line.iter().enumerate() {
            assert_eq!(reached(earlier, earlier).await, Some(true), "{earlier}");
            for later in &line[place + 1..] {
                assert_eq!(
                    reached(later, earlier).await,
                    Some(true),
                    "{later} is later than {earlier}"
                );
                assert_eq!(
                    reached(earlier, later).await,
                    Some(false),
                    "{earlier} is no {later}"
                );
            }
        }
        let sorted = "SELECT array_agg(v ORDER BY version_order(v)) FROM unnest($1::text[]) AS v";
        let backwards: Vec<&str> = line.iter().rev().copied().collect();
        let sorted: Vec<String> = sql.query_one(sorted, &[&backwards]).await.unwrap().get(0);
        assert_eq!(sorted, line);
    }
    for (one, other) in WITHOUT_ORDER {
        assert_eq!(reached(one, other).await, None, "{one}, {other}");
        assert_eq!(reached(other, one).await, None, "{other}, {one}");
        assert_eq!(reached(one, one).await, Some(true), "{one}");
    }
    for (one, same) in [("6.1", "6.1.0"), ("007", "7"), ("6.6-rc7", "6.6~rc7")] {
        assert_eq!(reached(one, same).await, Some(true), "{one} is {same}");
        assert_eq!(reached(same, one).await, Some(true), "{same} is {one}");
    }
}

/// A new host with this kernel and build has the issue.
async fn tell(db: &Database, kernel_release: &str, os_build: &str) {
    let sender = sender();
    let told = Host {
        os_build: os_build.to_owned(),
        ..host()
    };
    db.store.hello(&sender, &told, "1").await.unwrap();
    let oops = Record {
        class: "kernel.oops".to_owned(),
        severity: Severity::High.into(),
        kernel_release: kernel_release.to_owned(),
        fingerprints: of_issue(A),
        ..record("")
    };
    let batch = Batch {
        first_seq: 1,
        records: vec![encoded(&oops)],
    };
    db.store.deliver(&sender, batch).await.unwrap();
}

#[tokio::test]
async fn an_issue_regresses_with_a_later_kernel_of_its_distribution_only() {
    let Some(db) = Database::new("an_issue_regresses_with_a_later_kernel_of_its_distribution_only").await
    else {
        return;
    };
    let (router, address) = (router(&db), format!("/api/v1/issues/{A}"));
    tell(&db, "6.1.0-34-amd64", "").await;
    let resolve = json!({ "who": "ann", "state": "resolved", "resolved_in": "6.1.0-35-amd64" });
    let (status, issue) = change(&router, A, &resolve).await;
    assert_eq!((status, &issue["resolved_note"]), (StatusCode::OK, &json!("")));
    tell(&db, "6.1.0-34-amd64", "").await;
    assert_eq!(get(&router, &address).await.1["state"], "resolved");
    tell(&db, "6.1.0-35-amd64", "").await;
    assert_eq!(get(&router, &address).await.1["state"], "regressed");
}

#[tokio::test]
async fn what_was_resolved_in_a_build_without_a_number_regresses_with_that_build_only() {
    let test = "what_was_resolved_in_a_build_without_a_number_regresses_with_that_build_only";
    let Some(db) = Database::new(test).await else {
        return;
    };
    let (router, address) = (router(&db), format!("/api/v1/issues/{A}"));
    tell(&db, "6.1", "bookworm").await;
    let resolve = json!({ "who": "ann", "state": "resolved", "resolved_in_build": "trixie" });
    let (_, issue) = change(&router, A, &resolve).await;
    let note = "build bookworm, in which it was seen last, is neither earlier nor later than trixie";
    assert_eq!(issue["resolved_note"], note);
    assert_says(&page(&router, &format!("/issues/{A}")).await, &[note]);
    for other in ["bookworm", "zesty", "12"] {
        tell(&db, "6.1", other).await;
        assert_eq!(get(&router, &address).await.1["state"], "resolved", "{other}");
    }
    tell(&db, "6.1", "trixie").await;
    let (_, issue) = get(&router, &address).await;
    assert_eq!(
        (&issue["state"], &issue["resolved_note"]),
        (&json!("regressed"), &json!(""))
    );
}

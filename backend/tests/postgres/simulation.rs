//! Fleets that are made up look like fleets.

use std::collections::BTreeSet;

use faults::Class;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::{statistics::ok, support::Database};

#[tokio::test]
async fn a_made_up_fleet_has_issues_with_names_and_a_history_of_builds_and_updates() {
    let test = "a_made_up_fleet_has_issues_with_names_and_a_history_of_builds_and_updates";
    let Some(db) = Database::new(test).await else {
        return;
    };
    let made = Command::new(env!("CARGO_BIN_EXE_backend"))
        .args(["simulate", "--json", "--database", &db.url])
        .output()
        .await
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let truth: Value = serde_json::from_slice(&made.stdout).unwrap();

    let issues = ok(&db, "/api/v1/issues?page_size=500").await;
    let issues = issues["issues"].as_array().unwrap();
    let titles: BTreeSet<&str> = issues.iter().map(|one| one["title"].as_str().unwrap()).collect();
    assert_eq!((issues.len(), titles.len()), (40, 40), "{titles:?}");
    for issue in issues {
        assert!(
            issue["class"].as_str().unwrap().parse::<Class>().is_ok(),
            "{issue}"
        );
    }
    let worse = truth["worse"][0].as_str().unwrap();
    let worse = ok(&db, &format!("/api/v1/issues/{worse}")).await;
    assert_eq!(
        worse["title"],
        "BUG: unable to handle kernel NULL pointer dereference in iwl_pcie_irq_handler"
    );

    let updates = ok(&db, "/api/v1/updates").await;
    let updates = updates["updates"].as_array().unwrap();
    let paths: Vec<_> = updates.iter().map(|one| (&one["from"], &one["to"])).collect();
    assert_eq!(paths, [(&json!("A"), &json!("B")), (&json!("B"), &json!("C"))]);
    assert_eq!(
        (
            &updates[0]["tried"],
            &updates[0]["succeeded"],
            &updates[0]["failed"]
        ),
        (&json!(2000), &json!(2000), &json!(0)),
        "those that failed were tried again"
    );
    assert_eq!(
        (&updates[1]["tried"], &updates[1]["failed"]),
        (&json!(50), &json!(50))
    );

    let population = ok(&db, "/api/v1/population").await;
    let of = |build: &str| -> Vec<u64> {
        let rows = population["population"].as_array().unwrap().iter();
        let of_build = rows.filter(|row| row["name"] == build);
        of_build.map(|row| row["hosts"].as_u64().unwrap()).collect()
    };
    let (before, after) = (of("A"), of("B"));
    assert_eq!(before.last(), Some(&2000), "all begin with A: {population:#}");
    assert_eq!(after.first(), Some(&2000), "and end with B: {population:#}");
    assert!(
        after.windows(2).all(|days| days[0] >= days[1]),
        "B spreads: {after:?}"
    );
}

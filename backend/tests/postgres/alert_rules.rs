//! What the rules of alerts find.

use backend::access::Anonymous;
use backend::alerts::{self, Condition};
use backend::analysis::AnalysisError;
use backend::store::{Dimension, Finding};
use proto::v1::{Heartbeat, HookState, Host, Record, record::Payload};
use tokio_util::sync::CancellationToken;

use crate::alerts::spread;
use crate::statistics::{NEW, fleet};
use crate::support::{Database, get, host, record, sender};

async fn find(db: &Database, condition: &Condition) -> Result<Vec<Finding>, AnalysisError> {
    let found = alerts::find(&db.store, condition, &[]).await?;
    assert_eq!(found.more, 0, "{found:?}");
    Ok(found.findings)
}

#[tokio::test]
async fn every_condition_is_asked_in_right_sql() {
    let Some(db) = Database::new("every_condition_is_asked_in_right_sql").await else {
        return;
    };
    spread(&db, 1).await;
    let class = String::new();
    for condition in [
        Condition::Regression { class: class.clone() },
        Condition::Escalation { class },
        Condition::Books {},
        Condition::WorseBuild {
            max_ratio: 1.5,
            days: 30,
            class: String::new(),
        },
    ] {
        assert!(find(&db, &condition).await.unwrap().is_empty(), "{condition:?}");
    }
    db.sql()
        .await
        .batch_execute("UPDATE senders SET stored_seq = stored_seq + 2")
        .await
        .unwrap();
    let found = find(&db, &Condition::Books {}).await.unwrap();
    assert!(
        found[0].summary.contains("3 produced, 1 stored, 0 lost"),
        "{found:?}"
    );
    db.sql()
        .await
        .batch_execute("UPDATE triage SET state = 'regressed'")
        .await
        .unwrap();
    let regressed = Condition::Regression {
        class: "kernel.".to_owned(),
    };
    assert_eq!(find(&db, &regressed).await.unwrap().len(), 1);
    let elsewhere = Condition::Regression {
        class: "hardware.".to_owned(),
    };
    assert!(find(&db, &elsewhere).await.unwrap().is_empty());
}

#[tokio::test]
async fn an_issue_that_more_hosts_come_to_have_escalates() {
    let Some(db) = Database::new("an_issue_that_more_hosts_come_to_have_escalates").await else {
        return;
    };
    fleet(&db).await;
    let sql = db.sql().await;
    let counted = "UPDATE triage SET occurrences = 36, hosts = 12, last_seen = now(), first_seen = day(3)";
    sql.batch_execute(counted).await.unwrap();
    let escalation = |class: &str| Condition::Escalation {
        class: class.to_owned(),
    };
    let found = find(&db, &escalation("")).await.unwrap();
    assert!(found.is_empty(), "what is new does not escalate: {found:?}");

    sql.batch_execute("UPDATE triage SET first_seen = day(60)")
        .await
        .unwrap();
    let found = find(&db, &escalation("kernel.")).await.unwrap();
    let new = found.iter().find(|finding| finding.object == NEW);
    assert_eq!(
        new.unwrap().summary,
        format!("more hosts come to have it, many times as many for 4 days: ongoing on 12 hosts: oops {NEW}")
    );
    let elsewhere = find(&db, &escalation("hardware.")).await.unwrap();
    assert!(elsewhere.is_empty(), "{elsewhere:?}");
    let ignored = format!("UPDATE triage SET state = 'ignored' WHERE issue = '{NEW}'");
    sql.batch_execute(&ignored).await.unwrap();
    let found = find(&db, &escalation("")).await.unwrap();
    assert!(found.iter().all(|finding| finding.object != NEW), "{found:?}");
}

#[tokio::test]
async fn a_new_build_that_is_worse_is_told_with_what_speaks_against_it() {
    let Some(db) = Database::new("a_new_build_that_is_worse_is_told_with_what_speaks_against_it").await
    else {
        return;
    };
    fleet(&db).await;
    // Build 42 came a day after 41.
    let sql =
        "DELETE FROM exposure_daily WHERE os_build = '42' AND day = (SELECT min(day) FROM exposure_daily)";
    db.sql().await.batch_execute(sql).await.unwrap();
    let worse = |max_ratio| Condition::WorseBuild {
        max_ratio,
        days: 30,
        class: String::new(),
    };
    let found = find(&db, &worse(1.1)).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].object, "42");
    assert_eq!(
        (found[0].summary.as_str(), found[0].path.as_str()),
        (
            "42 is worse than 41: oops 000000000000000000000000000000b1 on 12 hosts beside 0",
            "/builds?by=build&from=41&to=42&max_ratio=1.1&days=30"
        )
    );
    assert!(find(&db, &worse(1000.0)).await.unwrap().is_empty());
    let of_class = Condition::WorseBuild {
        max_ratio: 1.1,
        days: 20,
        class: "kernel.".to_owned(),
    };
    let found = find(&db, &of_class).await.unwrap();
    assert_eq!(
        found[0].path,
        "/builds?by=build&from=41&to=42&max_ratio=1.1&days=20&class=kernel."
    );
    let router = db.router(Anonymous::Viewer, &CancellationToken::new());
    let page = get(&router, &found[0].path).await;
    assert!(page.contains("verdict-worse"), "{page}");

    // It came hours after it, on the same day.
    let sql = "
        DELETE FROM exposure_daily WHERE os_build = '41' AND day = (SELECT min(day) FROM exposure_daily);
        INSERT INTO exposure
        SELECT agent_id, day + interval '3 hours' * (os_build = '42')::int, os_build, kernel_release, product, 3600
        FROM exposure_daily WHERE day = (SELECT min(day) FROM exposure_daily)";
    db.sql().await.batch_execute(sql).await.unwrap();
    let found = find(&db, &worse(1.1)).await.unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].object, "42");
}

/// A host with this kernel says how each hook is attached; empty: it is not.
async fn watches(db: &Database, kernel: &str, hooks: &[(&str, &str)]) {
    let sender = sender();
    let told = Host {
        kernel_release: kernel.to_owned(),
        ..host()
    };
    db.store.hello(&sender, &told, "1").await.unwrap();
    let hooks = hooks.iter().map(|(name, attach)| HookState {
        name: (*name).to_owned(),
        attach: (*attach).to_owned(),
        reason: "this kernel has no such tracepoint".to_owned(),
        ..HookState::default()
    });
    let beat = Record {
        class: "telemetry.heartbeat".to_owned(),
        kernel_release: kernel.to_owned(),
        payload: Some(Payload::Heartbeat(Heartbeat {
            hooks: hooks.collect(),
            ..Heartbeat::default()
        })),
        ..record("")
    };
    db.deliver(&sender, &[beat]).await;
}

#[tokio::test]
async fn a_kernel_that_lacks_a_hook_of_others_is_told_with_the_reason() {
    let test = "a_kernel_that_lacks_a_hook_of_others_is_told_with_the_reason";
    let Some(db) = Database::new(test).await else {
        return;
    };
    let missing = |hosts, hooks: &[&str]| Condition::MissingHook {
        hosts,
        min_share: 0.5,
        by: Dimension::Kernel,
        hooks: hooks.iter().map(|hook| (*hook).to_owned()).collect(),
    };
    let found_by = async |condition| find(&db, &condition).await.unwrap();
    for _ in 0..3 {
        watches(&db, "6.1", &[("mce_record", "tracepoint"), ("cxl_dram", "")]).await;
    }
    watches(&db, "6.12", &[("mce_record", ""), ("cxl_dram", "")]).await;
    assert!(found_by(missing(2, &[])).await.is_empty(), "one host is not two");
    watches(&db, "6.12", &[("mce_record", ""), ("cxl_dram", "")]).await;
    let found = found_by(missing(2, &[])).await;
    assert_eq!(found.len(), 1, "nobody has cxl_dram: {found:?}");
    assert_eq!((&*found[0].object, &*found[0].path), ("6.12", "/probes"));
    assert_eq!(
        found[0].summary,
        "mce_record is not attached on 2 of 2 hosts of 6.12: this kernel has no such tracepoint"
    );
    assert_eq!(
        found_by(missing(2, &["cxl_dram"])).await.len(),
        2,
        "it should be everywhere"
    );

    // What hosts said of another kernel, before they were started anew, does not count for the one that they run.
    let sql = db.sql().await;
    let runs = async |kernel: &str| {
        let update = format!("UPDATE hosts SET kernel_release = '{kernel}' WHERE kernel_release <> '6.1'");
        sql.batch_execute(&update).await.unwrap();
    };
    runs("6.13").await;
    assert!(found_by(missing(1, &[])).await.is_empty());
    runs("6.12").await;
    assert_eq!(found_by(missing(1, &[])).await.len(), 1);

    // What hosts said that were not heard since counts no longer.
    sql.batch_execute(
        "UPDATE hosts SET last_seen = now() - interval '25 hours' WHERE kernel_release = '6.12'",
    )
    .await
    .unwrap();
    assert!(found_by(missing(1, &[])).await.is_empty());
}

//! Fleets that are made up look like fleets.

use std::collections::BTreeSet;
use std::process::Stdio;
use std::time::Duration;

use faults::Class;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::process::Command;

use backend::{access::Anonymous, simulation::KERNELS};
use tokio_util::sync::CancellationToken;

use crate::{
    statistics::ok,
    support::{Database, get},
};

fn simulate(db: &Database) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_backend"));
    command.args(["simulate", "--json", "--database", &db.url]);
    command
}

/// Makes a fleet up; gives what is true of it.
async fn made(db: &Database) -> Value {
    let made = simulate(db).output().await.unwrap();
    assert!(made.status.success(), "{made:?}");
    serde_json::from_slice(&made.stdout).unwrap()
}

#[tokio::test]
async fn the_newest_faults_of_a_made_up_fleet_can_be_read_and_all_are_summed_up() {
    let test = "the_newest_faults_of_a_made_up_fleet_can_be_read_and_all_are_summed_up";
    let Some(db) = Database::new(test).await else {
        return;
    };
    made(&db).await;
    db.assert_balanced().await;
    for rollups in ["rollups", "rollups_daily"] {
        let apart = format!(
            "SELECT (SELECT sum(records) FROM {rollups} WHERE class <> 'telemetry.heartbeat')::bigint
                  - (SELECT sum(records) FROM sightings)::bigint"
        );
        assert_eq!(db.count(&apart).await, 0, "{rollups}");
    }
    let other_days = "SELECT count(*) FROM records r
                      LEFT JOIN sightings s ON s.agent_id = r.agent_id AND s.issue = r.issue AND s.first_at = r.received_at
                      WHERE NOT r.housekeeping AND (s.agent_id IS NULL OR r.received_at < now() - interval '9 days')";
    assert_eq!(db.count(other_days).await, 0);

    let faults = ok(&db, "/api/v1/faults").await;
    let faults = faults["faults"].as_array().unwrap();
    assert_eq!(faults.len(), 50);
    for fault in faults {
        let (host, record) = (&fault["host"], &fault["record"]);
        assert!(
            host["hostname"].as_str().unwrap().starts_with("simulated-"),
            "{fault}"
        );
        assert!(
            KERNELS.contains(&record["kernel_release"].as_str().unwrap()),
            "{fault}"
        );
    }
    let oopses = ok(&db, "/api/v1/faults?class=kernel.oops").await;
    let fault = ok(
        &db,
        &format!("/api/v1/faults/{}", oopses["faults"][0]["id"].as_str().unwrap()),
    )
    .await;
    let record = &fault["record"];
    let text = record["kernel_report"]["text"].as_str().unwrap();
    assert!(text.contains("simulated"), "{text}");
    assert_eq!(
        faults::reports(text.as_bytes())[0].report.title,
        record["title"].as_str().unwrap()
    );

    let router = db.router(Anonymous::Viewer, &CancellationToken::new());
    let overview = get(&router, "/").await;
    assert!(overview.contains("/faults?class=kernel.oops"), "{overview}");
    assert!(get(&router, "/faults").await.contains("What they are"));
}

#[tokio::test]
async fn a_made_up_fleet_has_issues_with_names_and_a_history_of_builds_and_updates() {
    let test = "a_made_up_fleet_has_issues_with_names_and_a_history_of_builds_and_updates";
    let Some(db) = Database::new(test).await else {
        return;
    };
    let truth = made(&db).await;

    let issues = ok(&db, "/api/v1/issues?page_size=500").await;
    let issues = issues["issues"].as_array().unwrap();
    let titles: BTreeSet<&str> = issues.iter().map(|one| one["title"].as_str().unwrap()).collect();
    assert_eq!((issues.len(), titles.len()), (52, 52), "{titles:?}");
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
    let heard_yesterday = "SELECT count(*) FROM hosts WHERE right(hostname, 6)::integer % 40 = 0
                           AND last_seen >= date_trunc('day', now(), 'UTC') - interval '1 day'";
    let tried = updates[1]["tried"].as_i64().unwrap();
    assert_eq!(tried, db.count(heard_yesterday).await, "each 40th host");
    assert!(tried > 40, "{tried}");
    assert_eq!(updates[1]["failed"], tried);

    let population = ok(&db, "/api/v1/population").await;
    let of = |build: &str| -> Vec<u64> {
        let rows = population["population"].as_array().unwrap().iter();
        let of_build = rows.filter(|row| row["name"] == build);
        of_build.map(|row| row["hosts"].as_u64().unwrap()).collect()
    };
    let (before, after) = (of("A"), of("B"));
    assert_eq!(before.last(), Some(&2000), "all begin with A: {population:#}");
    let heard = after[0];
    assert!((1800..2000).contains(&heard), "some are silent: {population:#}");
    let spread = after
        .iter()
        .position(|hosts| hosts == after.iter().max().unwrap());
    assert!(
        after[spread.unwrap()..].windows(2).all(|days| days[0] >= days[1]),
        "B spreads: {after:?}"
    );
}

#[tokio::test]
async fn a_made_up_fleet_is_alive() {
    let Some(db) = Database::new("a_made_up_fleet_is_alive").await else {
        return;
    };
    made(&db).await;
    let heard = db.count(HEARD).await;
    assert!((1800..2000).contains(&heard), "{heard}");
    assert_lifelike(&db).await;

    let router = db.router(Anonymous::Viewer, &CancellationToken::new());
    let probes = get(&router, "/probes").await;
    for words in [
        "printk_console",
        "before Linux 6.3",
        "500 of",
        "heard within a day",
    ] {
        assert!(probes.contains(words), "{words:?} is missing in {probes}");
    }
    let crashes = get(&router, "/crashes").await;
    assert_eq!(crashes.matches("class=\"group\"").count(), 5, "{crashes}");
}

#[tokio::test]
async fn a_made_up_fleet_lives_on_until_it_is_told_to_end() {
    let Some(db) = Database::new("a_made_up_fleet_lives_on_until_it_is_told_to_end").await else {
        return;
    };
    let beats = "SELECT count(*) FROM records WHERE class = 'telemetry.heartbeat'";
    // Each time it goes on its hosts are heard at once.
    for times in 1..=2 {
        let mut living = simulate(&db)
            .args(["--live", "--hosts", "200", "--days", "4"])
            .kill_on_drop(true)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let mut heard = false;
        for _ in 0..1200 {
            if db.count("SELECT count(*) FROM hosts").await == 200 {
                heard = db.count(beats).await == 200 + times * db.count(HEARD).await;
            }
            if heard {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert!(heard, "{} heartbeats after {times}", db.count(beats).await);
        let pid = Pid::from_raw(i32::try_from(living.id().unwrap()).unwrap()).unwrap();
        kill_process(pid, Signal::TERM).unwrap();
        assert!(living.wait().await.unwrap().success());
        db.assert_balanced().await;
        assert_lifelike(&db).await;
    }
    let refused = simulate(&db).output().await.unwrap();
    assert!(!refused.status.success(), "another fleet beside it");
}

/// Hosts of which an overview says that they are heard.
const HEARD: &str = "SELECT count(*) FROM hosts WHERE last_seen > now() - interval '17 minutes'";

/// Of each host everything tells the same.
async fn assert_lifelike(db: &Database) {
    for (what, sql) in [
        (
            "what happens after a host was last heard",
            "SELECT count(*) FROM sightings s JOIN hosts h USING (agent_id) WHERE s.first_at > h.last_seen",
        ),
        (
            "errors of modules after that",
            "SELECT count(*) FROM part_hours p JOIN hosts h USING (agent_id) WHERE p.hour > h.last_seen",
        ),
        (
            "hosts without a heartbeat, which is the last record of each",
            "SELECT count(*) FROM hosts h LEFT JOIN senders s ON s.agent_id = h.agent_id AND s.stored_at = h.last_seen
             LEFT JOIN records r ON r.agent_id = h.agent_id AND r.seq = s.stored_seq AND r.class = 'telemetry.heartbeat'
             WHERE r.id IS NULL",
        ),
        (
            "hosts that are watched longer than they are heard",
            "SELECT count(*) FROM (SELECT agent_id, sum(seconds) AS seconds FROM exposure GROUP BY 1) e JOIN hosts h USING (agent_id)
             WHERE abs(e.seconds - extract(epoch FROM h.last_seen - h.first_seen)) > 1",
        ),
        (
            "hosts whose last boot is not the one that they tell",
            "SELECT count(*) FROM hosts h LEFT JOIN boots b ON b.agent_id = h.agent_id AND b.boot_id = h.boot_id
             WHERE b.last_beat_at IS NULL OR b.last_beat_at NOT BETWEEN h.last_seen - interval '1 second' AND h.last_seen",
        ),
        (
            "ends of boots that did not end then, or after which no boot began",
            "SELECT count(*) FROM records r
             LEFT JOIN boots b ON b.agent_id = r.agent_id AND b.last_beat_at = r.occurred_at
             LEFT JOIN boots n ON n.agent_id = r.agent_id AND n.first_beat_at = r.received_at
             WHERE r.class = 'boot.end' AND (b.boot_id IS NULL OR n.boot_id IS NULL)",
        ),
        (
            "issues that came back, but one",
            "SELECT count(*) - 1 FROM v_issues i WHERE state = 'regressed'
             AND (SELECT count(*) FROM triage_history h WHERE h.issue = i.issue) = 2",
        ),
    ] {
        assert_eq!(db.count(sql).await, 0, "{what}");
    }
}

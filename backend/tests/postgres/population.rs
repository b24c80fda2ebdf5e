//! Who runs what by the day, and how updates went.

use proto::v1::{Custom, Host, Record, record::Payload};
use serde_json::{Value, json};

use crate::{
    statistics::{fleet, ok},
    support::{Database, host, record, sender},
};

/// A host that says which build it runs.
pub(crate) async fn runs(db: &Database, sender: &backend::store::Sender, os_build: &str) {
    let told = Host {
        os_build: os_build.to_owned(),
        ..host()
    };
    db.store.hello(sender, &told, "1").await.unwrap();
}

fn swupd(from: &str, to: &str, result: u32) -> Record {
    Record {
        payload: Some(Payload::Custom(Custom {
            classification: "org.clearlinux/swupd-client/update".to_owned(),
            payload: format!("current_version={from}\nserver_version={to}\nresult={result}\n"),
            ..Custom::default()
        })),
        ..record("update")
    }
}

pub(crate) fn on_latest_day(answer: &Value) -> Vec<(&str, u64)> {
    let rows = answer["population"].as_array().unwrap();
    let latest = &rows[0]["day"];
    let rows = rows.iter().filter(|row| row["day"] == *latest);
    rows.map(|row| (row["name"].as_str().unwrap(), row["hosts"].as_u64().unwrap()))
        .collect()
}

#[tokio::test]
async fn hosts_are_counted_by_day_and_what_they_run_however_often_it_is_done() {
    let Some(db) = Database::new("hosts_are_counted_by_day_and_what_they_run_however_often_it_is_done").await
    else {
        return;
    };
    fleet(&db).await;
    for _ in 0..2 {
        db.store.count_population().await.unwrap();
    }
    let builds = ok(&db, "/api/v1/population").await;
    assert_eq!(on_latest_day(&builds), [("41", 60), ("42", 60)], "{builds:#}");
    let models = ok(&db, "/api/v1/population?by=model&days=3").await;
    assert_eq!(on_latest_day(&models), [("A", 60), ("B", 60)]);
    assert_eq!(
        on_latest_day(&ok(&db, "/api/v1/population?by=all").await),
        [("", 120)]
    );
    let days = "SELECT count(DISTINCT day) FROM v_population";
    assert_eq!(
        db.count(days).await,
        10,
        "days that were before the first count are counted too"
    );
    let hours = "SELECT sum(host_hours)::bigint FROM v_population WHERE dimension = 'all'";
    assert_eq!(db.count(hours).await, 120 * 240);
}

#[tokio::test]
async fn updates_are_told_by_where_they_lead_and_how_they_went() {
    let Some(db) = Database::new("updates_are_told_by_where_they_lead_and_how_they_went").await else {
        return;
    };
    let hosts = [sender(), sender(), sender(), sender()];
    for host in &hosts {
        runs(&db, host, "41").await;
    }
    // The first updates and stays, the second goes back, the third fails, the fourth does nothing.
    runs(&db, &hosts[0], "42").await;
    runs(&db, &hosts[1], "42").await;
    runs(&db, &hosts[1], "41").await;
    for (host, record) in [
        (&hosts[0], swupd("41", "42", 0)),
        (&hosts[2], swupd("41", "42", 28)),
    ] {
        for _time in 0..2 {
            db.deliver(host, std::slice::from_ref(&record)).await;
        }
    }
    let answer = ok(&db, "/api/v1/updates").await;
    assert_eq!(
        answer["updates"],
        json!([
            { "from": "41", "to": "42", "tried": 3, "succeeded": 2, "failed": 1, "went_back": 1 },
            { "from": "42", "to": "41", "tried": 1, "succeeded": 1, "failed": 0, "went_back": 0 },
        ])
    );
    assert_eq!(db.count("SELECT count(*) FROM updates").await, 5);
    assert_eq!(
        db.count("SELECT sum(hosts)::bigint FROM v_updates WHERE outcome = 'failed'")
            .await,
        1
    );
    // Whoever tries again and succeeds has not failed.
    runs(&db, &hosts[2], "42").await;
    let again = ok(&db, "/api/v1/updates?days=1").await;
    assert_eq!(
        (&again["updates"][0]["succeeded"], &again["updates"][0]["failed"]),
        (&json!(3), &json!(0))
    );
}

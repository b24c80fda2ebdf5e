//! What people are told of an issue goes on under the name of its successor.

use std::{collections::BTreeSet, time::Duration};

use backend::alerts::{self, Rules};

use crate::{
    regrouping::{Fleet, issue, old, regroup},
    support::Database,
};

#[tokio::test]
async fn open_alerts_and_silences_follow_an_issue_to_its_successor() {
    let test = "open_alerts_and_silences_follow_an_issue_to_its_successor";
    let Some(db) = Database::new(test).await else {
        return;
    };
    Fleet::new(&db).await.tell_all(old).await;
    db.counted().await;
    let rules = Rules::parse(
        "[[target]]
         name = 'nobody'
         by = { webhook = { url = 'http://127.0.0.1:1/' } }
         [[rule]]
         name = 'new'
         when = { new_issue = { hosts = 1, within = '1d' } }
         targets = ['nobody']",
    )
    .unwrap();
    alerts::look(&db.store, &rules).await.unwrap();
    let hour = Duration::from_hours(1);
    let cable = issue(1, "cable");
    db.store
        .silence("new", &cable, hour, "ada", "known")
        .await
        .unwrap();
    let (sector, link) = (issue(2, "bad-sector"), issue(2, "link-down"));
    // They are open for an hour, and the successor of one had an alert once.
    let sql = format!(
        "UPDATE alerts SET since = since - interval '1 hour';
         INSERT INTO alerts (rule, object, severity, summary, path, ended_at) VALUES ('new', '{sector}', 1, '', '', now())"
    );
    db.sql().await.batch_execute(&sql).await.unwrap();
    let told = "SELECT count(*) FROM alert_messages";
    assert_eq!(db.count(told).await, 2);

    regroup(&db).await;
    // Whoever looks finds what is open already.
    alerts::look(&db.store, &rules).await.unwrap();
    let open = db.store.open_alerts_listed().await.unwrap();
    let objects: BTreeSet<&str> = open.iter().map(|one| one["object"].as_str().unwrap()).collect();
    assert_eq!(objects, BTreeSet::from([&*sector, &*link]), "{open:#?}");
    for alert in &open {
        assert_eq!(alert["silenced"], alert["object"] == link.as_str(), "{alert}");
    }
    let since_then =
        "SELECT count(*) FROM alerts WHERE ended_at IS NULL AND since < now() - interval '30 minutes'";
    assert_eq!(db.count(since_then).await, 2, "they are not new");
    assert_eq!(db.count("SELECT count(*) FROM alerts").await, 2);
    assert_eq!(db.count(told).await, 2, "nobody is told twice");
    let waiting = format!(
        "SELECT count(*) FROM alert_messages
         WHERE message->>'object' IN ('{sector}', '{link}') AND message->>'path' = '/issues/' || (message->>'object')"
    );
    assert_eq!(db.count(&waiting).await, 2, "what waits names the successor");
}

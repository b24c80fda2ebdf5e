//! What is counted as it is stored: the books, rollups by day, the time for which hosts were watched, and what retention
//! gives up.

use proto::v1::{Batch, Heartbeat, Host, Record, Severity, record::Payload};

use crate::support::{Database, batch, encoded, host, record, sender};

/// 2023-11-14 22:13:20 UTC, the `occurred_at` of the records of these tests, nanoseconds.
const THEN: u64 = 1_700_000_000_000_000_000;

fn beat(boot: &str, after_s: u64, uptime_s: u64) -> Record {
    Record {
        occurred_at_unix_ns: THEN + after_s * 1_000_000_000,
        class: "telemetry.heartbeat".to_owned(),
        boot_id: boot.to_owned(),
        kernel_release: "6.1.0-old".to_owned(),
        payload: Some(Payload::Heartbeat(Heartbeat {
            agent_uptime_s: uptime_s,
            ..Heartbeat::default()
        })),
        ..record("")
    }
}

#[tokio::test]
async fn heartbeats_account_for_the_time_that_a_host_was_watched() {
    let Some(db) = Database::new("heartbeats_account_for_the_time_that_a_host_was_watched").await else {
        return;
    };
    let sender = sender();
    let built = Host {
        os_build: "41".to_owned(),
        product: "Model T".to_owned(),
        ..host()
    };
    db.store.hello(&sender, &built, "1").await.unwrap();
    let mut next_seq = 1;
    let mut deliver = async |beats: &[Record]| {
        let batch = Batch {
            first_seq: next_seq,
            records: beats.iter().map(encoded).collect(),
        };
        next_seq += beats.len() as u64;
        db.store.deliver(&sender, batch).await.unwrap();
    };
    let seconds = async || db.count("SELECT sum(seconds)::bigint FROM exposure").await;
    deliver(&[beat("a", 0, 10)]).await;
    assert_eq!(seconds().await, 10, "the agent started 10 s ago");
    deliver(&[beat("a", 300, 310), beat("a", 600, 610)]).await;
    assert_eq!(seconds().await, 610, "since the first");
    deliver(&[beat("a", 600, 610), beat("a", 500, 510)]).await;
    assert_eq!(
        seconds().await,
        610,
        "an old one, and one of the same moment, add nothing"
    );
    deliver(&[beat("a", 1600, 50)]).await;
    assert_eq!(seconds().await, 660, "the agent was away and is back for 50 s");
    deliver(&[beat("b", 4000, 100)]).await;
    assert_eq!(seconds().await, 760, "another boot");
    assert_eq!(db.count("SELECT count(*) FROM boots").await, 2);
    assert_eq!(
        db.count("SELECT count(DISTINCT hour) FROM exposure WHERE os_build = '41' AND product = 'Model T' AND kernel_release = '6.1.0-old'")
            .await,
        2,
        "by hours of the host's clock"
    );
    assert_eq!(
        db.count("SELECT sum(seconds)::bigint FROM exposure_daily").await,
        760,
        "and by days"
    );
    db.assert_balanced().await;
}

#[tokio::test]
async fn days_add_up_to_their_hours() {
    let Some(db) = Database::new("days_add_up_to_their_hours").await else {
        return;
    };
    let sender = sender();
    db.store.hello(&sender, &host(), "1").await.unwrap();
    db.store.deliver(&sender, batch(1, 7)).await.unwrap();
    db.store.deliver(&sender, batch(8, 5)).await.unwrap();
    assert_eq!(db.count("SELECT sum(records)::bigint FROM rollups").await, 12);
    assert_eq!(
        db.count("SELECT sum(records)::bigint FROM rollups_daily").await,
        12
    );
}

/// Moves all records to a day that is over.
async fn age(db: &Database, days: u32) {
    let sql = db.sql().await;
    let row = sql
        .query_one(
            &format!(
                "SELECT to_char(day, 'YYYYMMDD'), to_char(day, 'YYYY-MM-DD'), to_char(day + interval '1 day', 'YYYY-MM-DD')
                 FROM (SELECT (now() AT TIME ZONE 'UTC')::date - {days} AS day) AS d"
            ),
            &[],
        )
        .await
        .unwrap();
    let (name, from, to): (String, String, String) = (row.get(0), row.get(1), row.get(2));
    sql.batch_execute(&format!(
        "CREATE TABLE records_{name} PARTITION OF records FOR VALUES FROM ('{from} 00:00:00Z') TO ('{to} 00:00:00Z');
         UPDATE records SET received_at = '{from} 12:00:00Z' WHERE received_at > now() - interval '1 day'"
    ))
    .await
    .unwrap();
}

#[tokio::test]
async fn retention_gives_up_what_its_first_matching_rule_says_and_the_books_stay_balanced() {
    let test = "retention_gives_up_what_its_first_matching_rule_says_and_the_books_stay_balanced";
    let Some(db) = Database::new(test).await else {
        return;
    };
    let (sender, kept) = (sender(), sender());
    for sender in [&sender, &kept] {
        db.store.hello(sender, &host(), "1").await.unwrap();
    }
    let oops = |severity: Severity| {
        encoded(&Record {
            class: "kernel.oops".to_owned(),
            severity: severity.into(),
            ..record("")
        })
    };
    let mut sent = batch(1, 3);
    sent.records
        .extend([oops(Severity::High), oops(Severity::Critical)]);
    db.store.deliver(&sender, sent.clone()).await.unwrap();
    db.store.deliver(&kept, sent).await.unwrap();
    age(&db, 40).await;
    db.store.upkeep().await.unwrap();
    assert_eq!(
        db.count("SELECT count(*) FROM records").await,
        10,
        "without a rule all is kept"
    );

    let rules = format!(
        "INSERT INTO retention (position, class, max_severity, agent_id, keep_days)
         VALUES (1, '', 4, '{}', NULL), (2, 'kernel.', 3, NULL, 35), (3, 'custom', 4, NULL, 5)",
        kept.agent_id
    );
    db.sql().await.batch_execute(&rules).await.unwrap();
    db.store.upkeep().await.unwrap();
    assert_eq!(
        db.count("SELECT count(*) FROM records").await,
        5 + 1,
        "critical ones match no rule"
    );
    db.assert_balanced().await;

    db.sql()
        .await
        .batch_execute("DELETE FROM retention; INSERT INTO retention (position, keep_days) VALUES (1, 39)")
        .await
        .unwrap();
    db.store.upkeep().await.unwrap();
    assert_eq!(db.count("SELECT count(*) FROM records").await, 0);
    assert_eq!(
        db.count("SELECT count(*) FROM pg_class WHERE relname = 'records_' || to_char((now() AT TIME ZONE 'UTC')::date - 40, 'YYYYMMDD')")
            .await,
        0,
        "the partition is gone"
    );
    assert_eq!(db.count("SELECT sum(stored)::bigint FROM books").await, 10);
    db.assert_balanced().await;
}

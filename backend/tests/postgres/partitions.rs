//! Records always find a place, and end up in the partition of their day.

use backend::store::Verdict;

use crate::support::{Database, batch, host, record, sender};

#[tokio::test]
async fn records_without_a_partition_are_taken_and_moved_when_there_is_one() {
    let Some(db) = Database::new("records_without_a_partition_are_taken_and_moved_when_there_is_one").await
    else {
        return;
    };
    let sql = db.sql().await;
    let today: String = sql
        .query_one(
            "SELECT 'records_' || to_char(now() AT TIME ZONE 'UTC', 'YYYYMMDD')",
            &[],
        )
        .await
        .unwrap()
        .get(0);
    sql.batch_execute(&format!("DROP TABLE {today}")).await.unwrap();
    let sender = sender();
    db.store.hello(&sender, &host(), "1").await.unwrap();
    db.store.deliver(&sender, batch(1, 5)).await.unwrap();
    assert_eq!(db.count("SELECT count(*) FROM records_default").await, 5);

    db.store.migrate().await.unwrap();
    assert_eq!(db.count("SELECT count(*) FROM records_default").await, 0);
    assert_eq!(db.count(&format!("SELECT count(*) FROM {today}")).await, 5);
    db.store.deliver(&sender, batch(6, 5)).await.unwrap();
    assert_eq!(db.count(&format!("SELECT count(*) FROM {today}")).await, 10);
    db.assert_balanced().await;
}

#[tokio::test]
async fn records_of_past_days_are_moved_to_their_own_and_expire() {
    let Some(db) = Database::new("records_of_past_days_are_moved_to_their_own_and_expire").await else {
        return;
    };
    // Nobody has made partitions for 40 days.
    db.tell(&vec![record("one"); 80]).await;
    let sql = db.sql().await;
    sql.batch_execute(
        "UPDATE records SET received_at = now() - interval '1 day' * (seq / 2);
         INSERT INTO retention (position, keep_days) VALUES (1, 20)",
    )
    .await
    .unwrap();
    let check = async || {
        let found = db.store.check(jiff::Timestamp::now()).await.unwrap();
        let found = found.into_iter().find(|condition| condition.what == "partitions");
        found.map(|condition| (condition.verdict, condition.detail))
    };
    let (verdict, detail) = check().await.unwrap();
    assert_eq!(verdict, Verdict::Warning);
    assert!(detail.starts_with("records_default has records"), "{detail}");

    // The oldest first, and a month of them at once.
    db.store.upkeep().await.unwrap();
    let strays = "SELECT count(DISTINCT received_at) FROM records_default";
    assert_eq!(db.count(strays).await, 9);
    let expired = "SELECT count(*) FROM records WHERE received_at < now() - interval '21 days'";
    assert_eq!(db.count(expired).await, 0);
    db.store.upkeep().await.unwrap();
    assert_eq!(db.count(strays).await, 0);
    assert_eq!(db.count("SELECT count(*) FROM records").await, 41);
    assert_eq!(check().await.map(|found| found.0), Some(Verdict::Good));
    let indexes = "SELECT count(DISTINCT indexes) FROM (
                       SELECT count(*) AS indexes FROM pg_indexes WHERE tablename ~ '^records' GROUP BY tablename) t";
    assert_eq!(db.count(indexes).await, 1, "each has those of the table, once");
    db.assert_balanced().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn collectors_that_start_together_migrate_once() {
    let Some(db) = Database::new("collectors_that_start_together_migrate_once").await else {
        return;
    };
    let mut together = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let store = db.store.clone();
        together.spawn(async move { store.migrate().await.unwrap() });
    }
    together.join_all().await;
    // Each migration has a version of its own.
    assert_eq!(
        db.count("SELECT count(*) FROM refinery_schema_history").await,
        db.count("SELECT count(DISTINCT version) FROM refinery_schema_history")
            .await
    );
    assert!(
        db.count("SELECT count(*) FROM pg_inherits WHERE inhparent = 'records'::regclass")
            .await
            >= 9
    );
}

#[tokio::test]
async fn large_records_are_compressed_by_lz4_where_the_server_can() {
    let Some(db) = Database::new("large_records_are_compressed_by_lz4_where_the_server_can").await else {
        return;
    };
    let known = "SELECT count(*) FROM pg_settings WHERE name = 'default_toast_compression' AND 'lz4' = ANY (enumvals)";
    if db.count(known).await == 0 {
        testing::skip(
            "large_records_are_compressed_by_lz4_where_the_server_can",
            "PostgreSQL without lz4",
        );
        return;
    }
    let without = "SELECT count(*) FROM pg_attribute
                   WHERE attname = 'record' AND attcompression <> 'l'
                     AND (attrelid = 'records'::regclass
                          OR attrelid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = 'records'::regclass))";
    assert_eq!(db.count(without).await, 0, "tables with another compression");
}

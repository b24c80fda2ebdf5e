//! Records always find a place, and end up in the partition of their day.

use crate::support::{Database, batch, host, sender};

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

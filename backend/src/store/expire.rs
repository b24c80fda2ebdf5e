//! Retention: records that the rules give up, a partition at once where it can be; and sums by the hour, of which those by day stay.

use tokio_postgres::Client;

use super::{StoreError, filter};

/// Rows that are deleted in one transaction.
const PIECE: i64 = 10_000;
/// Pieces that a table of sums gives up in one turn: whoever migrates waits for it. The next turn goes on.
const PIECES: u32 = 100;
/// Days for which there are sums by the hour: a host has 24 of each kind a day.
const HOURLY_DAYS: i32 = 100;

/// Whether a record `r` is past what the first rule that matches it keeps. None matches: it is kept.
fn expired() -> String {
    let of_class = filter::is_of_class("r.class", "rule.class");
    format!(
        "coalesce(r.received_at < now() - interval '1 day' * (
             SELECT rule.keep_days FROM retention rule
             WHERE {of_class} AND r.severity <= rule.max_severity
               AND (rule.agent_id IS NULL OR rule.agent_id = r.agent_id)
             ORDER BY rule.position LIMIT 1), false)"
    )
}

/// Counts what `gone` held as expired, for the books.
const ACCOUNT: &str = "counted AS (
        SELECT agent_id, epoch, count(*) AS records FROM gone GROUP BY agent_id, epoch
    ), locked AS MATERIALIZED (
        SELECT s.agent_id, s.epoch, c.records FROM senders s
        JOIN counted c ON c.agent_id = s.agent_id AND c.epoch = s.epoch
        ORDER BY s.agent_id, s.epoch FOR UPDATE OF s
    )
    UPDATE senders s SET expired = s.expired + l.records
    FROM locked l WHERE l.agent_id = s.agent_id AND l.epoch = s.epoch";

/// Gives up what the rules give up. Safe to repeat, and to be interrupted: the books stay balanced at each commit.
pub(super) async fn expire(client: &mut Client) -> Result<(), StoreError> {
    // A partition is looked at when its youngest record may have expired by some rule.
    let old = client
        .query(
            "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
             WHERE i.inhparent = 'records'::regclass AND c.relname ~ '^records_[0-9]{8}$'
               AND to_date(right(c.relname, 8), 'YYYYMMDD') <
                   (now() AT TIME ZONE 'UTC')::date - (SELECT min(keep_days) FROM retention)
             ORDER BY c.relname",
            &[],
        )
        .await?;
    for row in old {
        let partition: String = row.get(0);
        if drop_whole(client, &partition).await? {
            tracing::info!(partition, "all its records have expired, it is dropped");
        } else {
            delete(client, &partition).await?;
        }
    }
    Ok(())
}

/// Gives up the sums by the hour of days that are long over: `rollups_daily` and `exposure_daily` have the same by day.
pub(super) async fn expire_hours(client: &Client) -> Result<(), StoreError> {
    for table in ["rollups", "exposure"] {
        let sql = format!(
            "DELETE FROM {table} WHERE ctid = ANY (ARRAY(
                 SELECT ctid FROM {table} WHERE hour < now() - make_interval(days => $1) ORDER BY hour LIMIT $2))"
        );
        for _ in 0..PIECES {
            if client.execute(&sql, &[&HOURLY_DAYS, &PIECE]).await? == 0 {
                break;
            }
        }
    }
    Ok(())
}

/// Drops a partition of which nothing is kept. False: something is.
async fn drop_whole(client: &mut Client, partition: &str) -> Result<bool, StoreError> {
    let transaction = client.transaction().await?;
    // Nothing new comes into a day that is over; reports by netconsole may still be joined there.
    let quiet = format!("SET LOCAL lock_timeout = '3s'; LOCK TABLE {partition} IN SHARE ROW EXCLUSIVE MODE");
    transaction.batch_execute(&quiet).await?;
    let kept = format!(
        "SELECT EXISTS (SELECT FROM {partition} r WHERE NOT {})",
        expired()
    );
    if transaction.query_one(&kept, &[]).await?.get(0) {
        return Ok(false);
    }
    let account = format!("WITH gone AS (SELECT agent_id, epoch FROM {partition}), {ACCOUNT}");
    transaction.execute(&account, &[]).await?;
    // Only now everybody else has to wait: for the moment that this takes.
    transaction
        .batch_execute(&format!("DROP TABLE {partition}"))
        .await?;
    transaction.commit().await?;
    Ok(true)
}

/// Deletes what has expired of a partition, a piece at a time.
async fn delete(client: &mut Client, partition: &str) -> Result<(), StoreError> {
    let expired = expired();
    let sql = format!(
        "WITH gone AS (
             DELETE FROM {partition} WHERE ctid = ANY (ARRAY(
                 SELECT r.ctid FROM {partition} r WHERE {expired} LIMIT $1))
             RETURNING agent_id, epoch
         ), {ACCOUNT}"
    );
    loop {
        // Each row of `senders` that changes stands for at least one record.
        if client.execute(&sql, &[&PIECE]).await? == 0 {
            return Ok(());
        }
    }
}

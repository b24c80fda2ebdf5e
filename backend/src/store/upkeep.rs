//! The schema, and the partitions of `records`, which are made ahead of time and dropped when their time is over.

use std::time::Duration;

use tokio_postgres::Client;
use tokio_util::sync::CancellationToken;

use super::{Store, StoreError, connect, expire, once};

mod migrations {
    refinery::embed_migrations!("migrations");
}

/// Days for which partitions are made ahead, today's included.
const DAYS_AHEAD: i32 = 8;
/// Days of which one turn moves records from the default partition: each takes a while. The next turn goes on.
const DAYS_MOVED: i64 = 31;
/// How soon after a start partitions are looked after: a collector may not live to see an hour.
const FIRST: Duration = Duration::from_mins(1);
/// How often after that.
const EVERY: Duration = Duration::from_hours(1);
/// How soon it is tried again after a failure.
const RETRY: Duration = Duration::from_mins(1);
/// Held while the schema changes, so that collectors that start together don't migrate together. "telemetr" in ASCII.
const SCHEMA_LOCK: i64 = 0x7465_6c65_6d65_7472;

/// Version of the last migration that this program has.
pub(super) fn latest_migration() -> i32 {
    let runner = migrations::migrations::runner();
    let versions = runner.get_migrations().iter().map(refinery::Migration::version);
    versions.max().unwrap_or(0)
}

impl Store {
    /// Brings the schema up to date and makes the next partitions. Safe to call by several collectors at once.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        let mut client = connect::single(&self.config).await?;
        client
            .execute("SELECT pg_advisory_lock($1)", &[&SCHEMA_LOCK])
            .await?;
        let report = migrations::migrations::runner()
            .run_async(&mut client)
            .await
            .map_err(|error| StoreError::Migration(Box::new(error)))?;
        for migration in report.applied_migrations() {
            tracing::info!(%migration, "schema migrated");
        }
        make_partitions(&mut client).await
        // The lock goes with the connection.
    }

    /// Makes the roles that users of the database are granted (`roles.sql` says which may do what). Safe to repeat.
    pub async fn make_roles(&self) -> Result<(), StoreError> {
        let client = connect::single(&self.config).await?;
        client
            .execute("SELECT pg_advisory_lock($1)", &[&SCHEMA_LOCK])
            .await?;
        Ok(client.batch_execute(include_str!("roles.sql")).await?)
    }

    /// Makes partitions ahead of time, and gives up what `retention` gives up, until `shutdown`.
    pub async fn keep_up(&self, shutdown: &CancellationToken) {
        let mut pause = FIRST;
        while shutdown
            .run_until_cancelled(tokio::time::sleep(pause))
            .await
            .is_some()
        {
            pause = match self.upkeep().await {
                Ok(()) => EVERY,
                Err(error) => {
                    // Nothing is lost: partitions exist for days, and the default partition takes what has none.
                    tracing::warn!(error = %super::chain(&error), "partitions could not be looked after, trying again later");
                    RETRY
                }
            };
        }
    }

    /// Does it once.
    pub async fn upkeep(&self) -> Result<(), StoreError> {
        let mut client = connect::single(&self.config).await?;
        client
            .execute("SELECT pg_advisory_lock($1)", &[&SCHEMA_LOCK])
            .await?;
        make_partitions(&mut client).await?;
        move_strays(&mut client).await?;
        once::forget(&client).await?;
        expire::expire(&mut client).await?;
        expire::expire_hours(&client).await
    }
}

/// Makes the partitions of the next days that are missing.
async fn make_partitions(client: &mut Client) -> Result<(), StoreError> {
    let missing = client
        .query(
            "SELECT to_char(day, 'YYYY-MM-DD')
             FROM generate_series(date_trunc('day', now() AT TIME ZONE 'UTC'),
                                  date_trunc('day', now() AT TIME ZONE 'UTC') + ($1 - 1) * interval '1 day',
                                  interval '1 day') AS day
             WHERE to_regclass('records_' || to_char(day, 'YYYYMMDD')) IS NULL",
            &[&DAYS_AHEAD],
        )
        .await?;
    for row in missing {
        make_partition(client, row.get(0)).await?;
    }
    Ok(())
}

/// Makes partitions for what the default partition has of other days, the oldest first: nobody made them in time.
async fn move_strays(client: &mut Client) -> Result<(), StoreError> {
    let days = client
        .query(
            "SELECT DISTINCT to_char(received_at AT TIME ZONE 'UTC', 'YYYY-MM-DD') FROM records_default ORDER BY 1 LIMIT $1",
            &[&DAYS_MOVED],
        )
        .await?;
    for row in days {
        make_partition(client, row.get(0)).await?;
    }
    Ok(())
}

/// Makes the partition of a day (UTC), with what the default partition took of it.
async fn make_partition(client: &mut Client, day: &str) -> Result<(), StoreError> {
    let name = format!("records_{}", day.replace('-', ""));
    let (from, to) = (
        format!("timestamptz '{day} 00:00:00Z'"),
        format!("timestamptz '{day} 00:00:00Z' + interval '24 hours'"),
    );
    // Records move in before the new one is attached: PostgreSQL refuses a partition whose rows are elsewhere.
    let transaction = client.transaction().await?;
    transaction
        .batch_execute(&format!(
            // Attaching waits for whoever reads the default partition, and everyone else then waits for it: indexes are made before.
            "SET LOCAL lock_timeout = '3s';
             LOCK TABLE records_default IN EXCLUSIVE MODE;
             CREATE TABLE {name} (LIKE records INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING COMPRESSION INCLUDING INDEXES);
             WITH moved AS (
                 DELETE FROM records_default WHERE received_at >= {from} AND received_at < {to} RETURNING *
             )
             INSERT INTO {name} SELECT * FROM moved;
             ALTER TABLE records ATTACH PARTITION {name} FOR VALUES FROM ({from}) TO ({to})"
        ))
        .await?;
    transaction.commit().await?;
    tracing::debug!(partition = name, "partition made");
    Ok(())
}

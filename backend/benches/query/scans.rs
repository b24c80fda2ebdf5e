//! Which large tables a call goes through from beginning to end: what an index is missing for.

use std::{collections::BTreeMap, time::Duration};

use anyhow::Result;
use axum::Router;
use tokio_postgres::{Client, NoTls};

use super::answer;

/// Rows from which on a table is large.
const LARGE: i64 = 10_000;
/// A server process tells what it counted once it has been idle for so long at most (`PGSTAT_IDLE_INTERVAL` of PostgreSQL 15,
/// `src/backend/utils/activity/pgstat.c`: 10 s).
const TOLD_WITHIN: Duration = Duration::from_secs(11);

/// Counts of sequential scans.
pub(crate) struct Scans(Client);

impl Scans {
    pub(crate) async fn connect(url: &str) -> Result<Self> {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
        tokio::spawn(connection);
        Ok(Self(client))
    }

    /// The large tables that a call goes through, each with how often.
    pub(crate) async fn of(&self, router: &Router, address: &str) -> Result<Vec<String>> {
        tokio::time::sleep(TOLD_WITHIN).await;
        let before = self.counts().await?;
        answer(router, address).await?;
        tokio::time::sleep(TOLD_WITHIN).await;
        let after = self.counts().await?;
        let more = after.into_iter().filter_map(|(table, count)| {
            let more = count - before.get(&table).copied().unwrap_or(0);
            (more > 0).then(|| format!("{table} ({more} times)"))
        });
        Ok(more.collect())
    }

    async fn counts(&self) -> Result<BTreeMap<String, i64>> {
        let sql = "SELECT relname::text, seq_scan FROM pg_stat_user_tables WHERE n_live_tup >= $1";
        let rows = self.0.query(sql, &[&LARGE]).await?;
        Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
    }
}

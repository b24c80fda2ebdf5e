//! Who runs what, and how updates from one build to another went.

use std::collections::BTreeSet;

use deadpool_postgres::Transaction;
use serde::{Deserialize, Serialize};
use tokio_postgres::Row;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Store, StoreError, clean, count, plan::Plan, time::Micros};

/// Days that can be looked back.
const DAYS: u32 = 366;
/// Rows of an answer at most.
const ROWS: i64 = 10_000;
/// A host that goes back to the build before within so many days had its reason.
const BACK_DAYS: i32 = 7;

/// What hosts are counted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum PopulationBy {
    /// The build of the system.
    #[default]
    Build,
    /// The kernel's release.
    Kernel,
    /// The hardware model.
    Model,
    /// The processor.
    Cpu,
    /// Nothing: all hosts.
    All,
}

impl PopulationBy {
    fn name(self) -> &'static str {
        match self {
            Self::Build => "build",
            Self::Kernel => "kernel",
            Self::Model => "model",
            Self::Cpu => "cpu",
            Self::All => "all",
        }
    }
}

/// Hosts that ran something on a day.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = PopulationOfDay)]
pub struct Population {
    /// The day (UTC), such as 2026-01-08.
    pub day: String,
    /// What they ran; empty: not known, or all.
    pub name: String,
    /// How many.
    pub hosts: u64,
    /// For how many hours they were watched together.
    pub host_hours: f64,
}

/// How updates from one build to another went, in hosts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct UpdatePath {
    /// Build before.
    pub from: String,
    /// Build after.
    pub to: String,
    /// Hosts of which anything is known: those that run it, and those whose program that updates said how it went.
    pub tried: u64,
    /// Of these, hosts that came to run it.
    pub succeeded: u64,
    /// Hosts that were told it failed and did not come to run it.
    pub failed: u64,
    /// Of those that succeeded, hosts that ran the build before again within 7 days.
    pub went_back: u64,
}

impl Store {
    /// Counts the hosts of the last three days, and of earlier ones that were not counted yet. Safe to be called by several collectors
    /// at once.
    pub async fn count_population(&self) -> Result<(), StoreError> {
        let mut client = self.client().await?;
        let days = client
            .query(
                "SELECT d.day FROM generate_series(
                     date_trunc('day', greatest((SELECT min(day) FROM exposure_daily), now() - make_interval(days => $1)), 'UTC'),
                     now(), interval '24 hours') AS d(day)
                 WHERE d.day > now() - interval '3 days'
                    OR NOT EXISTS (SELECT FROM population p WHERE p.day = d.day)",
                &[&i32::try_from(DAYS).unwrap_or(i32::MAX)],
            )
            .await?;
        for row in days {
            let day: Micros = row.get(0);
            let transaction = client.transaction().await?;
            transaction
                .batch_execute("LOCK TABLE population IN SHARE ROW EXCLUSIVE MODE")
                .await?;
            transaction
                .execute("DELETE FROM population WHERE day = $1", &[&day])
                .await?;
            transaction
                .execute(
                    "INSERT INTO population (day, dimension, name, hosts, host_hours)
                     SELECT $1, CASE WHEN grouping(e.os_build) = 0 THEN 'build' WHEN grouping(e.kernel_release) = 0 THEN 'kernel'
                                     WHEN grouping(e.product) = 0 THEN 'model' WHEN grouping(e.cpu) = 0 THEN 'cpu' ELSE 'all' END,
                            coalesce(e.os_build, e.kernel_release, e.product, e.cpu, ''), count(DISTINCT e.agent_id),
                            sum(e.seconds) / 3600
                     FROM (SELECT x.*, coalesce(h.cpu_model, '') AS cpu FROM exposure_daily x LEFT JOIN hosts h USING (agent_id)
                           WHERE x.day = $1) e
                     GROUP BY GROUPING SETS ((e.os_build), (e.kernel_release), (e.product), (e.cpu), ())
                     HAVING count(*) > 0",
                    &[&day],
                )
                .await?;
            transaction.commit().await?;
        }
        Ok(())
    }

    /// Hosts day by day, the latest first, of each day what most hosts ran first; at most 10,000 rows.
    pub async fn population(&self, by: PopulationBy, days: u32) -> Result<Vec<Population>, StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "SELECT to_char(day AT TIME ZONE 'UTC', 'YYYY-MM-DD'), name, hosts, host_hours FROM population
                 WHERE dimension = $1 AND day > now() - make_interval(days => $2)
                 ORDER BY day DESC, hosts DESC, name LIMIT $3",
            )
            .await?;
        let rows = client
            .query(&statement, &[&by.name(), &days_back(days)?, &ROWS])
            .await?;
        let population = |row: &Row| Population {
            day: row.get(0),
            name: row.get(1),
            hosts: count(row.get(2)),
            host_hours: row.get(3),
        };
        Ok(rows.iter().map(population).collect())
    }

    /// Updates by where they come from and lead to, those that most hosts tried first; at most 10,000.
    pub async fn update_matrix(&self, days: u32) -> Result<Vec<UpdatePath>, StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "WITH paths AS (
                     SELECT agent_id, from_build, to_build, bool_or(outcome = 'failed') AS failed,
                            min(at) FILTER (WHERE outcome = 'runs') AS runs_since
                     FROM updates WHERE at > now() - make_interval(days => $1) GROUP BY 1, 2, 3
                 )
                 SELECT from_build, to_build, count(*), count(runs_since), count(*) FILTER (WHERE failed AND runs_since IS NULL),
                        count(*) FILTER (WHERE EXISTS (
                            SELECT FROM updates b
                            WHERE b.agent_id = p.agent_id AND b.outcome = 'runs' AND b.from_build = p.to_build
                              AND b.to_build = p.from_build AND b.at > p.runs_since
                              AND b.at <= p.runs_since + make_interval(days => $2)))
                 FROM paths p GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2 LIMIT $3",
            )
            .await?;
        let rows = client
            .query(&statement, &[&days_back(days)?, &BACK_DAYS, &ROWS])
            .await?;
        let path = |row: &Row| UpdatePath {
            from: row.get(0),
            to: row.get(1),
            tried: count(row.get(2)),
            succeeded: count(row.get(3)),
            failed: count(row.get(4)),
            went_back: count(row.get(5)),
        };
        Ok(rows.iter().map(path).collect())
    }
}

/// Keeps what a host's programs that update said.
pub(super) async fn updates(transaction: &Transaction<'_>, plan: &Plan<'_>) -> Result<(), StoreError> {
    let mut told: BTreeSet<(Uuid, Micros, String, String, &str)> = BTreeSet::new();
    for (mark, row) in plan.rows() {
        if let Some(update) = &row.update {
            let outcome = if update.succeeded { "succeeded" } else { "failed" };
            let (from, to) = (clean(&update.from).into_owned(), clean(&update.to).into_owned());
            told.insert((mark.agent_id, mark.now, from, to, outcome));
        }
    }
    if told.is_empty() {
        return Ok(());
    }
    Box::pin(write(transaction, told)).await
}

async fn write(
    transaction: &Transaction<'_>,
    told: BTreeSet<(Uuid, Micros, String, String, &str)>,
) -> Result<(), StoreError> {
    let insert = transaction
        .prepare_cached(
            "INSERT INTO updates (agent_id, at, from_build, to_build, outcome)
             SELECT * FROM unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::text[], $5::text[]) ON CONFLICT DO NOTHING",
        )
        .await?;
    let told: Vec<_> = told.into_iter().collect();
    transaction
        .execute(
            &insert,
            &[
                &told.iter().map(|one| one.0).collect::<Vec<_>>(),
                &told.iter().map(|one| one.1).collect::<Vec<_>>(),
                &told.iter().map(|one| one.2.as_str()).collect::<Vec<_>>(),
                &told.iter().map(|one| one.3.as_str()).collect::<Vec<_>>(),
                &told.iter().map(|one| one.4).collect::<Vec<_>>(),
            ],
        )
        .await?;
    Ok(())
}

/// Keeps that a host is about to be known with another build than before.
pub(super) async fn changed(
    transaction: &Transaction<'_>,
    agent_id: Uuid,
    os_build: &str,
) -> Result<(), StoreError> {
    let insert = transaction
        .prepare_cached(
            "INSERT INTO updates (agent_id, at, from_build, to_build, outcome)
             SELECT agent_id, clock_timestamp(), os_build, $2, 'runs' FROM hosts
             WHERE agent_id = $1 AND os_build <> '' AND $2 <> '' AND os_build <> $2
             ON CONFLICT DO NOTHING",
        )
        .await?;
    transaction.execute(&insert, &[&agent_id, &os_build]).await?;
    Ok(())
}

fn days_back(days: u32) -> Result<i32, StoreError> {
    match i32::try_from(days) {
        Ok(number) if (1..=DAYS).contains(&days) => Ok(number),
        _ => Err(StoreError::InvalidFilter(format!(
            "days is a number from 1 to {DAYS}"
        ))),
    }
}

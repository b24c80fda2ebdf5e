//! For how long hosts were watched, by their heartbeats: what rates of faults are divided by.
//!
//! A heartbeat accounts for the time since the one before it in the same boot, but for no more than the agent has been
//! running, and not for a longer time than [`LONGEST_S`]: what nobody watched shows no fault either. The time counts for the
//! hour, by the host's clock, in which the heartbeat was sent.
//!
//! The last heartbeat of a host also says how many hooks it is watched without.

use deadpool_postgres::Transaction;
use uuid::Uuid;

use super::{StoreError, plan::Plan, time::Micros};

/// Between two heartbeats that account for all of the time, at most; the longest interval that telemd may be set to. Seconds.
const LONGEST_S: f64 = 86_400.0;

/// Adds the heartbeats among the rows to `boots`, `exposure`, `exposure_daily` and `hosts`.
pub(super) async fn add(transaction: &Transaction<'_>, plan: &Plan<'_>) -> Result<(), StoreError> {
    let beats = Beats::of(plan);
    if beats.at.is_empty() {
        return Ok(());
    }
    let statement = transaction
        .prepare_cached(
            "WITH beats AS (
                 SELECT DISTINCT ON (agent_id, boot_id, at) *
                 FROM unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[], $5::bigint[], $7::integer[], $8::timestamptz[])
                     AS b(agent_id, boot_id, kernel_release, at, uptime_s, hooks_missing, booted_at)
                 ORDER BY agent_id, boot_id, at
             ), spans AS (
                 SELECT b.*, extract(epoch FROM b.at - greatest(lag(b.at) OVER boot, k.last_beat_at))::float8 AS since_s
                 FROM beats b LEFT JOIN boots k ON k.agent_id = b.agent_id AND k.boot_id = b.boot_id
                 WINDOW boot AS (PARTITION BY b.agent_id, b.boot_id ORDER BY b.at)
             ), watched AS (
                 SELECT s.agent_id, date_trunc('hour', s.at, 'UTC') AS hour, h.os_build, s.kernel_release, h.product,
                        sum(greatest(least(s.uptime_s, s.since_s, $6), 0)) AS seconds
                 FROM spans s JOIN hosts h ON h.agent_id = s.agent_id
                 GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5
             ), boot AS (
                 INSERT INTO boots AS k (agent_id, boot_id, kernel_release, first_beat_at, last_beat_at, booted_at)
                 SELECT agent_id, boot_id, max(kernel_release), min(at), max(at), (array_agg(booted_at ORDER BY at))[1]
                 FROM beats GROUP BY agent_id, boot_id ORDER BY agent_id, boot_id
                 ON CONFLICT (agent_id, boot_id) DO UPDATE
                 SET last_beat_at = greatest(k.last_beat_at, excluded.last_beat_at),
                     booted_at = coalesce(k.booted_at, excluded.booted_at)
             ), hooks AS (
                 UPDATE hosts h SET hooks_missing = b.hooks_missing
                 FROM (SELECT DISTINCT ON (agent_id) agent_id, at, hooks_missing FROM beats ORDER BY agent_id, at DESC) b
                 WHERE h.agent_id = b.agent_id AND h.hooks_missing IS DISTINCT FROM b.hooks_missing
                   AND NOT EXISTS (SELECT FROM boots k WHERE k.agent_id = b.agent_id AND k.last_beat_at > b.at)
             ), daily AS (
                 INSERT INTO exposure_daily AS e (agent_id, day, os_build, kernel_release, product, seconds)
                 SELECT agent_id, date_trunc('day', hour, 'UTC') AS day, os_build, kernel_release, product, sum(seconds)
                 FROM watched WHERE seconds > 0 GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5
                 ON CONFLICT (agent_id, day, os_build, kernel_release, product)
                 DO UPDATE SET seconds = e.seconds + excluded.seconds
             )
             INSERT INTO exposure AS e (agent_id, hour, os_build, kernel_release, product, seconds)
             SELECT * FROM watched WHERE seconds > 0
             ON CONFLICT (agent_id, hour, os_build, kernel_release, product)
             DO UPDATE SET seconds = e.seconds + excluded.seconds",
        )
        .await?;
    transaction
        .execute(
            &statement,
            &[
                &beats.agent_id,
                &beats.boot_id,
                &beats.kernel_release,
                &beats.at,
                &beats.uptime_s,
                &LONGEST_S,
                &beats.hooks_missing,
                &beats.booted_at,
            ],
        )
        .await?;
    Ok(())
}

/// The heartbeats of a transaction, as columns for `unnest`.
#[derive(Debug, Default)]
struct Beats<'a> {
    agent_id: Vec<Uuid>,
    boot_id: Vec<&'a str>,
    kernel_release: Vec<&'a str>,
    at: Vec<Micros>,
    uptime_s: Vec<i64>,
    hooks_missing: Vec<i32>,
    booted_at: Vec<Option<Micros>>,
}

impl<'a> Beats<'a> {
    fn of(plan: &Plan<'a>) -> Self {
        let mut columns = Self::default();
        for (mark, row) in plan.rows() {
            if let Some(beat) = &row.beat {
                columns.agent_id.push(mark.agent_id);
                columns.boot_id.push(&beat.boot_id);
                columns.kernel_release.push(&row.kernel_release);
                columns.at.push(beat.at);
                columns.uptime_s.push(beat.uptime_s);
                columns.hooks_missing.push(beat.hooks_missing);
                columns.booted_at.push(beat.booted_at);
            }
        }
        columns
    }
}

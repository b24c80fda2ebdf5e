//! Parts of machines: what their errors add up to, and how healthy they were found to be.

mod events;
mod list;

pub use self::events::{HardwareClass, HardwareHost, MOST_DAYS as HARDWARE_DAYS, WEEKS as HARDWARE_WEEKS};

use std::collections::BTreeMap;

use deadpool_postgres::Object;
use serde_json::Value;
use tokio_postgres::Row;
use uuid::Uuid;

use super::{Store, StoreError, count, time::Micros};
use crate::record::part::{PartKind, Spot};

/// Days whose errors count for the health of a part.
pub const DAYS: i64 = 30;
/// The same as PostgreSQL takes it.
const DAYS_BACK: i32 = 30;
/// Parts that are scored in one go.
const PARTS_AT_ONCE: usize = 1000;
/// Microseconds of an hour.
const HOUR_US: i64 = 3_600_000_000;
/// What was stored so long before a pass is looked at again by the next: its transaction may have ended later. Seconds; no
/// statement of a delivery may take as long.
const LATE_S: f64 = 600.0;
/// A score without new errors is worked out again after so long, because the old ones fade. Seconds.
const AGAIN_S: f64 = 3600.0;
/// Days for which errors by the hour are kept.
const KEEP_DAYS: i32 = 400;

/// Which part of which host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PartKey {
    /// The host's agent.
    pub agent_id: Uuid,
    /// What kind of part.
    pub kind: PartKind,
    /// Which.
    pub part: String,
}

/// Errors of a part in an hour.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartHour {
    /// Hours since the Unix epoch.
    pub hour: i64,
    /// Errors that the hardware put right.
    pub corrected: u64,
    /// Errors that it did not.
    pub uncorrected: u64,
    /// Errors that the machine could not go on with.
    pub fatal: u64,
    /// Different places inside the part, at most 64.
    pub spots: Vec<Spot>,
}

/// A part with its hours with errors of the last 30 days, in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartHistory {
    /// Which.
    pub key: PartKey,
    /// What it is; empty: not known.
    pub model: String,
    /// Its hours.
    pub hours: Vec<PartHour>,
}

/// How healthy a part was found to be.
#[derive(Clone, Debug, PartialEq)]
pub struct ScoredPart {
    /// Which.
    pub key: PartKey,
    /// What it is; empty: not known.
    pub model: String,
    /// 0 to 100.
    pub score: f64,
    /// What the score is made of.
    pub evidence: Value,
    /// Sums of the last 30 days.
    pub corrected: u64,
    /// The same.
    pub uncorrected: u64,
    /// The same.
    pub fatal: u64,
    /// Most corrected errors within 24 hours.
    pub most_a_day: u64,
    /// Days with an error.
    pub error_days: u32,
    /// Hours of the first and the last error; None: there was none in 30 days.
    pub seen: Option<(i64, i64)>,
}

impl Store {
    /// Works out the scores that are out of date by `score`, which is given a part's history and the present hour. Says how many.
    /// Safe to be called by several collectors at once.
    pub async fn score_parts(
        &self,
        score: impl Fn(PartHistory, i64) -> ScoredPart,
    ) -> Result<u64, StoreError> {
        let client = self.client().await?;
        let now: Micros = client.query_one("SELECT clock_timestamp()", &[]).await?.get(0);
        let due = client
            .query(
                "SELECT agent_id, kind, part FROM part_hours, part_work
                 WHERE stored_at > CASE WHEN isfinite(scored_to) THEN scored_to - make_interval(secs => $1)
                                        ELSE '-infinity' END
                 UNION
                 SELECT agent_id, kind, part FROM parts
                 WHERE scored_at < now() - make_interval(secs => $2) AND score > 0
                 ORDER BY 1, 2, 3",
                &[&LATE_S, &AGAIN_S],
            )
            .await?;
        let due: Vec<PartKey> = due.iter().filter_map(key).collect();
        for some in due.chunks(PARTS_AT_ONCE) {
            let histories = histories(&client, some).await?;
            let scored: Vec<ScoredPart> = histories
                .into_iter()
                .map(|history| score(history, hour_of(now)))
                .collect();
            write(&client, &scored, now).await?;
        }
        client
            .execute(
                "UPDATE part_work SET scored_to = greatest(scored_to, $1)",
                &[&now],
            )
            .await?;
        client
            .execute(
                "DELETE FROM part_hours WHERE hour < now() - make_interval(days => $1)",
                &[&KEEP_DAYS],
            )
            .await?;
        Ok(due.len() as u64)
    }
}

/// The hours of parts, by part.
async fn histories(client: &Object, keys: &[PartKey]) -> Result<Vec<PartHistory>, StoreError> {
    let agents: Vec<Uuid> = keys.iter().map(|key| key.agent_id).collect();
    let kinds: Vec<&str> = keys.iter().map(|key| key.kind.name()).collect();
    let names: Vec<&str> = keys.iter().map(|key| key.part.as_str()).collect();
    let statement = client
        .prepare_cached(
            "SELECT agent_id, kind, part, hour, model, corrected, uncorrected, fatal, spots
             FROM unnest($1::uuid[], $2::text[], $3::text[]) AS k(agent_id, kind, part)
             LEFT JOIN part_hours h USING (agent_id, kind, part)
             WHERE h.hour IS NULL OR h.hour >= now() - make_interval(days => $4)
             ORDER BY agent_id, kind, part, hour",
        )
        .await?;
    let rows = client
        .query(&statement, &[&agents, &kinds, &names, &DAYS_BACK])
        .await?;
    let mut histories: BTreeMap<PartKey, PartHistory> = keys
        .iter()
        .map(|key| {
            let history = PartHistory {
                key: key.clone(),
                model: String::new(),
                hours: Vec::new(),
            };
            (key.clone(), history)
        })
        .collect();
    for row in &rows {
        let Some(history) = key(row).and_then(|key| histories.get_mut(&key)) else {
            continue;
        };
        let Some(hour) = row.get::<_, Option<Micros>>(3) else {
            continue;
        };
        let model: String = row.get(4);
        if !model.is_empty() {
            history.model = model;
        }
        let spots: Vec<&str> = row.get(8);
        history.hours.push(PartHour {
            hour: hour_of(hour),
            corrected: count(row.get(5)),
            uncorrected: count(row.get(6)),
            fatal: count(row.get(7)),
            spots: spots.into_iter().map(Spot::parse).collect(),
        });
    }
    Ok(histories.into_values().collect())
}

/// A column for `unnest`.
fn all<'a, T>(scored: &'a [ScoredPart], of: impl Fn(&'a ScoredPart) -> T) -> Vec<T> {
    scored.iter().map(of).collect()
}

/// Puts scores into `parts`, in the order of the key.
async fn write(client: &Object, scored: &[ScoredPart], now: Micros) -> Result<(), StoreError> {
    let statement = client
        .prepare_cached(
            "INSERT INTO parts AS p (agent_id, kind, part, id, model, score, evidence, corrected, uncorrected, fatal,
                                     most_a_day, error_days, first_seen, last_seen, scored_at)
             SELECT agent_id, kind, part, id, model, score, evidence, corrected, uncorrected, fatal, most_a_day, error_days,
                    coalesce(first_seen, scored_at), coalesce(last_seen, scored_at), scored_at
             FROM unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[], $5::text[], $6::float8[], $7::jsonb[], $8::bigint[],
                         $9::bigint[], $10::bigint[], $11::bigint[], $12::integer[], $13::timestamptz[], $14::timestamptz[])
                      AS n(agent_id, kind, part, id, model, score, evidence, corrected, uncorrected, fatal, most_a_day,
                           error_days, first_seen, last_seen),
                  (VALUES ($15::timestamptz)) AS at(scored_at)
             ON CONFLICT (agent_id, kind, part) DO UPDATE
             SET model = coalesce(nullif(excluded.model, ''), p.model), score = excluded.score, evidence = excluded.evidence,
                 corrected = excluded.corrected, uncorrected = excluded.uncorrected, fatal = excluded.fatal,
                 most_a_day = excluded.most_a_day, error_days = excluded.error_days,
                 first_seen = least(p.first_seen, excluded.first_seen),
                 last_seen = CASE WHEN excluded.error_days > 0 THEN excluded.last_seen ELSE p.last_seen END,
                 scored_at = excluded.scored_at
             WHERE p.scored_at < excluded.scored_at",
        )
        .await?;
    let number = |of: fn(&ScoredPart) -> u64| all(scored, |part| i64::try_from(of(part)).unwrap_or(i64::MAX));
    client
        .execute(
            &statement,
            &[
                &all(scored, |part| part.key.agent_id),
                &all(scored, |part| part.key.kind.name()),
                &all(scored, |part| part.key.part.as_str()),
                &all(scored, |part| part.key.id()),
                &all(scored, |part| part.model.as_str()),
                &all(scored, |part| part.score),
                &all(scored, |part| &part.evidence),
                &number(|part| part.corrected),
                &number(|part| part.uncorrected),
                &number(|part| part.fatal),
                &number(|part| part.most_a_day),
                &all(scored, |part| i32::try_from(part.error_days).unwrap_or(i32::MAX)),
                &all(scored, |part| part.seen.map(|(first, _)| start_of(first))),
                &all(scored, |part| part.seen.map(|(_, last)| start_of(last))),
                &now,
            ],
        )
        .await?;
    Ok(())
}

impl PartKey {
    /// What the API calls it.
    pub fn id(&self) -> Uuid {
        Uuid::new_v5(
            &self.agent_id,
            format!("{} {}", self.kind.name(), self.part).as_bytes(),
        )
    }
}

fn key(row: &Row) -> Option<PartKey> {
    Some(PartKey {
        agent_id: row.get(0),
        kind: PartKind::of_name(row.get(1))?,
        part: row.get(2),
    })
}

fn hour_of(at: Micros) -> i64 {
    at.0.div_euclid(HOUR_US)
}

fn start_of(hour: i64) -> Micros {
    Micros(hour.saturating_mul(HOUR_US))
}

//! Parts of machines: what their errors add up to, and how healthy they were found to be.

use std::collections::BTreeMap;

use deadpool_postgres::Object;
use serde::Deserialize;
use serde_json::Value;
use tokio_postgres::Row;
use uuid::Uuid;

use super::{Finding, Store, StoreError, alerts::FINDINGS, count, filter::Parameters, time::Micros};
use crate::record::{
    check::text,
    part::{PartKind, Spot},
};

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
/// Parts of a page for a caller who does not say, and at most.
const DEFAULT_PAGE: u32 = 50;
const PAGE: u32 = 500;
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

/// Which parts are listed.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PartFilter {
    /// Only of this kind; left out: of any.
    pub kind: Option<PartKind>,
    /// Only of the host with this name or agent id; empty: of any.
    pub host: String,
    /// Only those whose score is at least so high.
    pub min_score: f64,
    /// How many, at most 500; 0: 50.
    pub page_size: u32,
    /// `next_page_token` of the page before; empty: from the worst.
    pub page_token: String,
}

/// Parts as they are listed, the worst first.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
pub struct Parts {
    /// Rows of `v_hardware`.
    pub parts: Vec<Value>,
    /// What gives the next page; empty: there is none.
    pub next_page_token: String,
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

    /// Parts that had errors, the worst first.
    pub async fn list_parts(&self, filter: &PartFilter) -> Result<Parts, StoreError> {
        let page_size = match filter.page_size {
            0 => DEFAULT_PAGE,
            size if size <= PAGE => size,
            _ => return Err(StoreError::InvalidFilter(format!("page_size is at most {PAGE}"))),
        };
        let mut parameters = Parameters::default();
        let limit = parameters.bind(i64::from(page_size) + 1);
        let mut conditions = vec![format!("p.score >= {}", parameters.bind(filter.min_score))];
        if let Some(kind) = filter.kind {
            conditions.push(format!("p.kind = {}", parameters.bind(kind.name())));
        }
        if !filter.host.is_empty() {
            text("host", &filter.host, 256).map_err(StoreError::InvalidFilter)?;
            let name = parameters.bind(filter.host.clone());
            let agent = parameters.bind(Uuid::try_parse(&filter.host).ok());
            conditions.push(format!(
                "p.agent_id IN (SELECT agent_id FROM hosts WHERE hostname = {name} OR agent_id = {agent})"
            ));
        }
        if !filter.page_token.is_empty() {
            let (score, id) = mark(&filter.page_token).ok_or(StoreError::InvalidPageToken)?;
            let (score, id) = (parameters.bind(score), parameters.bind(id));
            conditions.push(format!("(p.score, p.id) < ({score}, {id})"));
        }
        let sql = format!(
            "SELECT to_jsonb(v), v.score, v.id FROM (
                 SELECT p.agent_id, p.kind, p.part FROM parts p WHERE {} ORDER BY p.score DESC, p.id DESC LIMIT {limit}
             ) p JOIN v_hardware v USING (agent_id, kind, part) ORDER BY v.score DESC, v.id DESC",
            conditions.join(" AND ")
        );
        let client = self.client().await?;
        let statement = client.prepare_cached(&sql).await?;
        let rows = client.query(&statement, &parameters.values()).await?;
        let page = &rows[..rows.len().min(page_size as usize)];
        let next_page_token = match page.last() {
            Some(last) if rows.len() > page.len() => {
                format!("{}_{}", last.get::<_, f64>(1), last.get::<_, Uuid>(2).simple())
            }
            _ => String::new(),
        };
        Ok(Parts {
            parts: page.iter().map(|row| row.get(0)).collect(),
            next_page_token,
        })
    }

    /// One part with the hours of the last 30 days in which it had errors.
    pub async fn get_part(&self, id: Uuid) -> Result<Option<Value>, StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "SELECT to_jsonb(v) || jsonb_build_object('hours', coalesce((
                     SELECT jsonb_agg(jsonb_build_object('hour', h.hour, 'corrected', h.corrected, 'uncorrected', h.uncorrected,
                                                         'fatal', h.fatal, 'spots', h.spots) ORDER BY h.hour)
                     FROM part_hours h
                     WHERE h.agent_id = v.agent_id AND h.kind = v.kind AND h.part = v.part
                       AND h.hour >= now() - make_interval(days => $2)), '[]'))
                 FROM v_hardware v WHERE v.id = $1 LIMIT 1",
            )
            .await?;
        let row = client.query_opt(&statement, &[&id, &DAYS_BACK]).await?;
        Ok(row.map(|row| row.get(0)))
    }

    /// Parts whose score is at least so high, and with `uncorrected` those with errors that were not put right.
    pub(crate) async fn bad_parts(
        &self,
        kind: Option<PartKind>,
        min_score: f64,
        uncorrected: bool,
    ) -> Result<Vec<Finding>, StoreError> {
        let client = self.client().await?;
        let rows = client
            .query(
                "SELECT id, agent_id::text, hostname, kind, part, score, uncorrected + fatal > 0,
                        coalesce((SELECT string_agg(sign ->> 'says', '; ') FROM jsonb_array_elements(evidence) sign), '')
                 FROM v_hardware
                 WHERE (score >= $1 OR $2 AND uncorrected + fatal > 0) AND ($3 = '' OR kind = $3)
                 ORDER BY score DESC, id DESC LIMIT $4",
                &[&min_score, &uncorrected, &kind.map_or("", PartKind::name), &FINDINGS],
            )
            .await?;
        let finding = |row: &Row| {
            let (id, agent): (Uuid, String) = (row.get(0), row.get(1));
            let (host, kind, part): (String, String, String) = (row.get(2), row.get(3), row.get(4));
            let (score, harmful, evidence): (f64, bool, String) = (row.get(5), row.get(6), row.get(7));
            Finding {
                summary: format!("{kind} {part} of {host} has the score {score:.0}: {evidence}"),
                severity: if harmful { 4 } else { 3 },
                path: format!("/?host={agent}"),
                object: id.to_string(),
            }
        };
        Ok(rows.iter().map(finding).collect())
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

/// A page token's score and id.
fn mark(token: &str) -> Option<(f64, Uuid)> {
    let (score, id) = token.split_once('_')?;
    Some((score.parse().ok()?, Uuid::try_parse(id).ok()?))
}

fn hour_of(at: Micros) -> i64 {
    at.0.div_euclid(HOUR_US)
}

fn start_of(hour: i64) -> Micros {
    Micros(hour.saturating_mul(HOUR_US))
}

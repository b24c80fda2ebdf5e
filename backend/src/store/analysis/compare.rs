//! Two builds, kernels or models side by side.

use uuid::Uuid;

use super::{Dimension, Watch, count};
use crate::store::{Store, StoreError, filter::Parameters};

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// What is compared to.
    From,
    /// What is compared.
    To,
}

/// For how long hosts of one hardware model were watched.
#[derive(Clone, Debug, PartialEq)]
pub struct Watched {
    /// In which of the two.
    pub side: Side,
    /// Hardware model.
    pub model: String,
    /// Hosts.
    pub hosts: u64,
    /// Host-hours.
    pub hours: f64,
}

/// Hosts of one hardware model that had an issue first.
#[derive(Clone, Debug, PartialEq)]
pub struct Affected {
    /// In which of the two.
    pub side: Side,
    /// Hardware model.
    pub model: String,
    /// The issue; None: any of those that are looked at.
    pub issue: Option<Uuid>,
    /// Its class, empty where it is any.
    pub class: String,
    /// Its title, empty where it is any.
    pub title: String,
    /// Its severity, 0 where it is any.
    pub severity: i16,
    /// Hosts that had it for the first time, ever; where it is any, in the days that are looked at.
    pub hosts: u64,
    /// Host-hours of the days after hosts had it first, wherever that was: they had nothing left to have first.
    pub hours_after: f64,
}

impl Store {
    /// For how long two groups were watched, and how many of their hosts had which issue first.
    pub async fn side_by_side(
        &self,
        by: Dimension,
        from: &str,
        to: &str,
        watch: &Watch,
    ) -> Result<(Vec<Watched>, Vec<Affected>), StoreError> {
        watch.check()?;
        if from.contains('\0') || to.contains('\0') {
            return Err(StoreError::InvalidFilter("from and to have no NUL".to_owned()));
        }
        let column = by.column();
        let client = self.client().await?;

        let mut parameters = Parameters::default();
        let (a, b) = (parameters.bind(from.to_owned()), parameters.bind(to.to_owned()));
        let since = watch.since(&mut parameters);
        let sql = format!(
            "SELECT {column} = {b}, product, count(DISTINCT agent_id), sum(seconds) / 3600
             FROM exposure_daily WHERE day >= {since} AND {column} IN ({a}, {b}) GROUP BY 1, 2"
        );
        let statement = client.prepare_cached(&sql).await?;
        let rows = client.query(&statement, &parameters.values()).await?;
        let watched = rows.iter().map(|row| Watched {
            side: side(row.get(0)),
            model: row.get(1),
            hosts: count(row.get(2)),
            hours: row.get(3),
        });
        let watched = watched.collect();

        let mut parameters = Parameters::default();
        let (a, b) = (parameters.bind(from.to_owned()), parameters.bind(to.to_owned()));
        let seen = watch.seen(&mut parameters);
        // When each host had each issue first of all, and any (the nil UUID); in which of the two that was, if in one; then what
        // each of them was watched on days after it. A host that had an issue before is not a new one for either.
        let since = watch.since(&mut parameters);
        let sql = format!(
            "WITH seen AS MATERIALIZED (SELECT agent_id, issue, {column} AS of, product, day, first_at FROM ({seen}) seen),
             firsts AS MATERIALIZED (
                 SELECT f.agent_id, f.issue, CASE WHEN k.agent_id IS NULL THEN f.of END AS of, f.product,
                        CASE WHEN k.agent_id IS NULL THEN f.day ELSE '-infinity' END AS day
                 FROM (SELECT DISTINCT ON (agent_id, issue) * FROM seen ORDER BY agent_id, issue, first_at) f
                 LEFT JOIN (
                     SELECT DISTINCT k.agent_id, coalesce(t.merged_into, t.issue) AS issue
                     FROM fingerprints k JOIN triage t ON t.issue = k.fingerprint WHERE k.first_seen < {since}
                 ) k ON k.agent_id = f.agent_id AND k.issue = f.issue
                 UNION ALL
                 (SELECT DISTINCT ON (agent_id) agent_id, '{any}'::uuid, of, product, day FROM seen ORDER BY agent_id, first_at)
             ), events AS (
                 SELECT of = {b} AS is_to, product, issue, count(*) AS hosts
                 FROM firsts WHERE of IN ({a}, {b}) GROUP BY 1, 2, 3
             ), after AS (
                 SELECT e.{column} = {b} AS is_to, e.product, f.issue, sum(e.seconds) / 3600 AS hours
                 FROM firsts f JOIN exposure_daily e ON e.agent_id = f.agent_id AND e.day > f.day
                 WHERE e.{column} IN ({a}, {b}) AND e.day >= {since} GROUP BY 1, 2, 3
             )
             SELECT is_to, product, issue, coalesce(t.class, ''), coalesce(t.title, ''), coalesce(t.severity, 0::smallint),
                    coalesce(events.hosts, 0), coalesce(after.hours, 0)::float8
             FROM events FULL JOIN after USING (is_to, product, issue) LEFT JOIN triage t USING (issue)",
            any = Uuid::nil(),
        );
        let statement = client.prepare_cached(&sql).await?;
        let rows = client.query(&statement, &parameters.values()).await?;
        let affected = rows.iter().map(|row| Affected {
            side: side(row.get(0)),
            model: row.get(1),
            issue: Some(row.get(2)).filter(|issue: &Uuid| !issue.is_nil()),
            class: row.get(3),
            title: row.get(4),
            severity: row.get(5),
            hosts: count(row.get(6)),
            hours_after: row.get(7),
        });
        Ok((watched, affected.collect()))
    }
}

fn side(is_to: bool) -> Side {
    if is_to { Side::To } else { Side::From }
}

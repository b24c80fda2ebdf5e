//! The ways in which an issue happens, and the builds in which it does: by sums, never by all records.

use std::collections::HashMap;

use prost::Message as _;
use proto::v1::{
    DaysOfBuild, FingerprintLevel, ListIssueDaysResponse, ListVariantsResponse, Record, Variant,
};
use tokio_postgres::Row;
use uuid::Uuid;

use super::affected::{MEMBERS, SINCE, day_of, days_of};
use crate::store::{Store, StoreError, analysis::check_days, count, time::Micros};

/// Variants of each level that are told, those with the most records.
const VARIANTS: i64 = 6;
/// Builds that are told, the newest.
const BUILDS: i64 = 5;

impl Store {
    /// The finer fingerprints of an issue's records.
    pub async fn variants(&self, issue: Uuid) -> Result<ListVariantsResponse, StoreError> {
        let client = self.client().await?;
        let query = client
            .prepare_cached(&format!(
                "WITH {MEMBERS}, finer AS (
                     SELECT f.fingerprint, f.level, sum(f.occurrences)::bigint AS records, count(*) AS hosts,
                            max(f.last_seen) AS last_seen
                     FROM members m JOIN fingerprints f ON f.issue = m.issue
                     WHERE f.level > 1 AND f.fingerprint <> m.issue GROUP BY 1, 2
                 ), ranked AS (
                     SELECT *, count(*) OVER of_level AS of_level,
                            row_number() OVER (of_level ORDER BY records DESC, fingerprint) AS place
                     FROM finer WINDOW of_level AS (PARTITION BY level)
                 )
                 SELECT replace(v.fingerprint::text, '-', ''), v.level, v.records, v.hosts, v.last_seen, v.of_level, r.record
                 FROM ranked v LEFT JOIN LATERAL (
                     SELECT r.record FROM fingerprints f
                     JOIN records r ON r.agent_id = f.agent_id AND r.received_at = f.last_seen
                     WHERE f.fingerprint = v.fingerprint AND f.last_seen = v.last_seen
                       AND r.fingerprints @> ARRAY[v.fingerprint] LIMIT 1
                 ) r ON true
                 WHERE v.place <= $2 ORDER BY v.level, v.place"
            ))
            .await?;
        let rows = client.query(&query, &[&[issue].as_slice(), &VARIANTS]).await?;
        let of_level = |level: FingerprintLevel| {
            let mut of_level = rows.iter().filter(|row| level_of(row) == i32::from(level));
            of_level.next().map_or(0, |row| count(row.get(5)))
        };
        Ok(ListVariantsResponse {
            variants: rows.iter().map(variant).collect(),
            top_frames: of_level(FingerprintLevel::TopFrames),
            stacks: of_level(FingerprintLevel::Stack),
        })
    }

    /// The last days (UTC) of an issue, 1 to 366, of which today is the last.
    pub async fn days_of_issue(&self, issue: Uuid, days: u32) -> Result<ListIssueDaysResponse, StoreError> {
        check_days(days)?;
        let days = u16::try_from(days).unwrap_or(u16::MAX);
        let mut all = self.issue_days(&[issue], days).await?;
        Ok(ListIssueDaysResponse {
            days: all.remove(&issue).unwrap_or_default(),
            builds: self.issue_days_by_build(issue, days).await?,
        })
    }

    /// The last `days` days of an issue in each of the newest builds that it was seen in then, the newest first.
    async fn issue_days_by_build(&self, issue: Uuid, days: u16) -> Result<Vec<DaysOfBuild>, StoreError> {
        let client = self.client().await?;
        let query = client
            .prepare_cached(&format!(
                "WITH {MEMBERS}, seen AS (
                     SELECT s.os_build, s.day, count(DISTINCT s.agent_id) AS hosts, sum(s.records)::bigint AS records
                     FROM members m JOIN sightings s ON s.issue = m.issue
                     WHERE s.day >= {SINCE} AND s.os_build <> ''
                     GROUP BY 1, 2
                 ), newest AS (
                     SELECT os_build, version_order(os_build) AS place FROM seen
                     GROUP BY 1 ORDER BY 2 DESC NULLS LAST, 1 DESC LIMIT $3
                 )
                 SELECT os_build, {SINCE}, (extract(epoch FROM day - {SINCE}) / 86400)::integer, hosts, records
                 FROM newest JOIN seen USING (os_build) ORDER BY place DESC NULLS LAST, os_build DESC"
            ))
            .await?;
        let mut builds: Vec<DaysOfBuild> = Vec::new();
        let rows = client
            .query(&query, &[&[issue].as_slice(), &i32::from(days), &BUILDS])
            .await?;
        for row in rows {
            let (build, since): (String, Micros) = (row.get(0), row.get(1));
            if builds.last().is_none_or(|last| last.build != build) {
                let days = days_of(since, days);
                builds.push(DaysOfBuild { build, days });
            }
            if let Some(of_build) = builds.last_mut() {
                day_of(&mut of_build.days, row.get(2), row.get(3), row.get(4));
            }
        }
        Ok(builds)
    }

    /// The builds in which each of these issues was seen in the last `days` days, the newest first.
    pub async fn builds_of_issues(
        &self,
        issues: &[Uuid],
        days: u16,
    ) -> Result<HashMap<Uuid, Vec<String>>, StoreError> {
        let client = self.client().await?;
        let query = client
            .prepare_cached(&format!(
                "WITH {MEMBERS}, seen AS (
                     SELECT DISTINCT m.shown, s.os_build FROM members m JOIN sightings s ON s.issue = m.issue
                     WHERE s.day >= {SINCE} AND s.os_build <> ''
                 )
                 SELECT shown, array_agg(os_build ORDER BY version_order(os_build) DESC NULLS LAST, os_build DESC)
                 FROM seen GROUP BY 1"
            ))
            .await?;
        let rows = client.query(&query, &[&issues, &i32::from(days)]).await?;
        Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
    }
}

fn level_of(row: &Row) -> i32 {
    row.get::<_, i16>(1).into()
}

fn variant(row: &Row) -> Variant {
    let fingerprint: String = row.get(0);
    // Its latest record, unless that was given up.
    let latest = row.get::<_, Option<&[u8]>>(6).map(Record::decode);
    let explanation = latest.and_then(Result::ok).as_ref().and_then(wire::explain);
    let level = explanation.as_ref().and_then(|all| all.level(&fingerprint));
    Variant {
        level: level_of(row),
        functions: level.map_or_else(Vec::new, |level| level.functions().to_vec()),
        records: count(row.get(2)),
        hosts: count(row.get(3)),
        last_seen_unix_ns: row.get::<_, Micros>(4).unix_ns(),
        fingerprint,
    }
}

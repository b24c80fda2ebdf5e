//! The ways in which an issue happens, and the builds in which it does: by sums, never by all records.

use std::collections::HashMap;
use std::time::SystemTime;

use prost::Message as _;
use proto::v1::{FingerprintLevel, Record};
use uuid::Uuid;

use super::affected::{IssueDay, MEMBERS, day_of, days_of};
use crate::store::{Store, StoreError, count};

/// Variants of each level that are told, those with the most records.
const VARIANTS: i64 = 6;
/// Builds that are told, the newest.
const BUILDS: i64 = 5;

/// Records of an issue that share a finer fingerprint.
#[derive(Clone, Debug, PartialEq)]
pub struct Variant {
    /// The fingerprint, 32 hexadecimal digits.
    pub fingerprint: String,
    /// What it looks at.
    pub level: FingerprintLevel,
    /// How many records.
    pub records: u64,
    /// Hosts that had it.
    pub hosts: u64,
    /// When the latest was stored.
    pub last_seen: SystemTime,
    /// Variants of this level.
    pub of_level: u64,
    /// Its latest record. None: it was given up.
    pub latest: Option<Record>,
}

impl Store {
    /// The finer fingerprints of an issue's records, the coarser first and then those with the most records.
    pub async fn variants(&self, issue: Uuid) -> Result<Vec<Variant>, StoreError> {
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
        let variant = |row: &tokio_postgres::Row| Variant {
            fingerprint: row.get(0),
            level: i32::from(row.get::<_, i16>(1)).try_into().unwrap_or_default(),
            records: count(row.get(2)),
            hosts: count(row.get(3)),
            last_seen: row.get(4),
            of_level: count(row.get(5)),
            latest: row
                .get::<_, Option<&[u8]>>(6)
                .and_then(|record| Record::decode(record).ok()),
        };
        Ok(rows.iter().map(variant).collect())
    }

    /// The last `days` days of an issue in each of the newest builds that it was seen in then, the newest first.
    pub async fn issue_days_by_build(
        &self,
        issue: Uuid,
        days: u16,
    ) -> Result<Vec<(String, Vec<IssueDay>)>, StoreError> {
        let client = self.client().await?;
        let query = client
            .prepare_cached(&format!(
                "WITH {MEMBERS}, seen AS (
                     SELECT s.os_build, s.day, count(DISTINCT s.agent_id) AS hosts, sum(s.records)::bigint AS records
                     FROM members m JOIN sightings s ON s.issue = m.issue
                     WHERE s.day > date_trunc('day', now(), 'UTC') - $2::integer * interval '1 day' AND s.os_build <> ''
                     GROUP BY 1, 2
                 ), newest AS (
                     SELECT os_build, kernel_order(os_build) AS place FROM seen GROUP BY 1 ORDER BY 2 DESC, 1 DESC LIMIT $3
                 )
                 SELECT os_build, (extract(epoch FROM date_trunc('day', now(), 'UTC') - day) / 86400)::integer, hosts, records
                 FROM newest JOIN seen USING (os_build) ORDER BY place DESC, os_build DESC"
            ))
            .await?;
        let mut builds: Vec<(String, Vec<IssueDay>)> = Vec::new();
        let rows = client
            .query(&query, &[&[issue].as_slice(), &i32::from(days), &BUILDS])
            .await?;
        for row in rows {
            let build: String = row.get(0);
            if builds.last().is_none_or(|(last, _)| *last != build) {
                builds.push((build, days_of(days)));
            }
            if let Some((_, days)) = builds.last_mut() {
                day_of(days, row.get(1), row.get(2), row.get(3));
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
                     WHERE s.day > date_trunc('day', now(), 'UTC') - $2::integer * interval '1 day' AND s.os_build <> ''
                 )
                 SELECT shown, array_agg(os_build ORDER BY kernel_order(os_build) DESC, os_build DESC) FROM seen GROUP BY 1"
            ))
            .await?;
        let rows = client.query(&query, &[&issues, &i32::from(days)]).await?;
        Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
    }
}

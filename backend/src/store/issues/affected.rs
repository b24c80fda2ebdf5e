//! Who has an issue, and since when: what its page shows beside its counters.

use std::collections::HashMap;
use std::time::SystemTime;

use proto::v1::IssueDay;
use uuid::Uuid;

use crate::store::{Store, StoreError, count, time::Micros};

/// Hosts that are told of at most, those that had it last.
const HOSTS: i64 = 50;

/// Issues `$1` with those that were merged into them, by what each counts for.
pub(super) const MEMBERS: &str = "members AS (
    SELECT issue, coalesce(merged_into, issue) AS shown FROM triage WHERE issue = ANY($1) OR merged_into = ANY($1)
)";

/// When the last `$2` days began, of which today is the last.
pub(super) const SINCE: &str = "(date_trunc('day', now(), 'UTC') - ($2::integer - 1) * interval '24 hours')";

/// A host that has an issue.
#[derive(Clone, Debug, PartialEq)]
pub struct AffectedHost {
    /// Its agent.
    pub agent_id: Uuid,
    /// Its name; empty: it never told one.
    pub hostname: String,
    /// The build that it runs now.
    pub os_build: String,
    /// The kernel that it runs now.
    pub kernel_release: String,
    /// Its hardware model.
    pub product: String,
    /// Records of the issue.
    pub records: u64,
    /// When the first of them was stored.
    pub first_seen: SystemTime,
    /// When the latest was.
    pub last_seen: SystemTime,
}

/// So many days from `since` on, on which nothing was seen.
pub(super) fn days_of(since: Micros, days: u16) -> Vec<IssueDay> {
    let unseen = |day| IssueDay {
        day,
        ..IssueDay::default()
    };
    since.dates(usize::from(days)).map(unseen).collect()
}

/// Tells what was seen on the day at `place`.
pub(super) fn day_of(days: &mut [IssueDay], place: i32, hosts: i64, records: i64) {
    let place = usize::try_from(place).ok();
    // A clock of the database that was set back leaves days that have not come yet.
    if let Some(day) = place.and_then(|place| days.get_mut(place)) {
        day.hosts = count(hosts);
        day.records = count(records);
    }
}

impl Store {
    /// The last `days` days of these issues, the oldest first and today last. An issue that was not seen in them is left out.
    pub async fn issue_days(
        &self,
        issues: &[Uuid],
        days: u16,
    ) -> Result<HashMap<Uuid, Vec<IssueDay>>, StoreError> {
        let client = self.client().await?;
        let query = client
            .prepare_cached(&format!(
                "WITH {MEMBERS}
                 SELECT m.shown, {SINCE}, (extract(epoch FROM s.day - {SINCE}) / 86400)::integer, count(DISTINCT s.agent_id),
                        sum(s.records)::bigint
                 FROM members m JOIN sightings s ON s.issue = m.issue
                 WHERE s.day >= {SINCE}
                 GROUP BY 1, 3"
            ))
            .await?;
        let mut found: HashMap<Uuid, Vec<IssueDay>> = HashMap::new();
        for row in client.query(&query, &[&issues, &i32::from(days)]).await? {
            let days_of_issue = found
                .entry(row.get(0))
                .or_insert_with(|| days_of(row.get(1), days));
            day_of(days_of_issue, row.get(2), row.get(3), row.get(4));
        }
        Ok(found)
    }

    /// Hosts that have an issue, those that had it last first; at most 50.
    pub async fn affected_hosts(&self, issue: Uuid) -> Result<Vec<AffectedHost>, StoreError> {
        let client = self.client().await?;
        let query = client
            .prepare_cached(&format!(
                "WITH {MEMBERS}
                 SELECT f.agent_id, coalesce(h.hostname, ''), coalesce(h.os_build, ''), coalesce(h.kernel_release, ''),
                        coalesce(h.product, ''), f.records, f.first_seen, f.last_seen
                 FROM (
                     SELECT f.agent_id, sum(f.occurrences)::bigint AS records, min(f.first_seen) AS first_seen,
                            max(f.last_seen) AS last_seen
                     FROM members m JOIN fingerprints f ON f.fingerprint = m.issue
                     GROUP BY f.agent_id ORDER BY max(f.last_seen) DESC, f.agent_id LIMIT {HOSTS}
                 ) f LEFT JOIN hosts h ON h.agent_id = f.agent_id
                 ORDER BY f.last_seen DESC, f.agent_id"
            ))
            .await?;
        let rows = client.query(&query, &[&[issue].as_slice()]).await?;
        let host = |row: &tokio_postgres::Row| AffectedHost {
            agent_id: row.get(0),
            hostname: row.get(1),
            os_build: row.get(2),
            kernel_release: row.get(3),
            product: row.get(4),
            records: count(row.get(5)),
            first_seen: row.get(6),
            last_seen: row.get(7),
        };
        Ok(rows.iter().map(host).collect())
    }
}

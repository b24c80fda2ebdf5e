//! Splitting issues, and putting them together again: records are moved to the other group in the background.

use std::{collections::HashSet, time::Duration};

use deadpool_postgres::Transaction;
use serde::Serialize;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;
use uuid::Uuid;

use super::super::{Store, StoreError, chain, filter};
use super::shown;

/// Records that are moved in one transaction: those who store others of the issue wait for it.
const RECORDS: i64 = 2_000;
/// How often it is looked whether there is something to do.
const EVERY: Duration = Duration::from_secs(5);
/// How long transactions may take that began before an issue was split; they are over well before.
const OLDER: Duration = Duration::from_secs(30);
/// How often it is looked whether they are over.
const POLL: Duration = Duration::from_millis(50);

/// What would be a group of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct SplitGroup {
    /// The fingerprint of its top frames, 32 hexadecimal digits.
    pub issue: String,
    /// Title of its latest record.
    pub title: String,
    /// Records.
    pub occurrences: i64,
    /// Hosts.
    pub hosts: i64,
}

/// Issues that people have split: few, if any.
pub(in super::super) async fn split(transaction: &Transaction<'_>) -> Result<HashSet<Uuid>, StoreError> {
    let split = transaction
        .prepare_cached("SELECT issue FROM triage WHERE split")
        .await?;
    let rows = transaction.query(&split, &[]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

impl Store {
    /// The groups that an issue would be split into, the largest first; what has no stack stays. Nothing is changed.
    pub async fn split_preview(&self, issue: &str) -> Result<Vec<SplitGroup>, StoreError> {
        let issue = filter::issue_id(issue)?;
        let client = self.client().await?;
        let preview = client
            .prepare_cached(&format!(
                "WITH asked AS (SELECT {} AS issue)
                 SELECT replace(f.fingerprint::text, '-', ''), (array_agg(f.title ORDER BY f.last_seen DESC))[1],
                        sum(f.occurrences)::bigint, count(*)
                 FROM asked a JOIN fingerprints f ON f.issue = a.issue
                     OR f.issue IN (SELECT issue FROM triage WHERE split_from = a.issue)
                 WHERE f.level = 2
                 GROUP BY f.fingerprint ORDER BY 3 DESC, 1 LIMIT 500",
                shown("$1::uuid")
            ))
            .await?;
        let rows = client.query(&preview, &[&issue]).await?;
        let groups = rows.iter().map(|row| SplitGroup {
            issue: row.get(0),
            title: row.get(1),
            occurrences: row.get(2),
            hosts: row.get(3),
        });
        Ok(groups.collect())
    }

    /// Moves the records of issues that were split or put together, until `shutdown`.
    pub async fn keep_regrouping(&self, shutdown: &CancellationToken) {
        while shutdown.run_until_cancelled(sleep(EVERY)).await.is_some() {
            if let Some(Err(error)) = shutdown.run_until_cancelled(self.regroup()).await {
                // What is not moved is moved next time: that it is to be is in the database.
                tracing::warn!(error = %chain(&error), "issues could not be regrouped, trying again later");
            }
        }
    }

    /// Does it once.
    pub async fn regroup(&self) -> Result<(), StoreError> {
        let client = self.client().await?;
        let due = client
            .query("SELECT issue FROM triage WHERE regroup ORDER BY issue", &[])
            .await?;
        if due.is_empty() {
            return Ok(());
        }
        self.wait_for_older().await?;
        // What is moved was counted where it is.
        self.count_everything().await?;
        for row in due {
            let issue: Uuid = row.get(0);
            while self.move_some(issue).await? > 0 {}
            tracing::info!(issue = %issue.simple(), "an issue was regrouped");
        }
        Ok(())
    }

    /// Waits until no transaction is left that may not have seen that an issue was split.
    async fn wait_for_older(&self) -> Result<(), StoreError> {
        let client = self.client().await?;
        let now = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text";
        let until: String = client.query_one(now, &[]).await?.get(0);
        let over = "SELECT pg_snapshot_xmin(pg_current_snapshot()) >= $1::text::xid8";
        for _ in 0..OLDER.as_millis() / POLL.as_millis() {
            if client.query_one(over, &[&until]).await?.get(0) {
                break;
            }
            sleep(POLL).await;
        }
        Ok(())
    }

    /// Moves some records, with everything that was counted; says how many. When there are none left, that is noted.
    async fn move_some(&self, issue: Uuid) -> Result<i64, StoreError> {
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        let split: bool = transaction
            .query_one("SELECT split FROM triage WHERE issue = $1 FOR UPDATE", &[&issue])
            .await?
            .get(0);
        let moved: i64 = transaction
            .query_one(if split { SPLIT } else { JOIN }, &[&issue, &RECORDS])
            .await?
            .get(0);
        if moved == 0 {
            recount(&transaction, issue).await?;
            transaction
                .execute("UPDATE triage SET regroup = false WHERE issue = $1", &[&issue])
                .await?;
        }
        transaction.commit().await?;
        Ok(moved)
    }
}

/// Counts an issue and those that were split from it anew, by the fingerprints of hosts. Those who store records of them wait:
/// what they add comes on top, what they added before is in the fingerprints.
pub(in super::super) async fn recount(transaction: &Transaction<'_>, issue: Uuid) -> Result<(), StoreError> {
    let lock = "SELECT FROM triage WHERE issue = $1 OR split_from = $1 ORDER BY issue FOR UPDATE";
    transaction.query(lock, &[&issue]).await?;
    let split: bool = transaction
        .query_one("SELECT split FROM triage WHERE issue = $1", &[&issue])
        .await?
        .get(0);
    if !split {
        transaction.execute(JOIN_SIGHTINGS, &[&issue]).await?;
    }
    let gone = "DELETE FROM sightings WHERE issue = $1 AND records = 0";
    transaction.execute(gone, &[&issue]).await?;
    transaction.execute(RECOUNT_FINER, &[&issue]).await?;
    transaction.execute(RECOUNT_COARSE, &[&issue]).await?;
    Ok(())
}

/// Moves $2 records of the issue $1 that have top frames to the issues of these.
const SPLIT: &str = "
    WITH finer AS MATERIALIZED (
        SELECT DISTINCT fingerprint FROM fingerprints
        WHERE level = 2 AND (issue = $1 OR issue IN (SELECT issue FROM triage WHERE split_from = $1))
    ), chosen AS MATERIALIZED (
        SELECT r.agent_id, r.received_at, r.id, f.fingerprint FROM records r
        JOIN finer f ON f.fingerprint = ANY (r.fingerprints) WHERE r.issue = $1 LIMIT $2
    ), moved AS (
        UPDATE records r SET issue = c.fingerprint FROM chosen c
        WHERE r.agent_id = c.agent_id AND r.received_at = c.received_at AND r.id = c.id
        RETURNING r.issue, r.agent_id, r.fingerprints, r.received_at, r.kernel_release
    ), seen AS (
        SELECT agent_id, date_trunc('day', received_at, 'UTC') AS day, kernel_release, issue, count(*) AS records,
               min(received_at) AS first_at
        FROM moved GROUP BY 1, 2, 3, 4
    ), place AS (
        -- A record does not say in which build it was; that in which most were that day.
        SELECT DISTINCT ON (s.agent_id, s.day, s.kernel_release)
               s.agent_id, s.day, s.kernel_release, s.os_build, s.product
        FROM sightings s JOIN seen n ON n.agent_id = s.agent_id AND n.day = s.day AND n.kernel_release = s.kernel_release
        WHERE s.issue = $1 ORDER BY s.agent_id, s.day, s.kernel_release, s.records DESC
    ), taken AS (
        UPDATE sightings s SET records = greatest(s.records - n.records, 0)
        FROM place p, (SELECT agent_id, day, kernel_release, sum(records) AS records FROM seen GROUP BY 1, 2, 3) n
        WHERE n.agent_id = p.agent_id AND n.day = p.day AND n.kernel_release = p.kernel_release AND s.issue = $1
          AND s.agent_id = p.agent_id AND s.day = p.day AND s.kernel_release = p.kernel_release
          AND s.os_build = p.os_build AND s.product = p.product
    ), given AS (
        INSERT INTO sightings AS s (agent_id, day, issue, os_build, kernel_release, product, first_at, records)
        SELECT n.agent_id, n.day, n.issue, p.os_build, n.kernel_release, p.product, n.first_at, n.records
        FROM seen n
        JOIN place p ON p.agent_id = n.agent_id AND p.day = n.day AND p.kernel_release = n.kernel_release
        ON CONFLICT (agent_id, day, issue, os_build, kernel_release, product)
        DO UPDATE SET first_at = least(s.first_at, excluded.first_at), records = s.records + excluded.records
    ), regrouped AS (
        UPDATE fingerprints f SET issue = m.issue
        FROM (SELECT DISTINCT agent_id, issue, unnest(fingerprints) AS fingerprint FROM moved) m
        WHERE f.agent_id = m.agent_id AND f.fingerprint = m.fingerprint AND f.fingerprint <> $1
    ), known AS (
        INSERT INTO triage (issue, split_from) SELECT DISTINCT issue, $1::uuid FROM moved ORDER BY issue
        ON CONFLICT (issue) DO UPDATE SET split_from = excluded.split_from
    )
    SELECT count(*) FROM moved";

/// Moves $2 records of issues that were split from $1 back.
const JOIN: &str = "
    WITH chosen AS MATERIALIZED (
        SELECT r.agent_id, r.received_at, r.id FROM records r
        WHERE r.issue = ANY (ARRAY(SELECT issue FROM triage WHERE split_from = $1)) LIMIT $2
    ), moved AS (
        UPDATE records r SET issue = $1 FROM chosen c
        WHERE r.agent_id = c.agent_id AND r.received_at = c.received_at AND r.id = c.id
        RETURNING r.agent_id, r.fingerprints
    ), regrouped AS (
        UPDATE fingerprints f SET issue = $1
        FROM (SELECT DISTINCT agent_id, unnest(fingerprints) AS fingerprint FROM moved) m
        WHERE f.agent_id = m.agent_id AND f.fingerprint = m.fingerprint
    )
    SELECT count(*) FROM moved";

/// Where issues that were split from $1 were seen, $1 was.
const JOIN_SIGHTINGS: &str = "
    WITH finer AS (
        DELETE FROM sightings WHERE issue IN (SELECT issue FROM triage WHERE split_from = $1) RETURNING *
    )
    INSERT INTO sightings AS s (agent_id, day, issue, os_build, kernel_release, product, first_at, records)
    SELECT agent_id, day, $1, os_build, kernel_release, product, min(first_at), sum(records)
    FROM finer GROUP BY agent_id, day, os_build, kernel_release, product
    ON CONFLICT (agent_id, day, issue, os_build, kernel_release, product)
    DO UPDATE SET first_at = least(s.first_at, excluded.first_at), records = s.records + excluded.records";

/// What was split from $1 has the records with its fingerprint, or none when it was put together again.
const RECOUNT_FINER: &str = "
    UPDATE triage t
    SET occurrences = c.occurrences, hosts = c.hosts, severity = c.severity, class = c.class, title = c.title,
        first_seen = c.first_seen, last_seen = c.last_seen
    FROM (
        SELECT f.fingerprint, max(f.severity) AS severity, min(f.first_seen) AS first_seen,
               max(f.last_seen) AS last_seen, (array_agg(f.class ORDER BY f.last_seen DESC))[1] AS class,
               (array_agg(f.title ORDER BY f.last_seen DESC))[1] AS title,
               coalesce(sum(f.occurrences) FILTER (WHERE f.issue = f.fingerprint), 0)::bigint AS occurrences,
               count(*) FILTER (WHERE f.issue = f.fingerprint) AS hosts
        FROM fingerprints f WHERE f.fingerprint IN (SELECT issue FROM triage WHERE split_from = $1)
        GROUP BY f.fingerprint
    ) c
    WHERE c.fingerprint = t.issue";

/// $1 has what is left.
const RECOUNT_COARSE: &str = "
    UPDATE triage t SET occurrences = c.occurrences, hosts = c.hosts
    FROM (
        SELECT coalesce(sum(h.own - h.split), 0)::bigint AS occurrences, count(*) FILTER (WHERE h.own > h.split) AS hosts
        FROM (
            SELECT f.occurrences AS own, coalesce((
                SELECT sum(s.occurrences) FROM fingerprints s
                WHERE s.agent_id = f.agent_id AND s.issue = s.fingerprint
                  AND s.fingerprint IN (SELECT issue FROM triage WHERE split_from = $1)), 0) AS split
            FROM fingerprints f WHERE f.fingerprint = $1
        ) h
    ) c
    WHERE t.issue = $1";

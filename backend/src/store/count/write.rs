//! The statements of counting, each for a whole transaction.

use std::collections::BTreeMap;

use deadpool_postgres::Transaction;
use uuid::Uuid;

use super::{
    super::{StoreError, time::Micros},
    sums::{Fingerprints, Rollups, Sightings},
    tally::Tally,
};

/// Adds to `rollups` and `rollups_daily`.
pub(super) async fn rollups(transaction: &Transaction<'_>, sums: &Rollups<'_>) -> Result<(), StoreError> {
    if sums.records.is_empty() {
        return Ok(());
    }
    let statement = transaction
        .prepare_cached(
            "WITH sums AS (
                 SELECT * FROM unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::text[], $5::smallint[], $6::bigint[])
                     AS s(agent_id, hour, class, kernel_release, severity, records)
             ), daily AS (
                 INSERT INTO rollups_daily AS r (agent_id, day, class, kernel_release, severity, records)
                 SELECT agent_id, date_trunc('day', hour, 'UTC') AS day, class, kernel_release, severity, sum(records)
                 FROM sums GROUP BY agent_id, day, class, kernel_release, severity
                 ORDER BY agent_id, day, class, kernel_release, severity
                 ON CONFLICT (agent_id, day, class, kernel_release, severity)
                 DO UPDATE SET records = r.records + excluded.records
             )
             INSERT INTO rollups AS r (agent_id, hour, class, kernel_release, severity, records)
             SELECT * FROM sums
             ON CONFLICT (agent_id, hour, class, kernel_release, severity)
             DO UPDATE SET records = r.records + excluded.records",
        )
        .await?;
    transaction
        .execute(
            &statement,
            &[
                &sums.agent_id,
                &sums.hour,
                &sums.class,
                &sums.kernel_release,
                &sums.severity,
                &sums.records,
            ],
        )
        .await?;
    Ok(())
}

/// Adds to `fingerprints`; says how many hosts have each of those that are issues for the first time.
pub(super) async fn fingerprints(
    transaction: &Transaction<'_>,
    sums: &Fingerprints<'_>,
) -> Result<BTreeMap<Uuid, i64>, StoreError> {
    if sums.fingerprint.is_empty() {
        return Ok(BTreeMap::new());
    }
    // A row that was there carries this transaction's lock in xmax, a new one nothing.
    let statement = transaction
        .prepare_cached(
            "WITH put AS (
                 INSERT INTO fingerprints AS f (agent_id, fingerprint, first_seen, last_seen, level, version, issue, class,
                                                title, severity, occurrences)
                 SELECT s.agent_id, s.fingerprint, s.first_seen, s.last_seen, s.level, s.version, s.issue, s.class, s.title,
                        s.severity, s.occurrences
                 FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::timestamptz[], $5::smallint[], $6::bigint[],
                             $7::uuid[], $8::text[], $9::text[], $10::smallint[], $11::bigint[])
                     AS s(agent_id, fingerprint, first_seen, last_seen, level, version, issue, class, title, severity,
                          occurrences)
                 ON CONFLICT (agent_id, fingerprint) DO UPDATE
                 SET class = excluded.class, title = excluded.title, severity = greatest(f.severity, excluded.severity),
                     issue = excluded.issue, last_seen = excluded.last_seen,
                     occurrences = f.occurrences + excluded.occurrences
                 RETURNING f.fingerprint, f.issue, f.xmax = 0 AS is_new
             )
             SELECT fingerprint, count(*) FROM put WHERE is_new AND fingerprint = issue GROUP BY fingerprint",
        )
        .await?;
    let fresh = transaction
        .query(
            &statement,
            &[
                &sums.agent_id,
                &sums.fingerprint,
                &sums.first_seen,
                &sums.last_seen,
                &sums.level,
                &sums.version,
                &sums.issue,
                &sums.class,
                &sums.title,
                &sums.severity,
                &sums.occurrences,
            ],
        )
        .await?;
    Ok(fresh.iter().map(|row| (row.get(0), row.get(1))).collect())
}

/// Adds to `sightings`.
pub(super) async fn sightings(transaction: &Transaction<'_>, sums: &Sightings<'_>) -> Result<(), StoreError> {
    if sums.issue.is_empty() {
        return Ok(());
    }
    let statement = transaction
        .prepare_cached(
            "INSERT INTO sightings AS s (agent_id, day, issue, os_build, kernel_release, product, first_at, records)
             SELECT n.agent_id, n.day, n.issue, h.os_build, n.kernel_release, h.product,
                    n.first_at, n.records
             FROM unnest($1::uuid[], $2::timestamptz[], $3::uuid[], $4::text[], $5::timestamptz[], $6::bigint[])
                      AS n(agent_id, day, issue, kernel_release, first_at, records)
             JOIN hosts h ON h.agent_id = n.agent_id
             ORDER BY 1, 2, 3, 4, 5, 6
             ON CONFLICT (agent_id, day, issue, os_build, kernel_release, product)
             DO UPDATE SET first_at = least(s.first_at, excluded.first_at), records = s.records + excluded.records",
        )
        .await?;
    transaction
        .execute(
            &statement,
            &[
                &sums.agent_id,
                &sums.day,
                &sums.issue,
                &sums.kernel_release,
                &sums.first_at,
                &sums.records,
            ],
        )
        .await?;
    Ok(())
}

/// Says up to where senders are counted.
pub(super) async fn places(transaction: &Transaction<'_>, tallies: &[&Tally]) -> Result<(), StoreError> {
    let (mut agents, mut epochs): (Vec<Uuid>, Vec<Uuid>) = (Vec::new(), Vec::new());
    let (mut seqs, mut moments): (Vec<i64>, Vec<Micros>) = (Vec::new(), Vec::new());
    for tally in tallies {
        agents.push(tally.sender.0);
        epochs.push(tally.sender.1);
        seqs.push(tally.to);
        moments.push(tally.at);
    }
    let counted = transaction
        .prepare_cached(
            "UPDATE counted c SET seq = n.seq, at = n.at
             FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::timestamptz[]) AS n(agent_id, epoch, seq, at)
             WHERE c.agent_id = n.agent_id AND c.epoch = n.epoch",
        )
        .await?;
    transaction
        .execute(&counted, &[&agents, &epochs, &seqs, &moments])
        .await?;
    Ok(())
}

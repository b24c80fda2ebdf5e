//! What records add to issues.

use std::collections::BTreeMap;

use deadpool_postgres::Transaction;
use uuid::Uuid;

use super::{
    super::StoreError,
    sums::{Issues, Sightings},
};

/// Makes issues known with their first record, and counts. `hosts` is how many hosts have an issue for the first time.
///
/// An hour's count becomes part of `usual_per_hour` when the next one begins: with q = 0.5^(1/24), which has a day halve
/// what an hour weighs, usual' = q^k usual + (1 - q) q^(k-1) count after k hours.
pub(super) async fn seen(
    transaction: &Transaction<'_>,
    sums: &Issues<'_>,
    hosts: &BTreeMap<Uuid, i64>,
) -> Result<(), StoreError> {
    if sums.issue.is_empty() {
        return Ok(());
    }
    let hosts: Vec<i64> = sums
        .issue
        .iter()
        .map(|issue| hosts.get(issue).copied().unwrap_or(0))
        .collect();
    let count = transaction
        .prepare_cached(
            "INSERT INTO triage AS t (issue, class, title, severity, first_seen, last_seen, occurrences, hosts, hour,
                                      hour_occurrences, split_from)
             SELECT issue, class, title, severity, first_seen, last_seen, occurrences, hosts, hour, occurrences,
                    nullif(coarse, issue)
             FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::smallint[], $6::timestamptz[],
                         $7::timestamptz[], $8::timestamptz[], $9::bigint[], $10::bigint[])
                 AS s(issue, coarse, class, title, severity, first_seen, last_seen, hour, occurrences, hosts)
             ON CONFLICT (issue) DO UPDATE
             SET class = excluded.class, title = excluded.title, severity = greatest(t.severity, excluded.severity),
                 first_seen = least(t.first_seen, excluded.first_seen),
                 last_seen = greatest(t.last_seen, excluded.last_seen),
                 occurrences = t.occurrences + excluded.occurrences, hosts = t.hosts + excluded.hosts,
                 hour = greatest(t.hour, excluded.hour),
                 hour_occurrences = excluded.occurrences
                     + CASE WHEN excluded.hour > t.hour THEN 0 ELSE t.hour_occurrences END,
                 usual_per_hour = CASE WHEN excluded.hour > t.hour THEN usual_decay(t.hour, excluded.hour)
                     * (t.usual_per_hour + (2 ^ (1 / 24.0) - 1)::float8 * t.hour_occurrences)
                     ELSE t.usual_per_hour END",
        )
        .await?;
    transaction
        .execute(
            &count,
            &[
                &sums.issue,
                &sums.coarse,
                &sums.class,
                &sums.title,
                &sums.severity,
                &sums.first_seen,
                &sums.last_seen,
                &sums.hour,
                &sums.occurrences,
                &hosts,
            ],
        )
        .await?;
    Ok(())
}

/// Tells that resolved issues came again, in a kernel and build that should not have them, and where: by one of these hosts.
pub(super) async fn regress(transaction: &Transaction<'_>, seen: &Sightings<'_>) -> Result<(), StoreError> {
    if seen.issue.is_empty() {
        return Ok(());
    }
    let regress = transaction
        .prepare_cached(
            "WITH seen AS (
                 SELECT coalesce(t.merged_into, t.issue) AS issue, s.agent_id, s.kernel_release
                 FROM unnest($1::uuid[], $2::uuid[], $3::text[]) AS s(issue, agent_id, kernel_release)
                 JOIN triage t ON t.issue = s.issue
             ), regressed AS (
                 UPDATE triage t SET state = 'regressed', changed_at = now()
                 FROM seen s JOIN hosts h ON h.agent_id = s.agent_id
                 WHERE t.state = 'resolved'
                   AND s.issue = t.issue
                   AND (t.resolved_in = '' OR version_reached(s.kernel_release, t.resolved_in))
                   AND (t.resolved_in_build = '' OR version_reached(h.os_build, t.resolved_in_build))
                 RETURNING t.issue, s.kernel_release, h.os_build, coalesce(nullif(h.hostname, ''), h.agent_id::text) AS host
             )
             INSERT INTO triage_history (issue, who, change)
             SELECT issue, 'collector', jsonb_build_object('state', 'regressed', 'note', concat_ws(', ',
                 'kernel ' || nullif(kernel_release, ''), 'build ' || nullif(os_build, ''), 'on ' || host))
             FROM regressed",
        )
        .await?;
    transaction
        .execute(&regress, &[&seen.issue, &seen.agent_id, &seen.kernel_release])
        .await?;
    Ok(())
}

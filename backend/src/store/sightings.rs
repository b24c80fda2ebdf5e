//! Which host had which issue on which day, and in what.

use std::collections::BTreeMap;

use deadpool_postgres::Transaction;
use uuid::Uuid;

use super::{StoreError, plan::Plan, time::Micros};

/// Adds the rows to `sightings`.
pub(super) async fn add(transaction: &Transaction<'_>, plan: &Plan<'_>) -> Result<(), StoreError> {
    let sums = Sums::of(plan);
    if sums.records.is_empty() {
        return Ok(());
    }
    let statement = transaction
        .prepare_cached(
            "INSERT INTO sightings AS s (agent_id, day, issue, os_build, kernel_release, product, first_at, records)
             SELECT n.agent_id, date_trunc('day', n.first_at, 'UTC'), n.issue, h.os_build, n.kernel_release, h.product,
                    n.first_at, n.records
             FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[], $5::bigint[])
                      AS n(agent_id, issue, kernel_release, first_at, records)
             JOIN hosts h ON h.agent_id = n.agent_id
             ORDER BY 1, 2, 3, 4, 5, 6
             ON CONFLICT (agent_id, day, issue, os_build, kernel_release, product)
             DO UPDATE SET records = s.records + excluded.records",
        )
        .await?;
    transaction
        .execute(
            &statement,
            &[
                &sums.agent_id,
                &sums.issue,
                &sums.kernel_release,
                &sums.first_at,
                &sums.records,
            ],
        )
        .await?;
    Ok(())
}

/// What is added, as columns for `unnest`. All records of an agent in a transaction are of one moment.
#[derive(Debug, Default)]
struct Sums<'a> {
    agent_id: Vec<Uuid>,
    issue: Vec<Uuid>,
    kernel_release: Vec<&'a str>,
    first_at: Vec<Micros>,
    records: Vec<i64>,
}

impl<'a> Sums<'a> {
    fn of(plan: &Plan<'a>) -> Self {
        let mut sums: BTreeMap<(Uuid, Uuid, &str), (Micros, i64)> = BTreeMap::new();
        for (mark, row) in plan.rows() {
            if let Some(issue) = plan.issue(row) {
                let sum = sums
                    .entry((mark.agent_id, issue, row.kernel_release.as_str()))
                    .or_insert((mark.now, 0));
                sum.1 += 1;
            }
        }
        let mut columns = Self::default();
        for ((agent_id, issue, kernel_release), (first_at, records)) in sums {
            columns.agent_id.push(agent_id);
            columns.issue.push(issue);
            columns.kernel_release.push(kernel_release);
            columns.first_at.push(first_at);
            columns.records.push(records);
        }
        columns
    }
}

//! Moving records of an issue to the issues that newer rules make of them.

use std::{collections::BTreeMap, sync::Arc};

use deadpool_postgres::Transaction;
use futures::future::try_join4;
use uuid::Uuid;

use super::{
    super::{Store, StoreError, issues, time::Micros},
    FAMILY, counts,
    read::{COLUMNS, Pair},
};
use crate::record::rules::Rules;

/// Records that are read and moved in one transaction: those who count others of the same hosts and issues wait for it, some tens of
/// milliseconds.
const RECORDS: i64 = 500;

/// A record with the issue that it is of from now on.
pub(super) struct Moved {
    pub(super) pair: Pair,
    pub(super) issue: Uuid,
}

impl Store {
    /// Moves some records of an issue of older rules; says how many. Records that are not counted yet stay until they are.
    pub(super) async fn move_on(&self, issue: Uuid, rules: &Arc<dyn Rules>) -> Result<u64, StoreError> {
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        let choose = transaction
            .prepare_cached(&format!(
                "SELECT {COLUMNS} FROM records r
                 JOIN counted c ON c.agent_id = r.agent_id AND c.epoch = r.epoch AND r.seq <= c.seq
                 WHERE r.issue = ANY ({FAMILY}) LIMIT $2 FOR UPDATE OF r"
            ))
            .await?;
        let rows = transaction.query(&choose, &[&issue, &RECORDS]).await?;
        if rows.is_empty() {
            return Ok(0);
        }
        let split_by_people: bool = transaction
            .query_one("SELECT split FROM triage WHERE issue = $1", &[&issue])
            .await?
            .get(0);
        let split = issues::split(&transaction).await?;
        let reader = Arc::clone(rules);
        let read = move || -> Vec<Pair> { rows.iter().map(|row| Pair::of(row, &*reader)).collect() };
        // Invariant: reading reports does not panic, and the runtime ends after its tasks.
        let pairs = tokio::task::spawn_blocking(read).await.unwrap_or_default();
        let moved: Vec<Moved> = pairs
            .into_iter()
            .map(|pair| Moved {
                issue: if split_by_people || split.contains(&pair.becomes.coarse) {
                    pair.becomes.finer.unwrap_or(pair.becomes.coarse)
                } else {
                    pair.becomes.coarse
                },
                pair,
            })
            .filter(|moved| moved.issue != moved.pair.was.issue)
            .collect();
        known(&transaction, &moved, split_by_people).await?;
        try_join4(
            rewrite(&transaction, &moved),
            counts::fingerprints(&transaction, &moved),
            counts::rollups(&transaction, &moved),
            counts::sightings(&transaction, &moved),
        )
        .await?;
        note(&transaction, issue, &moved, rules.version()).await?;
        transaction.commit().await?;
        Ok(moved.len() as u64)
    }
}

/// Makes the issues known that records are moved to; what people had split stays split.
async fn known(transaction: &Transaction<'_>, moved: &[Moved], split: bool) -> Result<(), StoreError> {
    let issues: BTreeMap<Uuid, Option<Uuid>> = moved
        .iter()
        .map(|moved| {
            let coarse = moved.pair.becomes.coarse;
            (moved.issue, Some(coarse).filter(|coarse| *coarse != moved.issue))
        })
        .collect();
    let (issue, coarse): (Vec<Uuid>, Vec<Option<Uuid>>) = issues.into_iter().unzip();
    transaction
        .execute(
            "INSERT INTO triage (issue, split_from) SELECT * FROM unnest($1::uuid[], $2::uuid[]) AS n(issue, split_from)
             ORDER BY issue ON CONFLICT (issue) DO UPDATE SET split_from = excluded.split_from
             WHERE triage.split_from IS DISTINCT FROM excluded.split_from",
            &[&issue, &coarse],
        )
        .await?;
    if split {
        let mut coarse: Vec<Uuid> = moved.iter().map(|moved| moved.pair.becomes.coarse).collect();
        coarse.sort_unstable();
        coarse.dedup();
        // Whether records are there already that are not split is for those who split issues to see.
        transaction
            .execute(
                "INSERT INTO triage (issue, split, regroup) SELECT issue, true, true FROM unnest($1::uuid[]) AS n(issue)
                 ORDER BY issue ON CONFLICT (issue) DO UPDATE SET split = true, regroup = true WHERE NOT triage.split",
                &[&coarse],
            )
            .await?;
    }
    Ok(())
}

/// Rewrites the records.
async fn rewrite(transaction: &Transaction<'_>, moved: &[Moved]) -> Result<(), StoreError> {
    let rewrite = transaction
        .prepare_cached(
            "UPDATE records r
             SET issue = n.issue, class = n.class, severity = n.severity, title = n.title,
                 fingerprints = n.fingerprints::uuid[], record = n.record
             FROM unnest($1::uuid[], $2::timestamptz[], $3::uuid[], $4::uuid[], $5::text[], $6::smallint[], $7::text[],
                         $8::text[], $9::bytea[])
                 AS n(agent_id, received_at, id, issue, class, severity, title, fingerprints, record)
             WHERE r.agent_id = n.agent_id AND r.received_at = n.received_at AND r.id = n.id",
        )
        .await?;
    let arrays: Vec<String> = moved
        .iter()
        .map(|moved| {
            let levels = moved.pair.becomes.levels.iter();
            let values: Vec<String> = levels.map(|level| level.fingerprint.to_string()).collect();
            format!("{{{}}}", values.join(","))
        })
        .collect();
    let all = || moved.iter();
    transaction
        .execute(
            &rewrite,
            &[
                &all().map(|moved| moved.pair.agent_id).collect::<Vec<Uuid>>(),
                &all().map(|moved| moved.pair.received_at).collect::<Vec<Micros>>(),
                &all().map(|moved| moved.pair.id).collect::<Vec<Uuid>>(),
                &all().map(|moved| moved.issue).collect::<Vec<Uuid>>(),
                &all()
                    .map(|moved| &*moved.pair.becomes.class)
                    .collect::<Vec<&str>>(),
                &all()
                    .map(|moved| moved.pair.becomes.severity)
                    .collect::<Vec<i16>>(),
                &all()
                    .map(|moved| &*moved.pair.becomes.title)
                    .collect::<Vec<&str>>(),
                &arrays,
                &all()
                    .map(|moved| &*moved.pair.becomes.record)
                    .collect::<Vec<&[u8]>>(),
            ],
        )
        .await?;
    Ok(())
}

/// Notes how many records of which issue became which: the issue with most of them will be the successor.
async fn note(
    transaction: &Transaction<'_>,
    issue: Uuid,
    moved: &[Moved],
    version: u32,
) -> Result<(), StoreError> {
    let mut sums: BTreeMap<(Uuid, Uuid), i64> = BTreeMap::new();
    for moved in moved {
        *sums.entry((moved.pair.was.issue, moved.issue)).or_default() += 1;
        // Of a split issue no record may be left that is its own: it becomes what its parts belong to.
        if moved.pair.was.issue != issue {
            *sums.entry((issue, moved.pair.becomes.coarse)).or_default() += 1;
        }
    }
    let (pairs, records): (Vec<(Uuid, Uuid)>, Vec<i64>) = sums.into_iter().unzip();
    let (was, becomes): (Vec<Uuid>, Vec<Uuid>) = pairs.into_iter().unzip();
    transaction
        .execute(
            "INSERT INTO regrouped AS r (version, was, becomes, records)
             SELECT $1, * FROM unnest($2::uuid[], $3::uuid[], $4::bigint[]) AS n(was, becomes, records)
             ON CONFLICT (version, was, becomes) DO UPDATE SET records = r.records + excluded.records",
            &[&i64::from(version), &was, &becomes, &records],
        )
        .await?;
    Ok(())
}

//! Errors of single parts of machines by the hour: what hardware health is computed from, without looking at records.

use std::{
    collections::{BTreeMap, BTreeSet},
    pin::pin,
    time::Duration,
};

use deadpool_postgres::Transaction;
use futures::TryStreamExt as _;
use prost::Message as _;
use proto::v1::Record;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::{Store, StoreError, clean, plan::Plan, time::Micros};
use crate::record::part::{Harm, PartErrors, PartKind, Spot};

/// Different places inside a part that are kept of an hour.
const SPOTS: usize = 64;
/// What happened longer ago, or is yet to happen, has a wrong clock and counts for when it was received. A host that comes back
/// after a longer time is another one.
const BELIEVED: Duration = Duration::from_hours(24 * 30);

/// Classes of records that speak of parts, as a condition on their column.
const OF_PARTS: &str = "(class ^@ 'hardware.' OR class = 'storage.block_error')";
/// How long counting a day may take, as PostgreSQL says it.
const DAY_WITHIN: &str = "30min";

/// Adds the rows that speak of parts to `part_hours`; where none does, nothing is asked of the database.
pub(super) async fn add(transaction: &Transaction<'_>, plan: &Plan<'_>) -> Result<(), StoreError> {
    let mut sums = PartSums::default();
    for (mark, row) in plan.rows() {
        // What netconsole told may be taken back: the host tells it itself.
        if let Some(errors) = &row.part
            && !mark.by_netconsole
        {
            sums.add(mark.agent_id, errors, row.occurred_at, mark.now);
        }
    }
    if sums.0.is_empty() {
        return Ok(());
    }
    // Apart, so that deliveries without such rows do not carry its state.
    Box::pin(sums.write(transaction)).await
}

impl Store {
    /// Counts what was stored before `part_hours` was there: the records of one day, the latest first. False: there are none
    /// left, or another collector is at it. Each record is read once, in the background; days without such records are not looked at.
    pub async fn count_earlier_parts(&self) -> Result<bool, StoreError> {
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        transaction
            .batch_execute(&format!("SET LOCAL statement_timeout = '{DAY_WITHIN}'"))
            .await?;
        let day = transaction
            .query_opt(
                "SELECT counted_from, clock_timestamp() FROM part_work WHERE isfinite(counted_from) FOR UPDATE SKIP LOCKED",
                &[],
            )
            .await?;
        let Some((until, now)) = day.map(|row| (row.get::<_, Micros>(0), row.get::<_, Micros>(1))) else {
            return Ok(false);
        };
        let latest = format!("SELECT max(day) FROM rollups_daily WHERE day < $1 AND {OF_PARTS}");
        let day: Option<Micros> = transaction.query_one(&latest, &[&until]).await?.get(0);
        if let Some(day) = day {
            let mut sums = earlier(&transaction, day, until).await?;
            for sum in sums.0.values_mut() {
                sum.stored_at = now;
            }
            if !sums.0.is_empty() {
                sums.write(&transaction).await?;
            }
        }
        transaction
            .execute(
                "UPDATE part_work SET counted_from = coalesce($1::timestamptz, '-infinity')",
                &[&day],
            )
            .await?;
        transaction.commit().await?;
        Ok(day.is_some())
    }
}

/// What the records of a day add up to that were stored before `until`.
async fn earlier(transaction: &Transaction<'_>, day: Micros, until: Micros) -> Result<PartSums, StoreError> {
    let records = format!(
        "SELECT r.agent_id, r.received_at, r.record FROM records r
         JOIN senders s ON s.agent_id = r.agent_id AND s.epoch = r.epoch AND NOT s.by_netconsole
         WHERE r.received_at >= $1 AND r.received_at < least($2, $1 + interval '24 hours') AND NOT r.housekeeping
           AND {OF_PARTS}"
    );
    let statement = transaction.prepare(&records).await?;
    let mut rows = pin!(transaction.query_raw(&statement, [day, until]).await?);
    let mut sums = PartSums::default();
    while let Some(row) = rows.try_next().await? {
        let encoded: &[u8] = row.get(2);
        // Only good records are stored as what they say they are.
        let Ok(record) = Record::decode(encoded) else {
            continue;
        };
        if let Some(errors) = PartErrors::of(&record) {
            let occurred_at = Micros::from_unix_ns(record.occurred_at_unix_ns);
            sums.add(row.get(0), &errors, occurred_at, row.get(1));
        }
    }
    Ok(sums)
}

/// What is added to `part_hours`.
#[derive(Debug, Default)]
pub(super) struct PartSums(BTreeMap<(Uuid, PartKind, String, Micros), Sum>);

#[derive(Debug)]
struct Sum {
    model: String,
    corrected: u64,
    uncorrected: u64,
    fatal: u64,
    spots: BTreeSet<Spot>,
    stored_at: Micros,
}

impl PartSums {
    /// Adds the errors of one record.
    pub(super) fn add(
        &mut self,
        agent_id: Uuid,
        errors: &PartErrors,
        occurred_at: Option<Micros>,
        received_at: Micros,
    ) {
        let at = occurred_at
            .filter(|at| (received_at.earlier(BELIEVED)..=received_at).contains(at))
            .unwrap_or(received_at);
        let key = (agent_id, errors.kind, clean(&errors.part).into_owned(), at.hour());
        let sum = self.0.entry(key).or_insert_with(|| Sum {
            model: String::new(),
            corrected: 0,
            uncorrected: 0,
            fatal: 0,
            spots: BTreeSet::new(),
            stored_at: received_at,
        });
        let count = match errors.harm {
            Harm::Corrected => &mut sum.corrected,
            Harm::Uncorrected => &mut sum.uncorrected,
            Harm::Fatal => &mut sum.fatal,
        };
        *count = count.saturating_add(errors.count);
        sum.stored_at = sum.stored_at.max(received_at);
        if !errors.model.is_empty() {
            clean(&errors.model).as_ref().clone_into(&mut sum.model);
        }
        if errors.spot != Spot::default() && sum.spots.len() < SPOTS {
            sum.spots.insert(errors.spot);
        }
    }

    /// Writes them, in the order of the key, so that transactions lock in one order.
    pub(super) async fn write(self, transaction: &Transaction<'_>) -> Result<(), StoreError> {
        let statement = transaction
            .prepare_cached(&format!(
                "INSERT INTO part_hours AS p (agent_id, kind, part, hour, model, corrected, uncorrected, fatal, spots, stored_at)
                 SELECT agent_id, kind, part, hour, model, corrected, uncorrected, fatal, string_to_array(spots, ';'), stored_at
                 FROM unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[], $5::text[], $6::bigint[], $7::bigint[],
                             $8::bigint[], $9::text[], $10::timestamptz[])
                      AS n(agent_id, kind, part, hour, model, corrected, uncorrected, fatal, spots, stored_at)
                 ON CONFLICT (agent_id, kind, part, hour) DO UPDATE
                 SET corrected = {corrected}, uncorrected = {uncorrected}, fatal = {fatal},
                     model = coalesce(nullif(excluded.model, ''), p.model),
                     stored_at = greatest(p.stored_at, excluded.stored_at),
                     spots = CASE WHEN p.spots @> excluded.spots OR cardinality(p.spots) >= {SPOTS} THEN p.spots
                                  ELSE ARRAY(SELECT DISTINCT spot FROM unnest(p.spots || excluded.spots) spot
                                             ORDER BY spot LIMIT {SPOTS}) END",
                corrected = added("corrected"),
                uncorrected = added("uncorrected"),
                fatal = added("fatal"),
            ))
            .await?;
        let columns = Columns::of(self);
        transaction.execute(&statement, &columns.values()).await?;
        Ok(())
    }
}

/// The sum of a count that is there and one that is added. Counts are what strangers say: they end at the largest number.
fn added(count: &str) -> String {
    format!("p.{count} + least(excluded.{count}, {} - p.{count})", i64::MAX)
}

/// [`PartSums`] for `unnest`.
#[derive(Debug, Default)]
struct Columns {
    agent_id: Vec<Uuid>,
    kind: Vec<&'static str>,
    part: Vec<String>,
    hour: Vec<Micros>,
    model: Vec<String>,
    corrected: Vec<i64>,
    uncorrected: Vec<i64>,
    fatal: Vec<i64>,
    spots: Vec<String>,
    stored_at: Vec<Micros>,
}

impl Columns {
    fn of(sums: PartSums) -> Self {
        let count = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let mut columns = Self::default();
        for ((agent_id, kind, part, hour), sum) in sums.0 {
            columns.agent_id.push(agent_id);
            columns.kind.push(kind.name());
            columns.part.push(part);
            columns.hour.push(hour);
            columns.model.push(sum.model);
            columns.corrected.push(count(sum.corrected));
            columns.uncorrected.push(count(sum.uncorrected));
            columns.fatal.push(count(sum.fatal));
            let spots: Vec<String> = sum.spots.iter().map(Spot::to_string).collect();
            columns.spots.push(spots.join(";"));
            columns.stored_at.push(sum.stored_at);
        }
        columns
    }

    fn values(&self) -> [&(dyn ToSql + Sync); 10] {
        [
            &self.agent_id,
            &self.kind,
            &self.part,
            &self.hour,
            &self.model,
            &self.corrected,
            &self.uncorrected,
            &self.fatal,
            &self.spots,
            &self.stored_at,
        ]
    }
}

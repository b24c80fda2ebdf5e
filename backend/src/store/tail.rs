//! Records as they are stored, each once, by asking again and again.
//!
//! Asking for "newer than the last one seen" would miss records: transactions don't commit in the order of
//! `received_at`. But a sender's own records do, because each batch holds the sender's lock until it commits and
//! takes its `received_at` under that lock. So the cursor is a mark a sender, and `senders.stored_at` says which senders
//! have something new. Senders are looked for with an overlap that is longer than any transaction may last; looking
//! at a sender twice costs nothing, its mark says what was seen.

use std::{collections::HashMap, time::Duration};

use proto::v1::{Fault, FaultFilter};
use tokio_postgres::Row;
use uuid::Uuid;

use super::{
    Store, StoreError,
    filter::{Asked, Parameters},
    list::{FAULT, fault},
    time::Micros,
};

/// Longer than any transaction that stores records may last: its statements, a handful, are limited to 10 s each.
pub(super) const OVERLAP: Duration = Duration::from_mins(2);

/// The last record seen of a sender.
type Mark = (Micros, Uuid);

/// Where a tail has got to. Starts with [`Store::tail`].
#[derive(Clone, Debug)]
pub struct TailCursor {
    /// Everything of a sender without a mark that is older than this was seen or was there before.
    floor: Micros,
    marks: HashMap<(Uuid, Uuid), Mark>,
}

impl Store {
    /// How often a tail should ask for more.
    pub const TAIL_POLL: Duration = Duration::from_millis(500);

    /// A cursor behind everything that is stored at this moment.
    pub async fn tail(&self) -> Result<TailCursor, StoreError> {
        let floor = self.now().await?.earlier(OVERLAP);
        let senders = self.active_since(floor).await?;
        Ok(TailCursor {
            floor,
            marks: senders
                .into_iter()
                .map(|(sender, at)| (sender, (at, Uuid::max())))
                .collect(),
        })
    }

    /// Up to `limit` matching records that were stored since the cursor was last used, oldest first; moves the cursor.
    /// No record is missed, however late its transaction commits, and none comes twice.
    pub async fn faults_after(
        &self,
        cursor: &mut TailCursor,
        filter: &FaultFilter,
        limit: u32,
    ) -> Result<Vec<Fault>, StoreError> {
        // The clock is read before the senders are: a later floor could hide a transaction that is under way.
        let floor = self.now().await?.earlier(OVERLAP);
        let senders = self.active_since(cursor.floor).await?;
        let rows = self.new_rows(cursor, &senders, filter, limit).await?;
        if rows.len() < limit as usize {
            cursor.marks = senders
                .into_iter()
                .filter(|(_, stored_at)| *stored_at > floor)
                .map(|(sender, stored_at)| (sender, (stored_at, Uuid::max())))
                .collect();
            cursor.floor = floor;
        } else {
            // There is more. Rows came in the order of (received_at, id), so what is left of a sender is past its mark.
            for row in &rows {
                cursor
                    .marks
                    .insert((row.get(1), row.get(2)), (row.get(4), row.get(0)));
            }
        }
        Ok(rows.iter().map(fault).collect())
    }

    async fn now(&self) -> Result<Micros, StoreError> {
        let client = self.client().await?;
        let statement = client.prepare_cached("SELECT clock_timestamp()").await?;
        Ok(client.query_one(&statement, &[]).await?.get(0))
    }

    async fn active_since(&self, floor: Micros) -> Result<Vec<((Uuid, Uuid), Micros)>, StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached("SELECT agent_id, epoch, stored_at FROM senders WHERE stored_at > $1")
            .await?;
        let rows = client.query(&statement, &[&floor]).await?;
        Ok(rows
            .iter()
            .map(|row| ((row.get(0), row.get(1)), row.get(2)))
            .collect())
    }

    async fn new_rows(
        &self,
        cursor: &TailCursor,
        senders: &[((Uuid, Uuid), Micros)],
        filter: &FaultFilter,
        limit: u32,
    ) -> Result<Vec<Row>, StoreError> {
        let ranges = Ranges::new(cursor, senders);
        let mut parameters = Parameters::default();
        let asked = Asked::new(filter)?;
        let of_host = asked.agents(&mut parameters)?;
        let mut conditions = asked.matching(&mut parameters)?;
        conditions.extend(asked.moments(&mut parameters));
        conditions.extend(of_host.map(|agents| format!("r.agent_id IN ({agents})")));
        let Some(oldest) = ranges.after.iter().min().copied() else {
            return Ok(Vec::new());
        };
        if !asked.include_housekeeping() {
            conditions.push("NOT r.housekeeping".to_owned());
        }
        let (agents, epochs) = (parameters.bind(ranges.agents), parameters.bind(ranges.epochs));
        let (after, after_ids) = (parameters.bind(ranges.after), parameters.bind(ranges.after_ids));
        let (until, oldest) = (parameters.bind(ranges.until), parameters.bind(oldest));
        let limit = parameters.bind(i64::from(limit));
        conditions.push(format!("r.received_at >= {oldest}"));
        let all = conditions.join(" AND ");
        let sql = format!(
            "SELECT {FAULT}
             FROM unnest({agents}::uuid[], {epochs}::uuid[], {after}::timestamptz[], {after_ids}::uuid[],
                         {until}::timestamptz[]) AS s(agent_id, epoch, after, after_id, until)
             JOIN records r ON r.agent_id = s.agent_id AND r.epoch = s.epoch
                  AND r.received_at >= s.after AND (r.received_at, r.id) > (s.after, s.after_id)
                  AND r.received_at <= s.until
             LEFT JOIN hosts h ON h.agent_id = r.agent_id
             WHERE {all}
             ORDER BY r.received_at, r.id LIMIT {limit}"
        );
        let client = self.client().await?;
        let statement = client.prepare_cached(&sql).await?;
        Ok(client.query(&statement, &parameters.values()).await?)
    }
}

/// Where there may be something new, as columns for `unnest`.
#[derive(Default)]
struct Ranges {
    agents: Vec<Uuid>,
    epochs: Vec<Uuid>,
    after: Vec<Micros>,
    after_ids: Vec<Uuid>,
    until: Vec<Micros>,
}

impl Ranges {
    fn new(cursor: &TailCursor, senders: &[((Uuid, Uuid), Micros)]) -> Self {
        let mut ranges = Self::default();
        for (sender, stored_at) in senders {
            let unmarked = (cursor.floor, Uuid::max());
            let (at, id) = cursor.marks.get(sender).copied().unwrap_or(unmarked);
            if (*stored_at, Uuid::max()) > (at, id) {
                ranges.agents.push(sender.0);
                ranges.epochs.push(sender.1);
                ranges.after.push(at);
                ranges.after_ids.push(id);
                ranges.until.push(*stored_at);
            }
        }
        ranges
    }
}

//! Delivery: a batch and the sender's new high-water mark in one transaction.

use std::time::Duration;

use deadpool_postgres::Transaction;
use futures::future::try_join;
use proto::{
    limits,
    v1::{Batch, Gap, Host},
};
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::{
    DeliverError, Store, clean, netconsole,
    rows::{Row, reason},
    time::Micros,
    write,
};

/// How often a transaction that lost against another is repeated.
const ATTEMPTS: u32 = 5;
/// The pause before it is repeated; grows with each attempt, and is jittered.
const PAUSE: Duration = Duration::from_millis(10);

/// Who delivers.
#[derive(Clone, Debug)]
pub struct Sender {
    /// The agent.
    pub agent_id: Uuid,
    /// Its spool's epoch.
    pub epoch: Uuid,
    /// The host's present kernel, for records that don't name their own.
    pub kernel_release: String,
    /// The collector itself, by what it heard of the host: no sign of life of its agent.
    pub by_netconsole: bool,
}

impl Sender {
    /// An agent.
    pub fn new(agent_id: Uuid, epoch: Uuid, kernel_release: &str) -> Self {
        Self {
            agent_id,
            epoch,
            kernel_release: kernel_release.to_owned(),
            by_netconsole: false,
        }
    }
}

/// What became of a batch or a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// The sequence up to which everything is stored now.
    pub stored_seq: u64,
    /// Records written.
    pub records: u64,
    /// Of these, records that could not be understood.
    pub undecodable: u64,
    /// Records that had been stored before and were skipped.
    pub duplicates: u64,
}

impl Store {
    /// Makes a sender and its host known; says up to which sequence everything of it is stored.
    pub async fn hello(
        &self,
        sender: &Sender,
        host: &Host,
        agent_version: &str,
    ) -> Result<u64, DeliverError> {
        self.introduce(sender, Some(host), agent_version).await
    }

    /// The same for a sender whose host is known already.
    pub(super) async fn introduce(
        &self,
        sender: &Sender,
        host: Option<&Host>,
        agent_version: &str,
    ) -> Result<u64, DeliverError> {
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        if let Some(host) = host {
            write::host(&transaction, sender.agent_id, host, agent_version).await?;
            if !host.netconsole_token.is_empty() {
                netconsole::boot(&transaction, sender.agent_id, host).await?;
            }
        }
        let insert = transaction
            .prepare_cached(
                "INSERT INTO senders (agent_id, epoch, by_netconsole) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
            )
            .await?;
        transaction
            .execute(&insert, &[&sender.agent_id, &sender.epoch, &sender.by_netconsole])
            .await?;
        let stored = transaction
            .prepare_cached("SELECT stored_seq FROM senders WHERE agent_id = $1 AND epoch = $2")
            .await?;
        let row = transaction
            .query_one(&stored, &[&sender.agent_id, &sender.epoch])
            .await?;
        transaction.commit().await?;
        Ok(sequence(row.get(0)))
    }

    /// Stores a batch: what is at or below the stored sequence is skipped, a batch past the next one is refused.
    pub async fn deliver(&self, sender: &Sender, batch: Batch) -> Result<Delivered, DeliverError> {
        let count = batch.records.len();
        if count == 0 || count > limits::BATCH_RECORDS {
            return Err(DeliverError::Invalid(format!(
                "a batch of {count} records: allowed are 1 to {}",
                limits::BATCH_RECORDS
            )));
        }
        let (first_seq, _) = range(batch.first_seq, count as u64)?;
        let rows: Vec<Row> = (first_seq..)
            .zip(&batch.records)
            .map(|(seq, sent)| Row::new(seq, sent, &sender.kernel_release))
            .collect();
        drop(batch);
        let mut attempt = 0;
        loop {
            attempt += 1;
            match self.store_rows(sender, &rows).await {
                Err(error) if error.is_conflict() && attempt < ATTEMPTS => pause(attempt).await,
                result => return result,
            }
        }
    }

    /// Stores that sequences will never come.
    pub async fn deliver_gap(&self, sender: &Sender, gap: &Gap) -> Result<Delivered, DeliverError> {
        let (first_seq, last_seq) = range(gap.first_seq, gap.count)?;
        if gap.class.chars().count() > limits::CLASS_CHARS {
            return Err(DeliverError::Invalid(format!(
                "a gap's class of more than {} characters",
                limits::CLASS_CHARS
            )));
        }
        let mut attempt = 0;
        loop {
            attempt += 1;
            match self.store_gap(sender, first_seq, last_seq, gap).await {
                Err(error) if error.is_conflict() && attempt < ATTEMPTS => pause(attempt).await,
                result => return result,
            }
        }
    }

    async fn store_rows(&self, sender: &Sender, rows: &[Row]) -> Result<Delivered, DeliverError> {
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        let mark = Mark::lock(&transaction, sender).await?;
        // Invariant: `deliver` made sure that there is a row.
        let (first_seq, last_seq) = (rows[0].seq, rows[rows.len() - 1].seq);
        let known = mark.known(first_seq, last_seq)?;
        let duplicates = usize::try_from(known).unwrap_or(usize::MAX).min(rows.len());
        let new = &rows[duplicates..];
        let delivered = |stored_seq| Delivered {
            stored_seq: sequence(stored_seq),
            records: new.len() as u64,
            undecodable: new.iter().filter(|row| row.undecodable.is_some()).count() as u64,
            duplicates: duplicates as u64,
        };
        if new.is_empty() {
            return Ok(delivered(mark.stored_seq));
        }
        write::records(&transaction, sender, new, mark.now).await?;
        try_join(
            try_join(
                write::rollups(&transaction, sender, new, mark.now),
                write::fingerprints(&transaction, sender, new, mark.now),
            ),
            try_join(
                write::losses(&transaction, sender, new, mark.now),
                mark.advance(&transaction, sender, last_seq),
            ),
        )
        .await?;
        netconsole::open(&transaction, sender, new, mark.now).await?;
        transaction.commit().await?;
        Ok(delivered(last_seq))
    }

    async fn store_gap(
        &self,
        sender: &Sender,
        first_seq: i64,
        last_seq: i64,
        gap: &Gap,
    ) -> Result<Delivered, DeliverError> {
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        let mark = Mark::lock(&transaction, sender).await?;
        mark.known(first_seq, last_seq)?;
        let nothing = Delivered {
            stored_seq: sequence(mark.stored_seq),
            records: 0,
            undecodable: 0,
            duplicates: 0,
        };
        if last_seq <= mark.stored_seq {
            return Ok(nothing);
        }
        let insert = transaction
            .prepare_cached(
                "INSERT INTO losses (agent_id, epoch, seq, gap, reason, events, received_at, class, sequences)
                 VALUES ($1, $2, $3, true, $4, $5, $6, $7, $8)",
            )
            .await?;
        let (seq, sequences) = (mark.stored_seq + 1, last_seq - mark.stored_seq);
        let class = clean(&gap.class);
        // Which of its events a part of a gap tells of nobody knows.
        let events = if seq == first_seq {
            i64::try_from(gap.events).unwrap_or(i64::MAX)
        } else {
            sequences
        };
        transaction
            .execute(
                &insert,
                &[
                    &sender.agent_id,
                    &sender.epoch,
                    &seq,
                    &reason(gap.reason),
                    &events.max(sequences),
                    &mark.now,
                    &class,
                    &sequences,
                ],
            )
            .await?;
        mark.advance(&transaction, sender, last_seq).await?;
        transaction.commit().await?;
        Ok(Delivered {
            stored_seq: sequence(last_seq),
            ..nothing
        })
    }
}

/// Lets the other transaction get ahead.
async fn pause(attempt: u32) {
    tokio::time::sleep(PAUSE * attempt + PAUSE.mul_f32(fastrand::f32())).await;
}

/// The sender's high-water mark, locked until the transaction ends.
struct Mark {
    stored_seq: i64,
    /// By the database's clock, read after the lock was obtained; later than anything of this sender so far.
    now: Micros,
}

impl Mark {
    async fn lock(transaction: &Transaction<'_>, sender: &Sender) -> Result<Self, DeliverError> {
        let lock = transaction
            .prepare_cached(
                "SELECT stored_seq, CASE WHEN isfinite(stored_at) THEN stored_at ELSE 'epoch' END
                 FROM senders WHERE agent_id = $1 AND epoch = $2 FOR UPDATE",
            )
            .await?;
        let clock = transaction.prepare_cached("SELECT clock_timestamp()").await?;
        // Both are sent at once, and run one after the other.
        let ids: [&(dyn ToSql + Sync); 2] = [&sender.agent_id, &sender.epoch];
        let (mark, now) = try_join(
            transaction.query_opt(&lock, &ids),
            transaction.query_one(&clock, &[]),
        )
        .await?;
        let mark = mark.ok_or(DeliverError::UnknownSender)?;
        let (now, stored_at): (Micros, Micros) = (now.get(0), mark.get(1));
        Ok(Self {
            stored_seq: mark.get(0),
            now: now.max(Micros(stored_at.0 + 1)),
        })
    }

    /// How many of the sequences are stored already.
    fn known(&self, first_seq: i64, last_seq: i64) -> Result<i64, DeliverError> {
        let stored_seq = self.stored_seq;
        if first_seq > stored_seq + 1 {
            return Err(DeliverError::Ahead {
                first_seq,
                stored_seq,
            });
        }
        Ok(stored_seq.min(last_seq) + 1 - first_seq)
    }

    async fn advance(
        &self,
        transaction: &Transaction<'_>,
        sender: &Sender,
        stored_seq: i64,
    ) -> Result<(), DeliverError> {
        let advance = transaction
            .prepare_cached(
                "WITH host AS (UPDATE hosts SET last_seen = $4 WHERE agent_id = $1 AND NOT $5)
                 UPDATE senders SET stored_seq = $3, stored_at = $4 WHERE agent_id = $1 AND epoch = $2",
            )
            .await?;
        transaction
            .execute(
                &advance,
                &[
                    &sender.agent_id,
                    &sender.epoch,
                    &stored_seq,
                    &self.now,
                    &sender.by_netconsole,
                ],
            )
            .await?;
        Ok(())
    }
}

/// First and last sequence of a message, checked.
fn range(first_seq: u64, count: u64) -> Result<(i64, i64), DeliverError> {
    let invalid = || DeliverError::Invalid(format!("sequences {first_seq} and {count} on are out of range"));
    if first_seq == 0 || count == 0 {
        return Err(invalid());
    }
    let last_seq = first_seq.checked_add(count - 1).ok_or_else(invalid)?;
    // One below the largest, so that the next sequence can be named too.
    if last_seq >= i64::MAX as u64 {
        return Err(invalid());
    }
    let signed = |seq: u64| i64::try_from(seq).map_err(|_too_large| invalid());
    Ok((signed(first_seq)?, signed(last_seq)?))
}

/// A sequence as it is on the wire; the table's CHECK keeps it positive.
fn sequence(stored_seq: i64) -> u64 {
    u64::try_from(stored_seq).unwrap_or(0)
}

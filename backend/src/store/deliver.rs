//! Delivery: messages of any number of senders and the new high-water mark of each, in one transaction.
//!
//! Rows are copied straight into `records`. A temporary table, sorted out by SQL, would have every record written twice
//! for nothing: what is new is known as soon as the rows of `senders` are locked.

mod message;

use std::{sync::Arc, time::Duration};

use deadpool_postgres::Transaction;
use futures::future::{try_join, try_join5};
use proto::v1::{Batch, Gap, Host};
use tokio::time::Instant;
use uuid::Uuid;

pub(super) use self::message::Body;
pub use self::message::{Delivered, Message, Rejected, Sender};
use super::{
    DeliverError, Store, StoreError,
    count::{self, Tally},
    exposure, hosts, issues, netconsole, parts,
    plan::{Mark, Plan},
    population,
    time::Micros,
    write,
};

/// How often a transaction that lost against another is repeated.
pub(super) const ATTEMPTS: u32 = 5;
/// The pause before it is repeated; grows with each attempt, and is jittered.
const PAUSE: Duration = Duration::from_millis(10);

/// What a transaction has stored.
#[derive(Debug, Default)]
pub struct Stored {
    /// What became of each message, in their order.
    pub outcomes: Vec<Result<Delivered, DeliverError>>,
    /// What is to be counted for it, one of each sender.
    pub tallies: Vec<Tally>,
    /// How long it took to be written.
    pub write: Duration,
    /// How long it took to be on disk then.
    pub commit: Duration,
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
            hosts::tell(&transaction, sender.agent_id, host, agent_version).await?;
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
        let message = Message::batch(&Arc::new(sender.clone()), &batch)?;
        self.deliver_one(message).await
    }

    /// Stores that sequences will never come.
    pub async fn deliver_gap(&self, sender: &Sender, gap: &Gap) -> Result<Delivered, DeliverError> {
        let message = Message::gap(&Arc::new(sender.clone()), gap.clone())?;
        self.deliver_one(message).await
    }

    async fn deliver_one(&self, message: Message) -> Result<Delivered, DeliverError> {
        let mut outcomes = self.deliver_counted(&[message]).await?;
        // Invariant: there is an outcome for each message.
        outcomes.pop().unwrap_or(Err(DeliverError::UnknownSender))
    }

    /// Stores and counts messages of any senders in one transaction; what became of each, in their order.
    pub(super) async fn deliver_counted(
        &self,
        messages: &[Message],
    ) -> Result<Vec<Result<Delivered, DeliverError>>, StoreError> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            match self.store_and_count(messages).await {
                Err(error) if error.is_conflict() && attempt < ATTEMPTS => pause(attempt).await,
                result => return result,
            }
        }
    }

    /// Stores messages of any senders in one transaction; those of one sender in their order. The outer error is of the
    /// transaction: nothing was stored. An inner one is of a message, which stored nothing and spoils no other.
    ///
    /// What was stored is not counted yet: that is for [`Store::count`].
    pub async fn deliver_all(&self, messages: &[Message]) -> Result<Stored, StoreError> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            match self.store_all(messages).await {
                Err(error) if error.is_conflict() && attempt < ATTEMPTS => pause(attempt).await,
                result => return result,
            }
        }
    }

    async fn store_all(&self, messages: &[Message]) -> Result<Stored, StoreError> {
        let start = Instant::now();
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        let mut stored = store_in(&transaction, messages).await?;
        stored.write = start.elapsed();
        let start = Instant::now();
        transaction.commit().await?;
        stored.commit = start.elapsed();
        Ok(stored)
    }

    async fn store_and_count(
        &self,
        messages: &[Message],
    ) -> Result<Vec<Result<Delivered, DeliverError>>, StoreError> {
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        let stored = store_in(&transaction, messages).await?;
        count::count_in(&transaction, &stored.tallies).await?;
        transaction.commit().await?;
        Ok(stored.outcomes)
    }
}

/// What becomes of messages once the transaction is committed.
pub(super) async fn store_in(
    transaction: &Transaction<'_>,
    messages: &[Message],
) -> Result<Stored, StoreError> {
    let (marks, split) = try_join(lock(transaction, messages), issues::split(transaction)).await?;
    let plan = Plan::new(marks, split, messages);
    if !plan.is_empty() {
        write::records(transaction, &plan).await?;
        try_join(
            exposure::add(transaction, &plan),
            try_join5(
                parts::add(transaction, &plan),
                population::updates(transaction, &plan),
                write::losses(transaction, &plan),
                write::quarantine(transaction, &plan),
                write::marks(transaction, &plan),
            ),
        )
        .await?;
        netconsole::open(transaction, &plan).await?;
    }
    Ok(Stored {
        tallies: Tally::of(&plan),
        outcomes: plan.outcomes,
        ..Stored::default()
    })
}

/// Locks the rows of all senders, in one order, until the transaction ends.
async fn lock(transaction: &Transaction<'_>, messages: &[Message]) -> Result<Vec<Mark>, StoreError> {
    let (mut agents, mut epochs) = (Vec::new(), Vec::new());
    let mut senders: Vec<(Uuid, Uuid)> = messages
        .iter()
        .map(|message| (message.sender.agent_id, message.sender.epoch))
        .collect();
    senders.sort_unstable();
    senders.dedup();
    for (agent_id, epoch) in senders {
        agents.push(agent_id);
        epochs.push(epoch);
    }
    let lock = transaction
        .prepare_cached(
            "SELECT s.agent_id, s.epoch, s.by_netconsole, s.stored_seq,
                    CASE WHEN isfinite(s.stored_at) THEN s.stored_at ELSE 'epoch' END
             FROM senders s JOIN unnest($1::uuid[], $2::uuid[]) AS sent(agent_id, epoch)
                  ON sent.agent_id = s.agent_id AND sent.epoch = s.epoch
             ORDER BY s.agent_id, s.epoch FOR UPDATE OF s",
        )
        .await?;
    let clock = transaction.prepare_cached("SELECT clock_timestamp()").await?;
    // Both are sent at once, and run one after the other: the clock is read when all are locked.
    let (marks, now) = try_join(
        transaction.query(&lock, &[&agents, &epochs]),
        transaction.query_one(&clock, &[]),
    )
    .await?;
    let now: Micros = now.get(0);
    let mark = |row: &tokio_postgres::Row| {
        let stored_at: Micros = row.get(4);
        Mark {
            agent_id: row.get(0),
            epoch: row.get(1),
            by_netconsole: row.get(2),
            was: row.get(3),
            stored_seq: row.get(3),
            now: now.max(Micros(stored_at.0.saturating_add(1))),
            moved: false,
            records: 0,
        }
    };
    Ok(marks.iter().map(mark).collect())
}

/// Lets the other transaction get ahead.
pub(super) async fn pause(attempt: u32) {
    tokio::time::sleep(PAUSE * attempt + PAUSE.mul_f32(fastrand::f32())).await;
}

/// A sequence as it is on the wire; the table's CHECK keeps it positive.
pub(super) fn sequence(stored_seq: i64) -> u64 {
    u64::try_from(stored_seq).unwrap_or(0)
}

//! Counting: what stored records add to `fingerprints`, `rollups`, `sightings` and issues.
//!
//! A record is written once, but rows that count are written for each batch that has one more of theirs, and under load that
//! is most of what PostgreSQL has to do. So a batch is stored in one transaction and counted in another: what it adds up
//! to is kept as a [`Tally`], and tallies of the same sender become one until they are written.
//!
//! `counted` has the sequence up to which the records of a sender are in the counts, and is moved by the transaction that
//! adds them. A tally that does not begin there is not added: the records behind that sequence are read and added instead. So
//! whoever stored them and died, or stored them elsewhere, each record counts once.

mod behind;
mod issues;
mod sums;
mod tally;
mod write;

use std::{collections::HashMap, time::Duration};

use deadpool_postgres::Transaction;
use futures::future::try_join4;
use uuid::Uuid;

use super::{
    Store, StoreError,
    deliver::{ATTEMPTS, pause},
    time::Micros,
};

pub(super) use behind::up_to_now;
use tally::Sender;
pub use tally::Tally;

/// Senders whose latest records were stored so long ago and are not counted are nobody's any more: their collector has ended.
/// Well above the time that one takes to count, and the pause before.
const ABANDONED: Duration = Duration::from_secs(10);

impl Store {
    /// Adds tallies, one of each sender at most.
    pub async fn count(&self, tallies: &[Tally]) -> Result<(), StoreError> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            match self.try_count(tallies).await {
                Err(error) if error.is_conflict() && attempt < ATTEMPTS => pause(attempt).await,
                result => return result,
            }
        }
    }

    async fn try_count(&self, tallies: &[Tally]) -> Result<(), StoreError> {
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        count_in(&transaction, tallies).await?;
        Ok(transaction.commit().await?)
    }

    /// Counts what was left behind by collectors that have ended, or by this one when the database was away.
    pub async fn count_abandoned(&self) -> Result<(), StoreError> {
        self.count_older(ABANDONED).await
    }

    /// Counts all that was stored before the call.
    pub async fn count_everything(&self) -> Result<(), StoreError> {
        self.count_older(Duration::ZERO).await
    }

    async fn count_older(&self, age: Duration) -> Result<(), StoreError> {
        let client = self.client().await?;
        let behind = client
            .prepare_cached(
                "SELECT s.agent_id, s.epoch FROM senders s
                 LEFT JOIN counted c ON c.agent_id = s.agent_id AND c.epoch = s.epoch
                 WHERE s.stored_seq > coalesce(c.seq, 0) AND s.stored_at < clock_timestamp() - $1 * interval '1 second'",
            )
            .await?;
        let senders = client.query(&behind, &[&age.as_secs_f64()]).await?;
        drop(client);
        for sender in senders {
            let mut attempt = 0;
            loop {
                attempt += 1;
                match self.count_sender(sender.get(0), sender.get(1)).await {
                    Err(error) if error.is_conflict() && attempt < ATTEMPTS => pause(attempt).await,
                    result => break result?,
                }
            }
        }
        Ok(())
    }

    async fn count_sender(&self, agent_id: Uuid, epoch: Uuid) -> Result<(), StoreError> {
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        up_to_now(&transaction, agent_id, epoch).await?;
        Ok(transaction.commit().await?)
    }
}

/// Adds tallies, one of each sender at most, in the caller's transaction.
pub(super) async fn count_in(transaction: &Transaction<'_>, tallies: &[Tally]) -> Result<(), StoreError> {
    if tallies.is_empty() {
        return Ok(());
    }
    let mut senders: Vec<Sender> = tallies.iter().map(|tally| tally.sender).collect();
    senders.sort_unstable();
    let places = lock(transaction, &senders).await?;
    let place = |tally: &Tally| places.get(&tally.sender).copied().unwrap_or_default();
    let due: Vec<&Tally> = tallies
        .iter()
        .filter(|tally| place(tally).seq == tally.from)
        .collect();
    add(transaction, &due).await?;
    for tally in tallies {
        let place = place(tally);
        if place.seq != tally.from {
            behind::catch_up(transaction, tally.sender, place, tally.to).await?;
        }
    }
    Ok(())
}

/// How far a sender is counted.
#[derive(Clone, Copy)]
struct Place {
    seq: i64,
    /// `received_at` of what has that sequence.
    at: Micros,
}

impl Default for Place {
    fn default() -> Self {
        Self {
            seq: 0,
            at: Micros(0),
        }
    }
}

/// Locks the rows of senders in `counted`, in their order, until the transaction ends.
async fn lock(
    transaction: &Transaction<'_>,
    senders: &[Sender],
) -> Result<HashMap<Sender, Place>, StoreError> {
    let (agents, epochs): (Vec<Uuid>, Vec<Uuid>) = senders.iter().copied().unzip();
    let known = transaction
        .prepare_cached(
            "INSERT INTO counted (agent_id, epoch)
             SELECT s.agent_id, s.epoch FROM unnest($1::uuid[], $2::uuid[]) AS s(agent_id, epoch)
             WHERE NOT EXISTS (SELECT FROM counted c WHERE c.agent_id = s.agent_id AND c.epoch = s.epoch)
             ON CONFLICT DO NOTHING",
        )
        .await?;
    transaction.execute(&known, &[&agents, &epochs]).await?;
    let lock = transaction
        .prepare_cached(
            "SELECT c.agent_id, c.epoch, c.seq, c.at
             FROM counted c JOIN unnest($1::uuid[], $2::uuid[]) AS s(agent_id, epoch)
                  ON s.agent_id = c.agent_id AND s.epoch = c.epoch
             ORDER BY c.agent_id, c.epoch FOR UPDATE OF c",
        )
        .await?;
    let rows = transaction.query(&lock, &[&agents, &epochs]).await?;
    let places = rows.iter().map(|row| {
        let place = Place {
            seq: row.get(2),
            at: row.get(3),
        };
        ((row.get(0), row.get(1)), place)
    });
    Ok(places.collect())
}

/// Adds tallies that begin where their senders are counted to.
async fn add(transaction: &Transaction<'_>, tallies: &[&Tally]) -> Result<(), StoreError> {
    if tallies.is_empty() {
        return Ok(());
    }
    let sightings = sums::Sightings::of(tallies);
    let (hosts, ..) = try_join4(
        write::fingerprints(transaction, &sums::Fingerprints::of(tallies)),
        write::rollups(transaction, &sums::Rollups::of(tallies)),
        write::sightings(transaction, &sightings),
        write::places(transaction, tallies),
    )
    .await?;
    // Last: these rows are shared by all hosts, and whoever changes one has others wait until the commit.
    issues::seen(transaction, &sums::Issues::of(tallies), &hosts).await?;
    issues::regress(transaction, &sightings).await
}

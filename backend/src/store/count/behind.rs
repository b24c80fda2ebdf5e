//! Counting from the records themselves, where their tally is gone.

use bytes::Bytes;
use deadpool_postgres::Transaction;
use uuid::Uuid;

use super::{
    super::{StoreError, rows::Row, time::Micros},
    Place, add, lock,
    tally::{Kind, Seen, Sender, Tally},
};

/// Records that are read at a time.
const RECORDS: i64 = 1000;

/// Counts all that is stored of a sender, in the caller's transaction.
pub(in super::super) async fn up_to_now(
    transaction: &Transaction<'_>,
    agent_id: Uuid,
    epoch: Uuid,
) -> Result<(), StoreError> {
    let sender = (agent_id, epoch);
    let place = lock(transaction, &[sender]).await?;
    let stored = transaction
        .prepare_cached("SELECT stored_seq FROM senders WHERE agent_id = $1 AND epoch = $2")
        .await?;
    let Some(stored) = transaction.query_opt(&stored, &[&agent_id, &epoch]).await? else {
        return Ok(());
    };
    let place = place.get(&sender).copied().unwrap_or_default();
    catch_up(transaction, sender, place, stored.get(0)).await
}

/// Counts the records of a sender from `place`, which is locked, up to a sequence that is stored.
pub(super) async fn catch_up(
    transaction: &Transaction<'_>,
    sender: Sender,
    mut place: Place,
    until: i64,
) -> Result<(), StoreError> {
    while place.seq < until {
        let tally = read(transaction, sender, place, until).await?;
        Box::pin(add(transaction, &[&tally])).await?;
        place = Place {
            seq: tally.to,
            at: tally.at,
        };
    }
    Ok(())
}

/// Reads some.
async fn read(
    transaction: &Transaction<'_>,
    sender: Sender,
    place: Place,
    until: i64,
) -> Result<Tally, StoreError> {
    let behind = transaction
        .prepare_cached(
            "SELECT seq, received_at, kernel_release, issue, record FROM records
             WHERE agent_id = $1 AND epoch = $2 AND received_at >= $3 AND seq > $4 AND seq <= $5
             ORDER BY received_at, id LIMIT $6",
        )
        .await?;
    let (agent_id, epoch) = sender;
    let rows = transaction
        .query(
            &behind,
            &[&agent_id, &epoch, &place.at, &place.seq, &until, &RECORDS],
        )
        .await?;
    let mut tally = Tally::after(sender, place.seq, place.at);
    for row in &rows {
        let at: Micros = row.get(1);
        (tally.to, tally.at) = (row.get(0), at);
        let sent = Bytes::copy_from_slice(row.get(4));
        let record = Row::new(tally.to, &sent, row.get(2));
        let seen = Seen {
            first: at,
            last: at,
            records: 1,
        };
        // Of older collectors there is housekeeping that was an issue.
        let issue = record.issue.and(row.get(3));
        tally.add(Kind::of(&record, issue, at).into_owned(), seen);
    }
    if rows.len() < usize::try_from(RECORDS).unwrap_or(usize::MAX) {
        // What is behind the last one never came.
        tally.to = until;
    }
    Ok(tally)
}

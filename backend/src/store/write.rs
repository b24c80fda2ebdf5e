//! The statements of a delivery, each for a whole transaction.

use std::pin::pin;

use bytes::{BufMut as _, Bytes, BytesMut};
use deadpool_postgres::Transaction;
use futures::SinkExt as _;

use super::{
    StoreError, clean, id,
    losses::LossRows,
    plan::Plan,
    rows::{COLUMNS, COPY_HEADER, COPY_TRAILER},
};

/// `COPY` data is sent in pieces of about this size.
const COPY_CHUNK: usize = 128 * 1024;
/// Room for the row that goes beyond, so that the usual piece is not moved in memory.
const COPY_SLACK: usize = 8 * 1024;

/// Copies the rows into `records`.
pub(super) async fn records(transaction: &Transaction<'_>, plan: &Plan<'_>) -> Result<(), StoreError> {
    if plan.parts.is_empty() {
        return Ok(());
    }
    let statement = transaction
        .prepare_cached(&format!("COPY records ({COLUMNS}) FROM STDIN (FORMAT binary)"))
        .await?;
    let mut sink = pin!(transaction.copy_in::<_, Bytes>(&statement).await?);
    let mut chunk = BytesMut::with_capacity(COPY_CHUNK + COPY_SLACK);
    chunk.put_slice(COPY_HEADER);
    for (place, (mark, row)) in (0u16..).zip(plan.rows()) {
        let id = id::new(mark.now, place, fastrand::u64(..));
        row.copy(&mut chunk, id, mark, plan.issue(row));
        if chunk.len() >= COPY_CHUNK {
            let whole = std::mem::replace(&mut chunk, BytesMut::with_capacity(COPY_CHUNK + COPY_SLACK));
            sink.send(whole.freeze()).await?;
        }
    }
    chunk.put_i16(COPY_TRAILER);
    sink.send(chunk.freeze()).await?;
    sink.finish().await?;
    Ok(())
}

/// Adds the losses that the rows tell of, and the gaps, to `losses`.
pub(super) async fn losses(transaction: &Transaction<'_>, plan: &Plan<'_>) -> Result<(), StoreError> {
    let losses = LossRows::of(plan);
    if losses.seq.is_empty() {
        return Ok(());
    }
    let insert = transaction
        .prepare_cached(
            "INSERT INTO losses (agent_id, epoch, seq, received_at, gap, sequences, reason, events, hook, class, title)
             SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::timestamptz[], $5::boolean[], $6::bigint[],
                                  $7::text[], $8::bigint[], $9::text[], $10::text[], $11::text[])",
        )
        .await?;
    transaction
        .execute(
            &insert,
            &[
                &losses.agent_id,
                &losses.epoch,
                &losses.seq,
                &losses.received_at,
                &losses.gap,
                &losses.sequences,
                &losses.reason,
                &losses.events,
                &losses.hook,
                &losses.class,
                &losses.title,
            ],
        )
        .await?;
    Ok(())
}

/// Keeps records that could not be understood as they came, with the reason.
pub(super) async fn quarantine(transaction: &Transaction<'_>, plan: &Plan<'_>) -> Result<(), StoreError> {
    let insert = "INSERT INTO quarantine (agent_id, epoch, seq, received_at, reason, sent)
                  VALUES ($1, $2, $3, $4, $5, $6)";
    // One by one: they are rare, and together they may be larger than a statement should be.
    for (mark, row) in plan.rows() {
        let Some(quarantined) = &row.quarantined else {
            continue;
        };
        let insert = transaction.prepare_cached(insert).await?;
        transaction
            .execute(
                &insert,
                &[
                    &mark.agent_id,
                    &mark.epoch,
                    &row.seq,
                    &mark.now,
                    &clean(&quarantined.reason),
                    &&quarantined.sent[..],
                ],
            )
            .await?;
    }
    Ok(())
}

/// Moves the marks of the senders and counts what they stored.
pub(super) async fn marks(transaction: &Transaction<'_>, plan: &Plan<'_>) -> Result<(), StoreError> {
    let moved = || plan.marks.iter().filter(|mark| mark.moved);
    let advance = transaction
        .prepare_cached(
            "WITH moved AS (
                 SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::timestamptz[], $5::bigint[])
                     AS m(agent_id, epoch, stored_seq, stored_at, records)
             ), host AS (
                 UPDATE hosts h SET last_seen = m.stored_at
                 FROM moved m JOIN senders s ON s.agent_id = m.agent_id AND s.epoch = m.epoch AND NOT s.by_netconsole
                 WHERE h.agent_id = m.agent_id
             )
             UPDATE senders s SET stored_seq = m.stored_seq, stored_at = m.stored_at, records = s.records + m.records
             FROM moved m WHERE s.agent_id = m.agent_id AND s.epoch = m.epoch",
        )
        .await?;
    transaction
        .execute(
            &advance,
            &[
                &moved().map(|mark| mark.agent_id).collect::<Vec<_>>(),
                &moved().map(|mark| mark.epoch).collect::<Vec<_>>(),
                &moved().map(|mark| mark.stored_seq).collect::<Vec<_>>(),
                &moved().map(|mark| mark.now).collect::<Vec<_>>(),
                &moved().map(|mark| mark.records).collect::<Vec<_>>(),
            ],
        )
        .await?;
    Ok(())
}

//! Delivery: a batch and the sender's new high-water mark in one transaction.

use std::{pin::pin, time::Duration};

use bytes::{BufMut as _, Bytes, BytesMut};
use deadpool_postgres::Transaction;
use futures::{SinkExt as _, future::try_join};
use proto::{
    limits,
    v1::{Batch, Gap, Host},
};
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::{
    DeliverError, Store, clean, id,
    rows::{COLUMNS, COPY_HEADER, COPY_TRAILER, FingerprintSums, LossRows, RollupSums, Row, reason},
    time::Micros,
};

/// How often a transaction that lost against another is repeated.
const ATTEMPTS: u32 = 5;
/// The pause before it is repeated; grows with each attempt, and is jittered.
const PAUSE: Duration = Duration::from_millis(10);
/// `COPY` data is sent in pieces of about this size.
const COPY_CHUNK: usize = 256 * 1024;

/// Who delivers.
#[derive(Clone, Debug)]
pub struct Sender {
    /// The agent.
    pub agent_id: Uuid,
    /// Its spool's epoch.
    pub epoch: Uuid,
    /// The host's present kernel, for records that don't name their own.
    pub kernel_release: String,
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
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        upsert_host(&transaction, sender.agent_id, host, agent_version).await?;
        let insert = transaction
            .prepare_cached("INSERT INTO senders (agent_id, epoch) VALUES ($1, $2) ON CONFLICT DO NOTHING")
            .await?;
        transaction
            .execute(&insert, &[&sender.agent_id, &sender.epoch])
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
        let mut attempt = 0;
        loop {
            attempt += 1;
            match self.store_gap(sender, first_seq, last_seq, gap.reason).await {
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
        copy(&transaction, sender, new, mark.now).await?;
        try_join(
            add_up(&transaction, sender.agent_id, new, mark.now),
            try_join(
                add_losses(&transaction, sender, new, mark.now),
                mark.advance(&transaction, sender, last_seq),
            ),
        )
        .await?;
        transaction.commit().await?;
        Ok(delivered(last_seq))
    }

    async fn store_gap(
        &self,
        sender: &Sender,
        first_seq: i64,
        last_seq: i64,
        why: i32,
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
                "INSERT INTO losses (agent_id, epoch, seq, gap, reason, events, received_at)
                 VALUES ($1, $2, $3, true, $4, $5, $6)",
            )
            .await?;
        let (seq, events) = (mark.stored_seq + 1, last_seq - mark.stored_seq);
        transaction
            .execute(
                &insert,
                &[
                    &sender.agent_id,
                    &sender.epoch,
                    &seq,
                    &reason(why),
                    &events,
                    &mark.now,
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
                "WITH host AS (UPDATE hosts SET last_seen = $4 WHERE agent_id = $1)
                 UPDATE senders SET stored_seq = $3, stored_at = $4 WHERE agent_id = $1 AND epoch = $2",
            )
            .await?;
        transaction
            .execute(
                &advance,
                &[&sender.agent_id, &sender.epoch, &stored_seq, &self.now],
            )
            .await?;
        Ok(())
    }
}

async fn upsert_host(
    transaction: &Transaction<'_>,
    agent_id: Uuid,
    host: &Host,
    agent_version: &str,
) -> Result<(), DeliverError> {
    let upsert = transaction
        .prepare_cached(
            "INSERT INTO hosts (agent_id, hostname, os_id, os_build, kernel_release, kernel_version, arch, cpu_model,
                                cpus, memory_bytes, product, board, bios, boot_id, agent_version)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
             ON CONFLICT (agent_id) DO UPDATE
             SET hostname = excluded.hostname, os_id = excluded.os_id, os_build = excluded.os_build,
                 kernel_release = excluded.kernel_release, kernel_version = excluded.kernel_version,
                 arch = excluded.arch, cpu_model = excluded.cpu_model, cpus = excluded.cpus,
                 memory_bytes = excluded.memory_bytes, product = excluded.product, board = excluded.board,
                 bios = excluded.bios, boot_id = excluded.boot_id, agent_version = excluded.agent_version,
                 last_seen = now()",
        )
        .await?;
    let memory_bytes = i64::try_from(host.memory_bytes).unwrap_or(i64::MAX);
    transaction
        .execute(
            &upsert,
            &[
                &agent_id,
                &clean(&host.hostname),
                &clean(&host.os_id),
                &clean(&host.os_build),
                &clean(&host.kernel_release),
                &clean(&host.kernel_version),
                &clean(&host.arch),
                &clean(&host.cpu_model),
                &i64::from(host.cpus),
                &memory_bytes,
                &clean(&host.product),
                &clean(&host.board),
                &clean(&host.bios),
                &clean(&host.boot_id),
                &clean(agent_version),
            ],
        )
        .await?;
    Ok(())
}

async fn copy(
    transaction: &Transaction<'_>,
    sender: &Sender,
    rows: &[Row],
    now: Micros,
) -> Result<(), DeliverError> {
    let statement = transaction
        .prepare_cached(&format!("COPY records ({COLUMNS}) FROM STDIN (FORMAT binary)"))
        .await?;
    let mut sink = pin!(transaction.copy_in::<_, Bytes>(&statement).await?);
    let mut chunk = BytesMut::with_capacity(COPY_CHUNK);
    chunk.put_slice(COPY_HEADER);
    for (place, row) in (0u16..).zip(rows) {
        let id = id::new(now, place, fastrand::u64(..));
        row.copy(&mut chunk, id, now, (sender.agent_id, sender.epoch));
        if chunk.len() >= COPY_CHUNK {
            sink.send(chunk.split().freeze()).await?;
        }
    }
    chunk.put_i16(COPY_TRAILER);
    sink.send(chunk.freeze()).await?;
    sink.finish().await?;
    Ok(())
}

/// Adds the rows to `fingerprints` and `rollups`.
async fn add_up(
    transaction: &Transaction<'_>,
    agent_id: Uuid,
    rows: &[Row],
    now: Micros,
) -> Result<(), DeliverError> {
    let rollups = transaction
        .prepare_cached(
            "INSERT INTO rollups AS r (agent_id, hour, class, kernel_release, severity, records)
             SELECT $1, date_trunc('hour', $2::timestamptz), sums.*
             FROM unnest($3::text[], $4::text[], $5::smallint[], $6::bigint[]) AS sums
             ON CONFLICT (agent_id, hour, class, kernel_release, severity)
             DO UPDATE SET records = r.records + excluded.records",
        )
        .await?;
    let sums = RollupSums::of(rows);
    transaction
        .execute(
            &rollups,
            &[
                &agent_id,
                &now,
                &sums.class,
                &sums.kernel_release,
                &sums.severity,
                &sums.records,
            ],
        )
        .await?;

    let sums = FingerprintSums::of(rows);
    if sums.fingerprint.is_empty() {
        return Ok(());
    }
    let fingerprints = transaction
        .prepare_cached(
            "INSERT INTO fingerprints AS f (agent_id, fingerprint, level, version, issue, class, title, severity,
                                            first_seen, last_seen, occurrences)
             SELECT $1, s.fingerprint, s.level, s.version, s.issue, s.class, s.title, s.severity, $2, $2, s.occurrences
             FROM unnest($3::uuid[], $4::smallint[], $5::bigint[], $6::uuid[], $7::text[], $8::text[],
                         $9::smallint[], $10::bigint[])
                 AS s(fingerprint, level, version, issue, class, title, severity, occurrences)
             ON CONFLICT (agent_id, fingerprint) DO UPDATE
             SET class = excluded.class, title = excluded.title, severity = greatest(f.severity, excluded.severity),
                 last_seen = excluded.last_seen, occurrences = f.occurrences + excluded.occurrences",
        )
        .await?;
    transaction
        .execute(
            &fingerprints,
            &[
                &agent_id,
                &now,
                &sums.fingerprint,
                &sums.level,
                &sums.version,
                &sums.issue,
                &sums.class,
                &sums.title,
                &sums.severity,
                &sums.occurrences,
            ],
        )
        .await?;
    Ok(())
}

async fn add_losses(
    transaction: &Transaction<'_>,
    sender: &Sender,
    rows: &[Row],
    now: Micros,
) -> Result<(), DeliverError> {
    let losses = LossRows::of(rows);
    if losses.seq.is_empty() {
        return Ok(());
    }
    let insert = transaction
        .prepare_cached(
            "INSERT INTO losses (agent_id, epoch, gap, received_at, seq, reason, events, hook, class, title)
             SELECT $1, $2, false, $3, lost.*
             FROM unnest($4::bigint[], $5::text[], $6::bigint[], $7::text[], $8::text[], $9::text[]) AS lost",
        )
        .await?;
    transaction
        .execute(
            &insert,
            &[
                &sender.agent_id,
                &sender.epoch,
                &now,
                &losses.seq,
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

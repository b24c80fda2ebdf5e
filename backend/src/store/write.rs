//! The statements of a delivery, each for a whole batch.

use std::pin::pin;

use bytes::{BufMut as _, Bytes, BytesMut};
use deadpool_postgres::Transaction;
use futures::SinkExt as _;
use proto::v1::Host;
use uuid::Uuid;

use super::{
    DeliverError, Sender, clean, id,
    rows::{COLUMNS, COPY_HEADER, COPY_TRAILER, FingerprintSums, LossRows, RollupSums, Row},
    time::Micros,
};

/// `COPY` data is sent in pieces of about this size.
const COPY_CHUNK: usize = 256 * 1024;

/// Makes the latest word about a host known.
pub(super) async fn host(
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

/// Copies the rows into `records`.
pub(super) async fn records(
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

/// Adds the rows to `rollups`.
pub(super) async fn rollups(
    transaction: &Transaction<'_>,
    sender: &Sender,
    rows: &[Row],
    now: Micros,
) -> Result<(), DeliverError> {
    let statement = transaction
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
            &statement,
            &[
                &sender.agent_id,
                &now,
                &sums.class,
                &sums.kernel_release,
                &sums.severity,
                &sums.records,
            ],
        )
        .await?;
    Ok(())
}

/// Adds the rows to `fingerprints`.
pub(super) async fn fingerprints(
    transaction: &Transaction<'_>,
    sender: &Sender,
    rows: &[Row],
    now: Micros,
) -> Result<(), DeliverError> {
    let sums = FingerprintSums::of(rows);
    if sums.fingerprint.is_empty() {
        return Ok(());
    }
    let statement = transaction
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
            &statement,
            &[
                &sender.agent_id,
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

/// Adds the losses that the rows tell of to `losses`.
pub(super) async fn losses(
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

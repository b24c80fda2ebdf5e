//! What the agents send: kernel warnings of 1.5 KB, as different from each other as those of a fleet with a few faults.

use std::{fmt::Write as _, sync::LazyLock};

use bytes::{BufMut as _, Bytes, BytesMut};
use prost::{
    Message as _,
    encoding::{WireType, encode_key, encode_varint, encoded_len_varint},
};
use proto::v1::{
    Batch, CallTrace, Context, Fingerprint, Frame, Hook, KernelReport, Record, Severity, record::Payload,
};

/// Records of a batch: the 512 KiB that telemd puts into one.
pub(crate) const BATCH: u32 = 340;
/// Different faults.
const FAULTS: u64 = 200;
/// Batches that differ; then they come again.
const BATCHES: u64 = 12;
/// What an encoded record is filled up to. Bytes.
const BYTES: usize = 1500;
/// Level at which tonic, and so telemd, compresses.
const ZSTD_LEVEL: i32 = 3;
/// Field of `DeliverRequest` that is a batch, and of `Batch` that is its first sequence.
const BATCH_FIELD: u32 = 2;
const FIRST_SEQ_FIELD: u32 = 1;

/// The records of a batch as fields of `Batch`: how many bytes they are, and those compressed.
static COMPRESSED: LazyLock<Vec<(usize, Vec<u8>)>> = LazyLock::new(|| {
    let compressed = (0..BATCHES).map(|batch| {
        let records = records(batch).collect();
        let fields = Batch {
            first_seq: 0,
            records,
        }
        .encode_to_vec();
        // Invariant: memory to memory, and the level exists.
        (
            fields.len(),
            zstd::encode_all(&fields[..], ZSTD_LEVEL).unwrap_or_default(),
        )
    });
    compressed.collect()
});

/// A message of gRPC that is a batch from a sequence on: only what depends on that is made anew, as a frame of zstd with
/// nothing compressed before the one with the records.
pub(crate) fn batch_frame(first_seq: u64) -> Bytes {
    let which = first_seq / u64::from(BATCH) % BATCHES;
    let (length, records) = &COMPRESSED[usize::try_from(which).unwrap_or(0)];
    let mut start = Vec::new();
    encode_key(BATCH_FIELD, WireType::LengthDelimited, &mut start);
    encode_varint((length + 1 + encoded_len_varint(first_seq)) as u64, &mut start);
    encode_key(FIRST_SEQ_FIELD, WireType::Varint, &mut start);
    encode_varint(first_seq, &mut start);
    frame(&start, records)
}

/// A message of gRPC that is not compressed, in the form of one that is.
pub(crate) fn plain_frame(message: &[u8]) -> Bytes {
    frame(message, &[])
}

/// RFC 8878: a frame of a single segment with the length in one byte, and one raw block; then what is compressed.
fn frame(start: &[u8], compressed: &[u8]) -> Bytes {
    // Invariant: what is not compressed has less than 256 bytes.
    let length = u8::try_from(start.len()).unwrap_or_default();
    let mut out = BytesMut::with_capacity(start.len() + compressed.len() + 14);
    out.put_u8(1);
    out.put_u32(u32::try_from(9 + start.len() + compressed.len()).unwrap_or_default());
    out.put_u32_le(0xfd2f_b528);
    out.put_u8(0x20);
    out.put_u8(length);
    out.put_uint_le(u64::from(length) << 3 | 1, 3);
    out.put_slice(start);
    out.put_slice(compressed);
    out.freeze()
}

fn records(batch: u64) -> impl Iterator<Item = Bytes> {
    let first = batch * u64::from(BATCH);
    (first..first + u64::from(BATCH)).map(record)
}

pub(crate) fn mean_bytes() -> usize {
    records(0).map(|record| record.len()).sum::<usize>() / BATCH as usize
}

fn record(number: u64) -> Bytes {
    let mut dice = fastrand::Rng::with_seed(number);
    let fault = number % FAULTS;
    let function = format!("driver_{fault}_transmit");
    let frames = (0..6).map(|depth| Frame {
        function: format!("{function}_{depth}"),
        offset: dice.u32(..0x1000),
        size: 0x1000,
        ..Frame::default()
    });
    let report = KernelReport {
        function: function.clone(),
        comm: "kworker/u8:3".to_owned(),
        traces: vec![CallTrace {
            heading: "Call Trace".to_owned(),
            frames: frames.collect(),
        }],
        ..KernelReport::default()
    };
    let mut record = Record {
        occurred_at_unix_ns: 1_750_000_000_000_000_000 + number * 1_000_000,
        class: ["kernel.warning", "kernel.oops", "kernel.bug", "kernel.rcu_stall"]
            [usize::try_from(fault % 4).unwrap_or(0)]
        .to_owned(),
        severity: Severity::High.into(),
        title: format!("WARNING in {function}"),
        boot_id: "6a3f0d9c-7c1e-4f7a-9a59-0d4a4f1f2b11".to_owned(),
        kernel_release: format!("6.12.{}-amd64", fault % 3),
        fingerprints: (1..=3)
            .map(|level| Fingerprint {
                version: 1,
                level,
                value: format!(
                    "{:032x}",
                    u128::from(fault) << 64 | u128::from(level.unsigned_abs()) << 8 | 1
                ),
            })
            .collect(),
        hook: Some(Hook {
            name: "printk_console".to_owned(),
            attach: "tp_btf".to_owned(),
        }),
        context: Some(Context {
            comm: "kworker/u8:3".to_owned(),
            ..Context::default()
        }),
        payload: Some(Payload::KernelReport(report)),
        ..Record::default()
    };
    let mut text = String::new();
    while record.encoded_len() + text.len() < BYTES {
        // Writing into a String does not fail.
        writeln!(text, "RAX: {:016x} RBX: {:016x}", dice.u64(..), dice.u64(..)).ok();
    }
    if let Some(Payload::KernelReport(report)) = &mut record.payload {
        report.text = text;
    }
    record.encode_to_vec().into()
}

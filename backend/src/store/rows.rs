//! A batch on its way into the tables: decoded records, what they add up to, and the bytes of `COPY`.

use std::collections::BTreeMap;

use bytes::{BufMut as _, Bytes, BytesMut};
use prost::Message as _;
use proto::v1::{Loss, LossReason, Record, record::Payload};
use uuid::Uuid;

use super::{clean, time::Micros};
use crate::record;

/// Columns of `records` in the order of [`Row::copy`].
pub(super) const COLUMNS: &str = "id, received_at, agent_id, epoch, seq, occurred_at, class, severity, housekeeping, \
                                  title, kernel_release, issue, fingerprints, record";
const COLUMN_COUNT: i16 = 14;
/// OID of the type `uuid`.
const UUID_OID: i32 = 2950;

/// One record, ready to be stored.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) seq: i64,
    pub(super) loss: Option<Loss>,
    /// Why the record could not be understood; it is stored all the same.
    pub(super) undecodable: Option<String>,
    occurred_at: Option<Micros>,
    class: String,
    severity: i16,
    housekeeping: bool,
    title: String,
    kernel_release: String,
    issue: Option<Uuid>,
    levels: Vec<Level>,
    encoded: Bytes,
}

/// One fingerprint of a record.
#[derive(Debug)]
struct Level {
    fingerprint: Uuid,
    number: i16,
    version: i64,
}

impl Row {
    /// From a record as it was sent. `kernel_release` is that of the host, for records that don't name their own.
    pub(super) fn new(seq: i64, sent: &Bytes, kernel_release: &str) -> Self {
        match record::decode(sent) {
            Ok(record) => Self::of(seq, record, sent.clone(), kernel_release),
            Err(reason) => {
                let record = record::undecodable(sent, &reason);
                let encoded = record.encode_to_vec().into();
                let row = Self::of(seq, record, encoded, kernel_release);
                Self {
                    undecodable: Some(reason),
                    ..row
                }
            }
        }
    }

    fn of(seq: i64, record: Record, encoded: Bytes, kernel_release: &str) -> Self {
        let issue = record::issue(&record).and_then(|issue| uuid(&issue.value));
        let mut levels: Vec<Level> = Vec::new();
        for fingerprint in &record.fingerprints {
            if let Some(value) = uuid(&fingerprint.value)
                && !levels.iter().any(|level| level.fingerprint == value)
            {
                levels.push(Level {
                    fingerprint: value,
                    number: i16::try_from(fingerprint.level).unwrap_or_default(),
                    version: fingerprint.version.into(),
                });
            }
        }
        let own_release = !record.kernel_release.is_empty();
        Self {
            seq,
            undecodable: None,
            occurred_at: Micros::from_unix_ns(record.occurred_at_unix_ns),
            severity: i16::try_from(record.severity).unwrap_or_default(),
            housekeeping: record::is_housekeeping(&record),
            title: clean(&record.title).into_owned(),
            kernel_release: clean(if own_release {
                &record.kernel_release
            } else {
                kernel_release
            })
            .into_owned(),
            issue,
            levels,
            encoded,
            loss: match record.payload {
                Some(Payload::Loss(loss)) => Some(loss),
                _ => None,
            },
            class: record.class,
        }
    }

    /// Appends the row in the binary format of `COPY`.
    pub(super) fn copy(&self, out: &mut BytesMut, id: Uuid, received_at: Micros, sender: (Uuid, Uuid)) {
        out.put_i16(COLUMN_COUNT);
        field(out, id.as_bytes());
        field(out, &received_at.postgres().to_be_bytes());
        field(out, sender.0.as_bytes());
        field(out, sender.1.as_bytes());
        field(out, &self.seq.to_be_bytes());
        match self.occurred_at {
            Some(at) => field(out, &at.postgres().to_be_bytes()),
            None => out.put_i32(-1),
        }
        field(out, self.class.as_bytes());
        field(out, &self.severity.to_be_bytes());
        field(out, &[u8::from(self.housekeeping)]);
        field(out, self.title.as_bytes());
        field(out, self.kernel_release.as_bytes());
        match self.issue {
            Some(issue) => field(out, issue.as_bytes()),
            None => out.put_i32(-1),
        }
        self.copy_fingerprints(out);
        field(out, &self.encoded);
    }

    /// A `uuid[]`: dimensions, flags, element type, length and lower bound, elements.
    fn copy_fingerprints(&self, out: &mut BytesMut) {
        // Invariant: a record has at most 8 fingerprints, so the casts below cannot fail.
        let count = i32::try_from(self.levels.len()).unwrap_or_default();
        if count == 0 {
            out.put_i32(12);
            out.put_i32(0);
            out.put_i32(0);
            out.put_i32(UUID_OID);
            return;
        }
        out.put_i32(20 + count * 20);
        out.put_i32(1);
        out.put_i32(0);
        out.put_i32(UUID_OID);
        out.put_i32(count);
        out.put_i32(1);
        for level in &self.levels {
            field(out, level.fingerprint.as_bytes());
        }
    }
}

fn field(out: &mut BytesMut, bytes: &[u8]) {
    // Invariant: fields are parts of one message, which is at most 8 MiB.
    out.put_i32(i32::try_from(bytes.len()).unwrap_or_default());
    out.put_slice(bytes);
}

/// The start of the binary format of `COPY`: signature, flags, length of the extension.
pub(super) const COPY_HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// Its end.
pub(super) const COPY_TRAILER: i16 = -1;

/// What a batch adds to `fingerprints`, as columns for `unnest`, sorted so that transactions lock in one order.
#[derive(Debug, Default)]
pub(super) struct FingerprintSums<'a> {
    pub(super) fingerprint: Vec<Uuid>,
    pub(super) level: Vec<i16>,
    pub(super) version: Vec<i64>,
    pub(super) issue: Vec<Uuid>,
    pub(super) class: Vec<&'a str>,
    pub(super) title: Vec<&'a str>,
    pub(super) severity: Vec<i16>,
    pub(super) occurrences: Vec<i64>,
}

impl<'a> FingerprintSums<'a> {
    pub(super) fn of(rows: &'a [Row]) -> Self {
        let mut sums: BTreeMap<Uuid, (&Level, &Row, i16, i64)> = BTreeMap::new();
        for row in rows {
            for level in &row.levels {
                let sum = sums.entry(level.fingerprint).or_insert((level, row, 0, 0));
                sum.1 = row;
                sum.2 = sum.2.max(row.severity);
                sum.3 += 1;
            }
        }
        let mut columns = Self::default();
        for (fingerprint, (level, row, severity, occurrences)) in sums {
            columns.fingerprint.push(fingerprint);
            columns.level.push(level.number);
            columns.version.push(level.version);
            columns.issue.push(row.issue.unwrap_or(fingerprint));
            columns.class.push(&row.class);
            columns.title.push(&row.title);
            columns.severity.push(severity);
            columns.occurrences.push(occurrences);
        }
        columns
    }
}

/// What a batch adds to `rollups`, as columns for `unnest`, sorted.
#[derive(Debug, Default)]
pub(super) struct RollupSums<'a> {
    pub(super) class: Vec<&'a str>,
    pub(super) kernel_release: Vec<&'a str>,
    pub(super) severity: Vec<i16>,
    pub(super) records: Vec<i64>,
}

impl<'a> RollupSums<'a> {
    pub(super) fn of(rows: &'a [Row]) -> Self {
        let mut sums: BTreeMap<(&str, &str, i16), i64> = BTreeMap::new();
        for row in rows {
            *sums
                .entry((&row.class, &row.kernel_release, row.severity))
                .or_default() += 1;
        }
        let mut columns = Self::default();
        for ((class, kernel_release, severity), records) in sums {
            columns.class.push(class);
            columns.kernel_release.push(kernel_release);
            columns.severity.push(severity);
            columns.records.push(records);
        }
        columns
    }
}

/// What a batch adds to `losses`, as columns for `unnest`.
#[derive(Debug, Default)]
pub(super) struct LossRows {
    pub(super) seq: Vec<i64>,
    pub(super) reason: Vec<String>,
    pub(super) events: Vec<i64>,
    pub(super) hook: Vec<String>,
    pub(super) class: Vec<String>,
    pub(super) title: Vec<String>,
}

impl LossRows {
    pub(super) fn of(rows: &[Row]) -> Self {
        let mut columns = Self::default();
        for (row, loss) in rows.iter().filter_map(|row| Some((row, row.loss.as_ref()?))) {
            columns.seq.push(row.seq);
            columns.reason.push(reason(loss.reason));
            // Invariant: the check of the record refuses counts above 2^63 - 1.
            columns.events.push(i64::try_from(loss.count).unwrap_or(i64::MAX));
            columns.hook.push(clean(&loss.hook).into_owned());
            columns.class.push(clean(&loss.class).into_owned());
            columns.title.push(clean(&loss.title).into_owned());
        }
        columns
    }
}

/// The name of a loss reason as `losses.reason` has it; the number of one that a newer agent knows.
pub(super) fn reason(number: i32) -> String {
    match LossReason::try_from(number) {
        Ok(reason) => reason.as_str_name().trim_start_matches("LOSS_REASON_").to_owned(),
        Err(_unknown) => number.to_string(),
    }
}

fn uuid(fingerprint: &str) -> Option<Uuid> {
    Uuid::try_parse(fingerprint).ok()
}

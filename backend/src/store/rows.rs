//! A batch on its way into the tables: decoded records, what they add up to, and the bytes of `COPY`.

use bytes::{BufMut as _, Bytes, BytesMut};
use prost::Message as _;
use proto::v1::{FingerprintLevel, Loss, Record, record::Payload};
use uuid::Uuid;

use super::{clean, hooks::hooks_missing, plan::Mark, time::Micros};
use crate::record::{self, part::PartErrors, update::Update};

/// Columns of `records` in the order of [`Row::copy`].
pub(super) const COLUMNS: &str = "id, received_at, agent_id, epoch, seq, occurred_at, class, severity, housekeeping, \
                                  title, kernel_release, issue, fingerprints, record, event_id";
const COLUMN_COUNT: i16 = 15;
/// The level that split issues are grouped by.
const TOP_FRAMES: i16 = FingerprintLevel::TopFrames as i16;
/// OID of the type `uuid`.
const UUID_OID: i32 = 2950;

/// One record, ready to be stored.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) seq: i64,
    pub(super) loss: Option<Loss>,
    pub(super) beat: Option<Beat>,
    /// The record could not be understood: what is stored stands for it.
    pub(super) quarantined: Option<Quarantined>,
    /// The record speaks of a part of the machine.
    pub(super) part: Option<Box<PartErrors>>,
    /// The record speaks of an update of the system.
    pub(super) update: Option<Box<Update>>,
    pub(super) occurred_at: Option<Micros>,
    pub(super) class: String,
    pub(super) severity: i16,
    housekeeping: bool,
    pub(super) title: String,
    pub(super) kernel_release: String,
    /// What it is grouped by, unless people have split that.
    pub(super) issue: Option<Uuid>,
    /// What it is grouped by then.
    pub(super) finer: Option<Uuid>,
    pub(super) levels: Vec<Level>,
    /// The event that the program which made it says it is of.
    event: Option<Uuid>,
    encoded: Bytes,
}

/// A sign of life of an agent.
#[derive(Debug)]
pub(super) struct Beat {
    pub(super) boot_id: String,
    /// By the host's clock.
    pub(super) at: Micros,
    /// Since the agent started.
    pub(super) uptime_s: i64,
    /// When the host was booted. None: it does not tell.
    pub(super) booted_at: Option<Micros>,
    /// Hooks that are not attached.
    pub(super) hooks_missing: i32,
}

/// A host that was up before its clock began tells nothing by that.
fn booted_at(record: &Record, uptime_s: u64) -> Option<Micros> {
    let uptime_ns = uptime_s.checked_mul(1_000_000_000).filter(|uptime| *uptime > 0)?;
    Micros::from_unix_ns(record.occurred_at_unix_ns.checked_sub(uptime_ns)?)
}

/// A record that could not be understood.
#[derive(Debug)]
pub(super) struct Quarantined {
    /// What is wrong with it, at most [`REASON_BYTES`].
    pub(super) reason: String,
    /// As it was sent, whole.
    pub(super) sent: Bytes,
}

/// Why a record is in quarantine, bytes: as `record.proto` limits `Undecodable.reason`.
const REASON_BYTES: usize = 256;

/// One fingerprint of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Level {
    pub(super) fingerprint: Uuid,
    pub(super) number: i16,
    pub(super) version: i64,
}

impl Row {
    /// From a record as it was sent. `kernel_release` is that of the host, for records that don't name their own.
    pub(super) fn new(seq: i64, sent: &Bytes, kernel_release: &str) -> Self {
        match record::decode(sent) {
            Ok(record) => Self::of(seq, record, sent.clone(), kernel_release),
            Err(reason) => Self::stand_in(seq, sent, &reason, kernel_release),
        }
    }

    /// Puts the record into quarantine for what the database said about it.
    pub(super) fn quarantine(&mut self, reason: &str, kernel_release: &str) {
        let sent = self
            .quarantined
            .take()
            .map_or(self.encoded.clone(), |quarantined| quarantined.sent);
        *self = Self::stand_in(self.seq, &sent, reason, kernel_release);
    }

    /// Bytes of the record.
    pub(super) fn bytes(&self) -> usize {
        self.encoded.len()
    }

    fn stand_in(seq: i64, sent: &Bytes, reason: &str, kernel_release: &str) -> Self {
        let record = record::undecodable(sent, reason);
        let encoded = record.encode_to_vec().into();
        let end = reason.floor_char_boundary(REASON_BYTES);
        Self {
            quarantined: Some(Quarantined {
                reason: reason[..end].to_owned(),
                sent: sent.clone(),
            }),
            ..Self::of(seq, record, encoded, kernel_release)
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
        let occurred_at = Micros::from_unix_ns(record.occurred_at_unix_ns);
        let beat = match (&record.payload, occurred_at) {
            (Some(Payload::Heartbeat(beat)), Some(at)) => Some(Beat {
                boot_id: clean(&record.boot_id).into_owned(),
                at,
                uptime_s: i64::try_from(beat.agent_uptime_s).unwrap_or(i64::MAX),
                booted_at: booted_at(&record, beat.host_uptime_s),
                hooks_missing: hooks_missing(beat),
            }),
            _ => None,
        };
        let part = PartErrors::of(&record).map(Box::new);
        let update = Update::of(&record).map(Box::new);
        let event = record::event(&record);
        let own_release = !record.kernel_release.is_empty();
        Self {
            seq,
            quarantined: None,
            part,
            update,
            occurred_at,
            beat,
            severity: i16::try_from(record.severity).unwrap_or_default(),
            housekeeping: record::is_housekeeping(&record),
            title: cleaned(record.title),
            kernel_release: if own_release {
                cleaned(record.kernel_release)
            } else {
                clean(kernel_release).into_owned()
            },
            issue,
            finer: levels
                .iter()
                .find(|level| level.number == TOP_FRAMES)
                .map(|level| level.fingerprint),
            levels,
            event,
            encoded,
            loss: match record.payload {
                Some(Payload::Loss(loss)) => Some(loss),
                _ => None,
            },
            class: record.class,
        }
    }

    /// Appends the row in the binary format of `COPY`.
    pub(super) fn copy(&self, out: &mut BytesMut, id: Uuid, mark: &Mark, issue: Option<Uuid>) {
        out.put_i16(COLUMN_COUNT);
        field(out, id.as_bytes());
        field(out, &mark.now.postgres().to_be_bytes());
        field(out, mark.agent_id.as_bytes());
        field(out, mark.epoch.as_bytes());
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
        match issue {
            Some(issue) => field(out, issue.as_bytes()),
            None => out.put_i32(-1),
        }
        self.copy_fingerprints(out);
        field(out, &self.encoded);
        match self.event {
            Some(event) => field(out, event.as_bytes()),
            None => out.put_i32(-1),
        }
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

/// [`clean`] for a text that is ours: what needs no cleaning is not copied.
fn cleaned(text: String) -> String {
    if text.contains('\0') {
        clean(&text).into_owned()
    } else {
        text
    }
}

fn uuid(fingerprint: &str) -> Option<Uuid> {
    Uuid::try_parse(fingerprint).ok()
}

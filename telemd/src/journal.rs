//! The journal: which records left this host, and when, for its own people to read.
//!
//! A line of JSON a record in `journal.jsonl` of the state directory, written when the collector has stored it. When half of
//! the allowed bytes is reached the file becomes `journal.1.jsonl`, in place of the one before. Lines are not synced: after
//! a power failure the last may be missing, and the reader passes over what is no line.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use proto::v1::Record;
use proto::v1::record::Payload;
use serde::{Deserialize, Serialize};

use crate::clock::Moment;

pub mod command;
#[cfg(test)]
mod tests;

/// The lines that are written, in the state directory.
pub const FILE: &str = "journal.jsonl";
/// The lines before those.
pub const FILE_BEFORE: &str = "journal.1.jsonl";
/// Longest line that is read, bytes: a payload of 64 KiB and 64 precursors of 256 bytes, each byte of which may have taken
/// six as JSON, and the rest.
const LINE_BYTES: u64 = 6 * (65_536 + 64 * 256) + 16_384;

/// A record that left this host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Entry {
    /// 32 hexadecimal digits: 16 of the spool's epoch and 16 of the sequence.
    pub record_id: String,
    /// When the collector had stored it, milliseconds since the Unix epoch.
    pub delivered_unix_ms: u64,
    /// When it happened, milliseconds since the Unix epoch.
    pub occurred_unix_ms: u64,
    /// A program's own classification, else the class.
    pub classification: String,
    /// 1 low to 4 critical.
    pub severity: i32,
    /// What happened.
    pub title: String,
    /// What ties the records of one event together; empty: none.
    pub event_id: String,
    /// The boot it is about.
    pub boot_id: String,
    /// What it is grouped by, coarse to fine.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fingerprints: Vec<String>,
    /// What strained the host in the seconds before, oldest first; empty without hindsight.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub precursors: Vec<Before>,
    /// A program's payload, where payloads are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload: Option<String>,
}

/// Something that was not a fault and may explain one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Before {
    /// How long before the record, milliseconds.
    pub before_ms: u64,
    /// CPU that saw it.
    pub cpu: u32,
    /// What, for people.
    pub text: String,
}

impl Entry {
    /// The entry of a record that is on its way; heartbeats and losses, which are not about faults, have none.
    pub fn new(record: Record, epoch: &[u8], seq: u64, payloads: bool) -> Option<Self> {
        let precursors = before(&record);
        let (classification, event_id, payload) = match record.payload {
            Some(Payload::Heartbeat(_) | Payload::Loss(_)) => return None,
            Some(Payload::Custom(custom)) => (custom.classification, custom.event_id, Some(custom.payload)),
            _ => (record.class, String::new(), None),
        };
        Some(Self {
            record_id: record_id(epoch, seq),
            delivered_unix_ms: 0,
            occurred_unix_ms: record.occurred_at_unix_ns / 1_000_000,
            classification,
            severity: record.severity,
            title: record.title,
            event_id,
            boot_id: record.boot_id,
            fingerprints: record
                .fingerprints
                .into_iter()
                .map(|fingerprint| fingerprint.value)
                .collect(),
            precursors,
            payload: payload.filter(|_| payloads),
        })
    }
}

fn before(record: &Record) -> Vec<Before> {
    let precursors = record.precursors.iter();
    precursors
        .map(|precursor| Before {
            before_ms: record.since_boot_ns.saturating_sub(precursor.since_boot_ns) / 1_000_000,
            cpu: precursor.cpu,
            text: precursor.text.clone(),
        })
        .collect()
}

fn record_id(epoch: &[u8], seq: u64) -> String {
    let half = epoch
        .iter()
        .take(8)
        .fold(0, |half: u64, byte| (half << 8) | u64::from(*byte));
    format!("{half:016x}{seq:016x}")
}

/// Writes the journal.
#[derive(Debug)]
pub struct Journal {
    state_dir: PathBuf,
    max_bytes: u64,
    payloads: bool,
    open: Option<(File, u64)>,
}

impl Journal {
    /// A journal in `state_dir` of at most `max_bytes` in all, with the payloads of programs or without.
    ///
    /// The file is opened now: what is still being written when consent is withdrawn goes to the file that is deleted then.
    pub fn new(state_dir: &Path, max_bytes: u64, payloads: bool) -> Self {
        Self {
            state_dir: state_dir.to_owned(),
            max_bytes,
            payloads,
            open: open(state_dir).ok(),
        }
    }

    /// Whether payloads are kept.
    pub fn keeps_payloads(&self) -> bool {
        self.payloads
    }

    /// Adds records that were delivered now.
    pub fn append(&mut self, entries: Vec<Entry>, now: Moment) -> io::Result<()> {
        for mut entry in entries {
            entry.delivered_unix_ms = now.unix_ns / 1_000_000;
            let mut line = serde_json::to_vec(&entry)?;
            line.push(b'\n');
            if let Err(error) = self.write(&line) {
                // It is opened anew next time.
                self.open = None;
                return Err(error);
            }
        }
        Ok(())
    }

    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        let bytes = line.len() as u64;
        if let Some((_, written)) = &self.open
            && written + bytes > self.max_bytes / 2
        {
            self.open = None;
            std::fs::rename(self.state_dir.join(FILE), self.state_dir.join(FILE_BEFORE))?;
        }
        let (file, written) = match &mut self.open {
            Some(open) => open,
            closed => closed.insert(open(&self.state_dir)?),
        };
        file.write_all(line)?;
        *written += bytes;
        Ok(())
    }
}

/// The file, and how long it is.
fn open(state_dir: &Path) -> io::Result<(File, u64)> {
    let file = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(state_dir.join(FILE))?;
    let written = file.metadata()?.len();
    Ok((file, written))
}

/// Reads the journal, the oldest entry first. What is no entry is passed over.
pub fn read(state_dir: &Path, mut entry: impl FnMut(Entry)) -> io::Result<()> {
    for name in [FILE_BEFORE, FILE] {
        let file = match File::open(state_dir.join(name)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        let mut file = BufReader::new(file);
        let mut line = Vec::new();
        loop {
            line.clear();
            if file.by_ref().take(LINE_BYTES).read_until(b'\n', &mut line)? == 0 {
                break;
            }
            if let Ok(found) = serde_json::from_slice(&line) {
                entry(found);
            }
        }
    }
    Ok(())
}

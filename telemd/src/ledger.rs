//! The ledger: what left this host, when, to whom; so that nobody can change afterwards what it says unnoticed.
//!
//! A line for each message of the delivery protocol, written to `ledger.jsonl` of the state directory before the message is
//! handed to the network:
//!
//! ```json
//! {"entry":{"number":7,"previous":"<hash of entry 6>",...},"hash":"<SHA-256 of the bytes of \"entry\">"}
//! ```
//!
//! Each entry carries the hash of the one before, so that an entry cannot be altered, left out or put in without breaking
//! the chain from there on; [`verify`] finds the first break. It does not notice what is cut off at the end: whoever wants
//! to notice that keeps the last hash, which `telemctl ledger verify` prints.
//!
//! When half of the allowed bytes is reached the file becomes `ledger.1.jsonl`, in place of the one before, and the chain
//! goes on: the oldest entry that is left then vouches for those after it. Lines are not synced: after a power failure the
//! last may be missing. Half a line at the end is cut off when the ledger is opened.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use prost::Message as _;
use proto::v1::DeliverRequest;
use proto::v1::deliver_request::Message;
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::clock::Moment;
use crate::text::hex_digits;
use crate::worth;

#[cfg(test)]
mod tests;
mod verify;

pub use verify::{Break, Verdict, Why, verify};

/// The lines that are written, in the state directory.
pub const FILE: &str = "ledger.jsonl";
/// The lines before those.
pub const FILE_BEFORE: &str = "ledger.1.jsonl";
/// Classes that an entry names; records of others are counted under [`OTHERS`].
const CLASSES: usize = 32;
/// What stands for the classes beyond.
const OTHERS: &str = "(others)";
/// Longest line that is read, bytes: 32 classes of 64 characters, each at most six bytes as JSON, an address, and the rest.
const LINE_BYTES: u64 = 32 * (6 * 64 + 32) + 4096;
/// What a line is around its entry and hash.
const HEAD: &[u8] = b"{\"entry\":";
const MIDDLE: &[u8] = b",\"hash\":\"";
const TAIL: &[u8] = b"\"}";
/// Hexadecimal digits of a hash.
const HASH_DIGITS: usize = 64;

/// What a message was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The greeting, with the facts about this host.
    Hello,
    /// Records.
    Records,
    /// That records are lost.
    Gap,
}

/// A message that left this host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Counts from 1.
    pub number: u64,
    /// Hash of the entry before; 64 zeros for the first.
    pub previous: String,
    /// When, milliseconds since the Unix epoch.
    pub at_unix_ms: u64,
    /// To whom.
    pub server: String,
    /// Under which name.
    pub agent_id: Uuid,
    /// What it was.
    pub kind: Kind,
    /// First and last sequence of the spool that it holds; 0 for a greeting.
    pub first_seq: u64,
    /// The last.
    pub last_seq: u64,
    /// How many records of each class.
    pub classes: BTreeMap<String, u64>,
    /// Length of the message before it was compressed, bytes.
    pub bytes: u64,
    /// SHA-256 of these bytes.
    pub sha256: String,
    /// Messages before this one whose entries could not be written.
    pub missing: u64,
}

/// An entry with its hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// The entry.
    pub entry: Entry,
    /// SHA-256 of the entry's bytes.
    pub hash: String,
}

/// Writes the ledger.
#[derive(Debug)]
pub struct Ledger {
    state_dir: PathBuf,
    max_bytes: u64,
    open: Option<Open>,
    missing: u64,
}

#[derive(Debug)]
struct Open {
    file: File,
    written: u64,
    number: u64,
    previous: String,
}

impl Ledger {
    /// A ledger in `state_dir` of at most `max_bytes` in all.
    ///
    /// The file is opened now: what is still being written when consent is withdrawn goes to the file that is deleted then.
    pub fn new(state_dir: &Path, max_bytes: u64) -> Self {
        Self {
            state_dir: state_dir.to_owned(),
            max_bytes,
            open: Open::at_the_end_of(state_dir).ok(),
            missing: 0,
        }
    }

    /// Notes a message that is about to leave. What cannot be noted is counted in the next entry.
    pub fn enter(
        &mut self,
        server: &str,
        agent_id: Uuid,
        message: &DeliverRequest,
        now: Moment,
    ) -> io::Result<()> {
        let written = self.write(server, agent_id, message, now);
        if written.is_err() {
            // It is opened anew next time, behind whatever was written of the entry.
            self.open = None;
            self.missing = self.missing.saturating_add(1);
        } else {
            self.missing = 0;
        }
        written
    }

    fn write(
        &mut self,
        server: &str,
        agent_id: Uuid,
        message: &DeliverRequest,
        now: Moment,
    ) -> io::Result<()> {
        if self.open.is_none() {
            self.open = Some(Open::at_the_end_of(&self.state_dir)?);
        }
        let Some(open) = &mut self.open else {
            return Ok(());
        };
        let mut entry = describe(message);
        entry.number = open.number.saturating_add(1);
        entry.previous.clone_from(&open.previous);
        entry.at_unix_ms = now.unix_ns / 1_000_000;
        server.clone_into(&mut entry.server);
        entry.agent_id = agent_id;
        entry.missing = self.missing;
        let (line, hash) = line(&entry)?;
        if open.written > 0 && open.written.saturating_add(line.len() as u64) > self.max_bytes / 2 {
            std::fs::rename(self.state_dir.join(FILE), self.state_dir.join(FILE_BEFORE))?;
            (open.file, open.written) = (create(&self.state_dir)?, 0);
        }
        open.file.write_all(&line)?;
        open.written += line.len() as u64;
        open.number = entry.number;
        open.previous = hash;
        Ok(())
    }
}

impl Open {
    /// Opens the file, cuts off half a line at its end, and finds where the chain is.
    fn at_the_end_of(state_dir: &Path) -> io::Result<Self> {
        let file = create(state_dir)?;
        let (mut last, mut whole) = (None, 0);
        for name in [FILE_BEFORE, FILE] {
            whole = 0;
            each_line(state_dir, name, |line| {
                if line.ends_with(b"\n") {
                    whole += line.len() as u64;
                    last = Some(parse(line).map(|(line, _)| line));
                }
            })?;
        }
        file.set_len(whole)?;
        // A last line that is no entry is where the chain breaks; it begins anew.
        let (number, previous) = match last {
            Some(Some(line)) => (line.entry.number, line.hash),
            _ => (0, "0".repeat(HASH_DIGITS)),
        };
        Ok(Self {
            file,
            written: whole,
            number,
            previous,
        })
    }
}

fn create(state_dir: &Path) -> io::Result<File> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(state_dir.join(FILE))
}

/// Every line of a file with its end, which the last may lack. A line that is longer than any entry comes in pieces.
fn each_line(state_dir: &Path, name: &str, mut line: impl FnMut(&[u8])) -> io::Result<()> {
    let file = match File::open(state_dir.join(name)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let mut file = BufReader::new(file);
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        if file.by_ref().take(LINE_BYTES).read_until(b'\n', &mut bytes)? == 0 {
            return Ok(());
        }
        line(&bytes);
    }
}

/// Reads the ledger, the oldest entry first. What is no entry is passed over: [`verify`] tells of it.
pub fn read(state_dir: &Path, mut entry: impl FnMut(Line)) -> io::Result<()> {
    for name in [FILE_BEFORE, FILE] {
        each_line(state_dir, name, |bytes| {
            if let Some((line, _)) = parse(bytes) {
                entry(line);
            }
        })?;
    }
    Ok(())
}

/// What there is to say of a message itself.
fn describe(message: &DeliverRequest) -> Entry {
    let (kind, first_seq, count) = match &message.message {
        Some(Message::Batch(batch)) => (Kind::Records, batch.first_seq, batch.records.len() as u64),
        Some(Message::Gap(gap)) => (Kind::Gap, gap.first_seq, gap.count),
        Some(Message::Hello(_)) | None => (Kind::Hello, 0, 0),
    };
    let mut classes = BTreeMap::new();
    if let Some(Message::Batch(batch)) = &message.message {
        for record in &batch.records {
            let mut class = worth::judge(record).class;
            if classes.len() >= CLASSES && !classes.contains_key(&class) {
                OTHERS.clone_into(&mut class);
            }
            *classes.entry(class).or_default() += 1;
        }
    }
    let encoded = message.encode_to_vec();
    Entry {
        number: 0,
        previous: String::new(),
        at_unix_ms: 0,
        server: String::new(),
        agent_id: Uuid::nil(),
        kind,
        first_seq,
        last_seq: first_seq.saturating_add(count).saturating_sub(1),
        classes,
        bytes: encoded.len() as u64,
        sha256: hash(&encoded),
        missing: 0,
    }
}

/// SHA-256 in hexadecimal digits.
fn hash(bytes: &[u8]) -> String {
    hex_digits(digest(&SHA256, bytes).as_ref())
}

/// The line of an entry, and its hash.
fn line(entry: &Entry) -> io::Result<(Vec<u8>, String)> {
    let entry = serde_json::to_vec(entry)?;
    let hash = hash(&entry);
    let line = [HEAD, &entry, MIDDLE, hash.as_bytes(), TAIL, b"\n"].concat();
    Ok((line, hash))
}

/// A line, and the hash that it should have. `None`: it is no entry.
fn parse(line: &[u8]) -> Option<(Line, String)> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let rest = line.strip_prefix(HEAD)?.strip_suffix(TAIL)?;
    let (rest, stated) = rest.split_at_checked(rest.len().checked_sub(HASH_DIGITS)?)?;
    let entry = rest.strip_suffix(MIDDLE)?;
    let line = Line {
        entry: serde_json::from_slice(entry).ok()?,
        hash: std::str::from_utf8(stated).ok()?.to_owned(),
    };
    Some((line, hash(entry)))
}

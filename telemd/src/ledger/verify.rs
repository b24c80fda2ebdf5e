//! Whether the ledger is as it was written.

use std::io;
use std::path::Path;

use serde::Serialize;

use super::{FILE, FILE_BEFORE, HASH_DIGITS, each_line, parse};

/// What became of the ledger.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Entries up to the first break.
    pub entries: u64,
    /// Number of the oldest; 0 when there is none. Those before it were given up for want of room.
    pub first_number: u64,
    /// Number of the last before the break.
    pub last_number: u64,
    /// Its hash: whoever keeps it notices later when entries are cut off the end.
    pub last_hash: String,
    /// Messages whose entries could not be written at the time.
    pub missing: u64,
    /// The first break.
    pub broken: Option<Break>,
}

/// Where the ledger is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Break {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: u64,
    /// Number of the entry there, where there is one.
    pub number: Option<u64>,
    /// What is wrong.
    pub why: Why,
}

/// What is wrong with an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// It is no entry.
    NotAnEntry,
    /// It was altered: its hash is another.
    Altered,
    /// Entries before it are missing, or were put in: its number does not follow.
    Number,
    /// The entry before it is another than the one that it was written behind.
    Chain,
}

impl std::fmt::Display for Why {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::NotAnEntry => "it is no entry",
            Self::Altered => "it was altered",
            Self::Number => "entries before it are missing or were put in",
            Self::Chain => "the entry before it was exchanged",
        })
    }
}

/// Reads the ledger of a state directory and finds the first break.
pub fn verify(state_dir: &Path) -> io::Result<Verdict> {
    let mut verdict = Verdict {
        last_hash: "0".repeat(HASH_DIGITS),
        ..Verdict::default()
    };
    let mut has_before = false;
    for name in [FILE_BEFORE, FILE] {
        let mut number = 0;
        each_line(state_dir, name, |bytes| {
            number += 1;
            has_before |= name == FILE_BEFORE;
            // Half a line at the end is one that is being written, or was when the power failed.
            if verdict.broken.is_some() || (name == FILE && !bytes.ends_with(b"\n")) {
                return;
            }
            if let Err((entry, why)) = verdict.take(bytes, has_before) {
                verdict.broken = Some(Break {
                    file: name.to_owned(),
                    line: number,
                    number: entry,
                    why,
                });
            }
        })?;
    }
    Ok(verdict)
}

impl Verdict {
    fn take(&mut self, bytes: &[u8], may_begin_anywhere: bool) -> Result<(), (Option<u64>, Why)> {
        let (line, hash) = parse(bytes).ok_or((None, Why::NotAnEntry))?;
        let number = line.entry.number;
        let wrong = |why| Err((Some(number), why));
        if line.hash != hash {
            return wrong(Why::Altered);
        }
        // The oldest of a file whose predecessor was given up stands for itself.
        if self.entries > 0 || !may_begin_anywhere || number == 1 {
            if number != self.last_number + 1 {
                return wrong(Why::Number);
            }
            if line.entry.previous != self.last_hash {
                return wrong(Why::Chain);
            }
        }
        if self.entries == 0 {
            self.first_number = number;
        }
        self.entries += 1;
        self.last_number = number;
        self.last_hash = hash;
        self.missing = self.missing.saturating_add(line.entry.missing);
        Ok(())
    }
}

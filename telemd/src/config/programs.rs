//! `[quota]`, `[[drop]]` and `[journal]`: what programs may send, where they may drop it, and what is told of what left.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// What Clear Linux's agent let a whole host send: 1000 records in 15 minutes. Here each user may.
const QUOTA_RECORDS: u32 = 1000;
/// Room for that many of the longest payload of Clear Linux's clients: a thirtieth of the spool.
const QUOTA_BYTES: u64 = 8 << 20;
/// See [`QUOTA_RECORDS`].
const QUOTA_WINDOW_S: u64 = 900;
/// A day at most: who has used a quota up waits as long.
pub(super) const QUOTA_WINDOW_MAX_S: u64 = 86_400;
/// Folders that are looked into.
pub(super) const DROP_FOLDERS: usize = 16;
/// A mebibyte: some 3000 entries; Clear Linux's journal had a hundred.
const JOURNAL_BYTES: u64 = 1 << 20;

/// `[quota]`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Quota {
    /// Records in a window.
    pub records: u32,
    /// Bytes of records, as they are sent, in a window.
    pub bytes: u64,
    /// Length of the window, seconds.
    pub window_s: u64,
}

/// One of `[[drop]]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DropFolder {
    /// Where programs drop records, a file each; telemd's user must own it.
    pub dir: PathBuf,
    /// DOMAIN/PROBE of their classification; REST comes from the names of the files.
    pub class: String,
}

/// `[journal]`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Journal {
    /// Size of the journal in all, bytes. 0: there is none.
    pub max_bytes: u64,
    /// Whether the payloads of programs are kept in it.
    pub payloads: bool,
}

impl Default for Quota {
    fn default() -> Self {
        Self {
            records: QUOTA_RECORDS,
            bytes: QUOTA_BYTES,
            window_s: QUOTA_WINDOW_S,
        }
    }
}

impl Default for Journal {
    fn default() -> Self {
        Self {
            max_bytes: JOURNAL_BYTES,
            payloads: false,
        }
    }
}

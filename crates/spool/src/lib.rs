//! A durable, ordered queue of records on disk.

mod error;
mod files;
mod format;
mod lost;
mod mark;
mod recover;
mod scan;
mod spool;

use std::path::PathBuf;

pub use error::SpoolError;
pub use spool::Spool;

/// Largest record, bytes: the 262144 that `telemetry.v1` allows, and slack for what an agent may wrap around it.
pub const MAX_RECORD_BYTES: usize = 262_144 + 4_096;

/// Limits of a spool. They may differ from those it was created with.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Size at which a new segment is begun, bytes. Space is given back, and evicted, a segment at a time. At least
    /// 4096; a record must fit in one segment.
    pub segment_bytes: u64,
    /// All segments together, bytes. Beyond it the oldest are evicted. At least two segments.
    pub max_bytes: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            segment_bytes: 8 << 20,
            max_bytes: 256 << 20,
        }
    }
}

/// An opened spool, and what was found in its directory.
#[derive(Debug)]
pub struct Opened {
    /// The spool, locked against other openers until it is dropped.
    pub spool: Spool,
    /// True when it was made by this call, with the epoch that was handed in.
    pub created: bool,
    /// What was not as it was left. Whatever was lost by it comes again as [`Chunk::Gap`] when it is read.
    pub damage: Vec<Damage>,
}

/// Something that was not as the spool had left it. For logs: readers learn what is lost from [`Chunk::Gap`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Damage {
    /// Records that cannot be read back.
    Records {
        /// First lost sequence.
        first_seq: u64,
        /// How many.
        count: u64,
    },
    /// Bytes after the last whole record of the last segment, as a crash during a write leaves them. They were cut.
    TornTail {
        /// The segment.
        segment: PathBuf,
        /// Where the bytes began.
        offset: u64,
        /// How many.
        bytes: u64,
    },
    /// The acknowledgement mark is gone; records that were acknowledged may be read again.
    Mark,
    /// The identity file was unreadable and was made again from the segments, which agree on the epoch.
    Identity,
    /// A file that does not belong to this spool, or all of a spool of which nothing could be read. It was moved.
    MovedAside {
        /// Where it is now.
        to: PathBuf,
    },
}

/// What [`Spool::read`] found at a sequence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Chunk {
    /// Nothing durable there yet.
    Empty,
    /// Records with contiguous sequences.
    Records {
        /// Sequence of the first.
        first_seq: u64,
        /// At least one.
        records: Vec<Vec<u8>>,
    },
    /// Sequences that will never come.
    Gap {
        /// First missing sequence.
        first_seq: u64,
        /// How many. At least 1.
        count: u64,
        /// Why.
        reason: GapReason,
    },
}

/// Why sequences are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GapReason {
    /// Given up to stay within [`Options::max_bytes`], or acknowledged and forgotten.
    Evicted,
    /// Damaged on disk.
    Unreadable,
}

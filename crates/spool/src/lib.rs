//! A durable, ordered queue of records on disk.
//!
//! A record is bytes. [`Spool::append`] gives it a sequence, [`Spool::sync`] makes everything appended durable at once,
//! [`Spool::read`] gives records back in order, [`Spool::acknowledge`] lets go of them. What cannot be given back is
//! declared with [`Chunk::Gap`]: for every sequence up to [`Spool::durable_seq`], a reader gets its record or a gap.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let dir = tempfile::tempdir()?;
//! use spool::{Chunk, Options, Spool};
//!
//! let mut spool = Spool::open(dir.path(), Options::default(), *b"sixteen random b")?.spool;
//! assert_eq!(spool.append(b"a fault")?, 1);
//! assert_eq!(spool.sync()?, 1); // only now may anybody be told that it is kept
//! let Chunk::Records { first_seq: 1, records } = spool.read(1, 100, 1 << 20)? else { panic!() };
//! assert_eq!(records, [b"a fault"]);
//! spool.acknowledge(1)?;
//! # Ok(())
//! # }
//! ```
//!
//! # The directory
//!
//! | file | holds |
//! | --- | --- |
//! | `lock` | nothing; whoever has the spool open holds `flock` on it |
//! | `identity` | a header with the epoch |
//! | `mark` | how far the queue has come |
//! | `segment-N` | records from sequence N on, N in 20 decimal digits; ends where the next segment's begin |
//! | `*.new` | a file whose creation was interrupted; removed when the spool is opened |
//! | `damaged-N/` | files that were set aside because they are not of this spool, or nothing could be read of it; the last 3 |
//!
//! Directories have mode 0700 and files 0600. A file gets its name when it is whole and synced.
//!
//! # Format, version 2
//!
//! Integers are little-endian. Checksums are CRC-32C; those of frames and marks continue from the CRC-32C of the epoch,
//! so that bytes of another spool, or bytes in a record that imitate a frame, do not pass. Every version keeps the first
//! 40 bytes of the identity and of segments in this form, so that a program can tell a version it does not know.
//!
//! | header, 40 bytes | | frame, 28 bytes and what it holds | | mark, 56 bytes | |
//! | --- | --- | --- | --- | --- | --- |
//! | 0..8 | `TLMSPLID` or `TLMSPLSG` | 0..4 | length of what it holds | 0..8 | `TLMSPLMK` |
//! | 8..12 | version | 4..8 | checksum of that | 8..12 | checksum of 16..56 |
//! | 12..16 | checksum of the other 36 | 8..16 | sequence, not 0 | 12..16 | zero |
//! | 16..32 | epoch | 16..20 | when, by the spool's clock, s | 16..24 | generation |
//! | 32..40 | first sequence; 0 in the identity | 20 | kind | 24..32 | last durable sequence |
//! | | | 21..24 | zero | 32..40 | last acknowledged sequence |
//! | | | 24..28 | checksum of 0..24 | 40..48 | last sequence evicted without an account |
//! | | | 28.. | what it holds | 48..52 | the spool's clock, s |
//! | | | | | 52..56 | zero |
//!
//! A segment is its header, frames without space between them, and zeros where space is preallocated. A frame holds a
//! record (kind 0), a critical record that stayed when its segment was given up (1), or an account of sequences that were
//! given up from its own on, for want of room (2) or for their age (3): for each class 8 bytes of records, 8 bytes of
//! events, a byte of the name's length and the name, in the order of the names. The mark file has two slots, 4096 bytes
//! apart, for even and odd generations; the one with the larger generation counts. The one that was synced last is not
//! written until the other is synced.
//!
//! # What is given up
//!
//! - **For want of room** ([`Options::max_bytes`]): the oldest segment that holds ordinary records is written anew, with its
//!   critical records and, for the others, an account of how many events of each class they stood for. Only when no
//!   ordinary record is left the oldest critical ones go. What little stays is joined to the segment before it, so that
//!   neither files nor gaps become many. On a disk without space for the account the oldest segment goes without one.
//! - **For their age** ([`Options::max_age`]): all records of a segment, once the newest is too old. Nothing is added to a
//!   segment whose oldest record has an eighth of that age. Age is counted by a clock of the spool's own, which
//!   [`Spool::advance`] moves, so that no wall clock that jumps gives anything up.
//!
//! # What is durable when
//!
//! - `sync` writes the queued frames with one write and one `fdatasync`. The mark's durable sequence is noted after it
//!   and not synced: recovery finds the end of the last segment by itself, the mark only says when more was there once.
//! - Nobody is told of a sequence before it is durable, so one that a crash has taken back may be given out again.
//! - Opening writes once more what the mark does not know to be durable, and syncs files and directory: the process
//!   before may have failed to, and then the kernel takes for written what is not.
//! - After a failed write or `fdatasync` the segment is cut at its last durable frame and never written again; the
//!   queued records go into a new one. (A second `fdatasync` of the same file could succeed without having written.)
//! - The mark is synced before a segment is deleted, for then it alone tells letting go from losing.
//!
//! # Recovery
//!
//! Opening reads every segment that is still needed once, from front to end. A frame counts when both its checksums
//! hold. Where none begins it searches byte by byte for the next that fits between its neighbours; skipped sequences, a
//! missing segment and a missing end (the mark knows of more) become gaps. Bytes after the last whole frame are cut and
//! the segment is closed. A mark or identity that is gone is made again from the segments. If the epoch cannot be told, or
//! not which of its sequences were used, everything is set aside and the spool begins with a new epoch.
//!
//! A segment that took another's remains in, beside the other, which a crash kept from being removed, ends where the other
//! begins.
//!
//! The one thing that is not noticed is the loss of the end of the queue together with the mark: nothing is left then
//! that knows of it.

mod disk;
mod error;
mod files;
mod format;
mod lost;
mod mark;
mod recover;
mod scan;
mod spool;
mod tally;

use std::path::PathBuf;
use std::time::Duration;

pub use error::SpoolError;
pub use spool::Spool;

/// Largest record, bytes: the 262144 that `telemetry.v1` allows, and slack for what an agent may wrap around it.
pub const MAX_RECORD_BYTES: usize = 262_144 + 4_096;

/// Limits of a spool, and what its records are worth. They may differ from those it was created with.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Size at which a new segment is begun, bytes. Space is given back, and evicted, a segment at a time. At least
    /// 4096; a record must fit in one segment.
    pub segment_bytes: u64,
    /// All segments together, bytes. Beyond it the oldest records are evicted, critical ones last. At least two segments.
    pub max_bytes: u64,
    /// Age beyond which records are given up, whatever they are worth; by a clock that [`Spool::advance`] moves, in
    /// seconds, and segment by segment: up to an eighth later.
    pub max_age: Duration,
    /// Says what a record is worth. It is asked when records are given up, and has to answer for any bytes.
    pub judge: fn(&[u8]) -> Worth,
}

/// What a record is worth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Worth {
    /// What is lost with it, for [`Chunk::Gap`]. 64 bytes count, and 63 classes a gap.
    pub class: String,
    /// It is evicted only when nothing else is left.
    pub is_critical: bool,
    /// How many events it stands for.
    pub events: u64,
}

impl Worth {
    /// One event of no particular class.
    pub fn ordinary(_record: &[u8]) -> Self {
        Self {
            class: String::new(),
            is_critical: false,
            events: 1,
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            segment_bytes: 8 << 20,
            max_bytes: 256 << 20,
            max_age: Duration::from_hours(30 * 24),
            judge: Worth::ordinary,
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
        /// How many, at least 1. The next sequence may begin another gap.
        count: u64,
        /// Why.
        reason: GapReason,
        /// Of which class the records were; empty: of none, or nobody knows.
        class: String,
        /// How many events they stood for; `count` when nobody knows.
        events: u64,
    },
}

/// Why sequences are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GapReason {
    /// Given up to stay within [`Options::max_bytes`], or acknowledged and forgotten.
    Evicted,
    /// Given up because of [`Options::max_age`].
    Expired,
    /// Damaged on disk.
    Unreadable,
}

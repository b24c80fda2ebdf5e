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
//! # Format, version 1
//!
//! Integers are little-endian. Checksums are CRC-32C; those of frames and marks continue from the CRC-32C of the epoch,
//! so that bytes of another spool, or bytes in a record that imitate a frame, do not pass. Every version keeps the first
//! 40 bytes of the identity and of segments in this form, so that a program can tell a version it does not know.
//!
//! | header, 40 bytes | | frame, 20 bytes and the record | | mark, 48 bytes | |
//! | --- | --- | --- | --- | --- | --- |
//! | 0..8 | `TLMSPLID` or `TLMSPLSG` | 0..4 | length of the record | 0..8 | `TLMSPLMK` |
//! | 8..12 | version | 4..8 | checksum of the record | 8..12 | checksum of 16..48 |
//! | 12..16 | checksum of the other 36 | 8..16 | sequence, not 0 | 12..16 | zero |
//! | 16..32 | epoch | 16..20 | checksum of 0..16 | 16..24 | generation |
//! | 32..40 | first sequence; 0 in the identity | 20.. | the record | 24..32 | last durable sequence |
//! | | | | | 32..40 | last acknowledged sequence |
//! | | | | | 40..48 | last evicted sequence |
//!
//! A segment is its header, frames without space between them, and zeros where space is preallocated. The mark file has
//! two slots, 4096 bytes apart, for even and odd generations; the one with the larger generation counts.
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
        /// How many, at least 1. The next sequence may begin another gap.
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

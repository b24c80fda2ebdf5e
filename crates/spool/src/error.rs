//! What can go wrong with a spool as a whole. Damage to single records is no error: see [`Damage`](crate::Damage).

use std::io;
use std::path::PathBuf;

/// A failed operation. After any of these the spool is as it was before the call, except as said at the variant.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpoolError {
    /// Another process, or another `Spool` of this one, has the directory open.
    #[error("spool {dir} is in use by another process; stop it, or use another directory", dir = .dir.display())]
    Locked {
        /// The spool's directory.
        dir: PathBuf,
    },
    /// The directory was written by a version of the format that this program does not know. Nothing was touched.
    #[error(
        "spool {dir} has format version {found}, this program reads version {supported}; \
         use the program that wrote it, or move the directory away to start an empty spool",
        dir = .dir.display()
    )]
    Version {
        /// The spool's directory.
        dir: PathBuf,
        /// The version found on disk.
        found: u32,
        /// The only version that this program reads and writes.
        supported: u32,
    },
    /// [`Options`](crate::Options) contradict themselves.
    #[error("spool options: {reason}")]
    Options {
        /// What is wrong with them.
        reason: &'static str,
    },
    /// The record is larger than the spool takes. Nothing was appended.
    #[error("record of {bytes} bytes, the spool takes at most {limit}")]
    RecordTooLarge {
        /// Size of the refused record.
        bytes: usize,
        /// The limit: [`MAX_RECORD_BYTES`](crate::MAX_RECORD_BYTES), or less when segments are smaller.
        limit: usize,
    },
    /// An acknowledgement of records that this spool never gave out. Nothing was acknowledged. When a collector says
    /// so, the directory has gone back in time (a restored snapshot): its sequences are used up and it must be moved
    /// away, so that a new epoch starts.
    #[error("sequence {seq} was acknowledged, but the last durable one is {durable}")]
    AcknowledgedTooFar {
        /// The sequence that was acknowledged.
        seq: u64,
        /// The last durable sequence.
        durable: u64,
    },
    /// A system call failed. Records that were not durable before the call are still not durable; they stay queued
    /// in memory and the next [`Spool::sync`](crate::Spool::sync) writes them into a new segment.
    #[error("cannot {action} {path}", path = .path.display())]
    Io {
        /// What was attempted: "write", "sync", ...
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
}

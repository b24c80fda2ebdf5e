//! The queue itself.

use std::io;
use std::path::Path;

use crate::{Chunk, Opened, Options, SpoolError};

/// A queue of records on disk; the only opener of its directory.
#[derive(Debug)]
pub struct Spool {
    epoch: [u8; 16],
}

fn not_yet(path: &Path) -> SpoolError {
    SpoolError::Io {
        action: "use",
        path: path.to_owned(),
        source: io::ErrorKind::Unsupported.into(),
    }
}

impl Spool {
    /// Opens the spool in `dir`, or makes one there with the epoch `new_epoch`.
    pub fn open(dir: &Path, _options: Options, _new_epoch: [u8; 16]) -> Result<Opened, SpoolError> {
        Err(not_yet(dir))
    }

    /// What its sequences belong to: 16 random bytes, made when the spool was created.
    pub fn epoch(&self) -> [u8; 16] {
        self.epoch
    }

    /// Queues a record and says its sequence. It is not durable before the next [`Spool::sync`].
    pub fn append(&mut self, _record: &[u8]) -> Result<u64, SpoolError> {
        Err(not_yet(Path::new("")))
    }

    /// Makes all that was appended durable, and says up to which sequence everything is.
    pub fn sync(&mut self) -> Result<u64, SpoolError> {
        Err(not_yet(Path::new("")))
    }

    /// Lets go of all records up to and including `seq`.
    pub fn acknowledge(&mut self, _seq: u64) -> Result<(), SpoolError> {
        Err(not_yet(Path::new("")))
    }

    /// The last durable sequence; zero: none yet.
    pub fn durable_seq(&self) -> u64 {
        0
    }

    /// The last acknowledged sequence; zero: none yet.
    pub fn acknowledged_seq(&self) -> u64 {
        0
    }

    /// Durable sequences that are not acknowledged, gaps included.
    pub fn backlog(&self) -> u64 {
        self.durable_seq() - self.acknowledged_seq()
    }

    /// Size of all segments on disk, bytes.
    pub fn bytes(&self) -> u64 {
        0
    }

    /// Reads durable records from `from_seq` on: at most `max_records`, and at most `max_bytes` unless the first alone
    /// is larger.
    pub fn read(
        &mut self,
        _from_seq: u64,
        _max_records: usize,
        _max_bytes: usize,
    ) -> Result<Chunk, SpoolError> {
        Ok(Chunk::Empty)
    }
}

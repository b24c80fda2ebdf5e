//! The kernel log through `/dev/kmsg`, for kernels where the console hook cannot be attached.

use std::path::{Path, PathBuf};

/// Where to start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Position {
    /// The oldest record still in the kernel's buffer.
    Oldest,
    /// Only what is printed from now on.
    Now,
    /// The record with this sequence number; when it is gone, the oldest one, and the records between count as lost.
    Sequence(u64),
}

/// Who printed a record; only on kernels with `CONFIG_PRINTK_CALLER`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    /// A task, by thread id.
    Task(u32),
    /// A CPU in interrupt context.
    Cpu(u32),
}

/// One record of the kernel log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KmsgRecord {
    /// The kernel's number of the record since boot.
    pub sequence: u64,
    /// Microseconds since boot (the scheduler's clock, which stops in suspend).
    pub at_us: u64,
    /// 0 (emergency) to 7 (debug).
    pub level: u8,
    /// syslog facility; 0 is the kernel, anything else was written by a program.
    pub facility: u32,
    /// This record continues the one before it.
    pub continues: bool,
    /// Who printed it.
    pub caller: Option<Caller>,
    /// One line, unescaped, no newline.
    pub text: Vec<u8>,
}

/// Why the kernel log cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum KmsgError {
    /// Opening failed; needs `CAP_SYSLOG` when `kernel.dmesg_restrict` is 1.
    #[error("open {}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the kernel said.
        #[source]
        source: std::io::Error,
    },
}

/// A reader of the kernel log.
#[derive(Debug)]
pub struct KernelLog {}

impl KernelLog {
    /// Opens the log, usually `/dev/kmsg`. Must be called inside a tokio runtime with I/O enabled.
    pub fn open(path: &Path, _since: Position) -> Result<Self, KmsgError> {
        Err(KmsgError::Open {
            path: path.to_owned(),
            source: std::io::ErrorKind::Unsupported.into(),
        })
    }

    /// Waits for at least one record, then appends what is there, at most a bounded batch. Cancel-safe.
    pub async fn next(&mut self, _out: &mut Vec<KmsgRecord>) -> Result<(), KmsgError> {
        std::future::pending().await
    }

    /// Records the kernel overwrote before they were read, cumulative.
    pub fn lost(&self) -> u64 {
        0
    }

    /// Records that were no kernel log record, cumulative.
    pub fn undecodable(&self) -> u64 {
        0
    }
}

//! The kernel log through `/dev/kmsg`: what was printed before anything watched, and all of it on kernels where the console
//! hook cannot be attached.
//!
//! One `read` gives one record (`Documentation/ABI/testing/dev-kmsg`, `kernel/printk/printk.c`: `devkmsg_read`):
//!
//! ```text
//! 6,339,5140900,-,caller=T1;NET: Registered protocol family 10
//!  SUBSYSTEM=acpi
//! ```
//!
//! that is facility and level, sequence, microseconds, flags and more in future, then the text with unprintable bytes
//! as `\xNN`, then properties. `EPIPE` says that records were overwritten before they were read: the next read goes on
//! with the oldest one left, and the hole in the sequences tells how many.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use rustix::fs::OFlags;
use tokio::io::unix::AsyncFd;

use crate::readable::readable;

/// The longest record, bytes (`CONSOLE_EXT_LOG_MAX` of kernels before 6.3, `PRINTK_MESSAGE_MAX` later is smaller).
const MAX_RECORD_BYTES: usize = 8192;

/// The most records that one call of [`KernelLog::next`] returns.
const MAX_BATCH: usize = 256;

/// Where to start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Position {
    /// The oldest record still in the kernel's buffer.
    Oldest,
    /// Only what is printed from now on.
    Now,
    /// The record of this boot with this sequence number; when it is gone, the oldest one, and the records between
    /// count as lost.
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
        source: io::Error,
    },
    /// Reading failed.
    #[error("read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
}

/// A reader of the kernel log.
#[derive(Debug)]
pub struct KernelLog {
    path: PathBuf,
    file: AsyncFd<File>,
    records: Records,
    buffer: Box<[u8; MAX_RECORD_BYTES]>,
}

/// What one read gave.
enum Found {
    Record(KmsgRecord),
    /// Something to go on behind: an overrun, garbage, a record that is not wanted.
    Nothing,
    End,
}

impl KernelLog {
    /// Opens the log, usually `/dev/kmsg`. Must be called inside a tokio runtime with I/O enabled.
    pub fn open(path: &Path, since: Position) -> Result<Self, KmsgError> {
        Self::of_file(open_file(path)?, path, since)
    }

    /// Reads a log that [`open_file`] opened at `path`, in this process or another. Must be called inside a tokio runtime
    /// with I/O enabled.
    pub fn of_file(file: File, path: &Path, since: Position) -> Result<Self, KmsgError> {
        let error = |source| KmsgError::Open {
            path: path.to_owned(),
            source,
        };
        if since == Position::Now {
            rustix::fs::seek(&file, rustix::fs::SeekFrom::End(0)).map_err(|errno| error(errno.into()))?;
        }
        Ok(Self {
            path: path.to_owned(),
            file: readable(file).map_err(error)?,
            records: Records::from(since),
            buffer: Box::new([0; MAX_RECORD_BYTES]),
        })
    }

    /// Waits for at least one record, then appends what is there, at most a bounded batch. Cancel-safe.
    pub async fn next(&mut self, out: &mut Vec<KmsgRecord>) -> Result<(), KmsgError> {
        loop {
            if self.read_available(out)? {
                return Ok(());
            }
            // Readiness is cleared before the log is drained, so what comes in between makes it ready again.
            match self.file.readable_mut().await {
                Ok(mut ready) => ready.clear_ready(),
                Err(source) => {
                    return Err(KmsgError::Read {
                        path: self.path.clone(),
                        source,
                    });
                }
            }
        }
    }

    /// Records the kernel overwrote before they were read, cumulative. Those before the first one that was asked for do not
    /// count.
    pub fn lost(&self) -> u64 {
        self.records.lost
    }

    /// Records that were no kernel log record, cumulative.
    pub fn undecodable(&self) -> u64 {
        self.records.undecodable
    }

    /// The sequence of the record that is read next; `None` before the first one.
    pub fn next_sequence(&self) -> Option<u64> {
        self.records.expected
    }

    /// Appends what is there now, at most a bounded batch; false when there was nothing.
    pub fn read_available(&mut self, out: &mut Vec<KmsgRecord>) -> Result<bool, KmsgError> {
        let before = out.len();
        while out.len() - before < MAX_BATCH {
            match self.read_one() {
                Ok(Found::Record(record)) => out.push(record),
                Ok(Found::Nothing) => {}
                Ok(Found::End) => break,
                Err(source) => {
                    return Err(KmsgError::Read {
                        path: self.path.clone(),
                        source,
                    });
                }
            }
        }
        Ok(out.len() > before)
    }

    fn read_one(&mut self) -> io::Result<Found> {
        match self.file.get_ref().read(self.buffer.as_mut_slice()) {
            Ok(0) => Ok(Found::End),
            Ok(length) => {
                let bytes = self.buffer.get(..length).unwrap_or_default();
                Ok(self.records.accept(bytes).map_or(Found::Nothing, Found::Record))
            }
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock => Ok(Found::End),
                // EPIPE: the next record shows how many are gone.
                io::ErrorKind::BrokenPipe | io::ErrorKind::Interrupted => Ok(Found::Nothing),
                // EINVAL: a record longer than the buffer; the kernel has stepped over it.
                io::ErrorKind::InvalidInput => {
                    self.records.pass_over();
                    Ok(Found::Nothing)
                }
                _ => Err(error),
            },
        }
    }
}

/// Opens the log for [`KernelLog::of_file`].
pub fn open_file(path: &Path) -> Result<File, KmsgError> {
    let flags = (OFlags::NONBLOCK | OFlags::CLOEXEC).bits();
    OpenOptions::new()
        .read(true)
        // The bits of these two flags fit.
        .custom_flags(flags.cast_signed())
        .open(path)
        .map_err(|source| KmsgError::Open {
            path: path.to_owned(),
            source,
        })
}

/// Counts what is missing.
#[derive(Debug, Default)]
struct Records {
    /// The sequence that must come next; unknown before the first record of a log read from its start or end.
    expected: Option<u64>,
    lost: u64,
    undecodable: u64,
}

impl Records {
    fn from(since: Position) -> Self {
        let expected = match since {
            Position::Sequence(sequence) => Some(sequence),
            Position::Oldest | Position::Now => None,
        };
        Self {
            expected,
            ..Self::default()
        }
    }

    /// A record, when it is one and it is wanted.
    fn accept(&mut self, bytes: &[u8]) -> Option<KmsgRecord> {
        let Some(record) = KmsgRecord::parse(bytes) else {
            self.pass_over();
            return None;
        };
        let expected = self.expected.unwrap_or(record.sequence);
        if record.sequence < expected {
            return None;
        }
        self.lost = self.lost.saturating_add(record.sequence - expected);
        self.expected = Some(record.sequence.saturating_add(1));
        Some(record)
    }

    /// Counts a record that cannot be read. It had a sequence, which must not count as a hole too.
    fn pass_over(&mut self) {
        self.undecodable += 1;
        self.expected = self.expected.map(|expected| expected.saturating_add(1));
    }
}

impl KmsgRecord {
    /// Parses what one `read` gave; `None` when that is no record.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let semicolon = bytes.iter().position(|byte| *byte == b';')?;
        let (prefix, text) = bytes.split_at_checked(semicolon)?;
        let text = text.get(1..)?;
        let mut fields = std::str::from_utf8(prefix).ok()?.split(',');
        let priority: u32 = fields.next()?.parse().ok()?;
        let sequence = fields.next()?.parse().ok()?;
        let at_us = fields.next()?.parse().ok()?;
        // `c`, and `+` on older kernels: printed as a continuation, yet a record of its own.
        let continues = fields.next()?.contains(['c', '+']);
        let caller = fields.find_map(|field| parse_caller(field.strip_prefix("caller=")?));
        Some(Self {
            sequence,
            at_us,
            level: u8::try_from(priority & 7).ok()?,
            facility: priority >> 3,
            continues,
            caller,
            text: unescape(text.split(|byte| *byte == b'\n').next().unwrap_or_default()),
        })
    }
}

fn parse_caller(value: &str) -> Option<Caller> {
    if let Some(task) = value.strip_prefix('T') {
        return task.parse().ok().map(Caller::Task);
    }
    value.strip_prefix('C')?.parse().ok().map(Caller::Cpu)
}

/// `\xNN` to the byte; the kernel writes nothing else with a backslash, and the backslash itself so.
fn unescape(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((byte, after)) = rest.split_first() {
        if let Some((value, behind)) = escaped(rest) {
            plain.push(value);
            rest = behind;
        } else {
            plain.push(*byte);
            rest = after;
        }
    }
    plain
}

/// The byte of an escape that the text starts with, and what is behind it.
fn escaped(text: &[u8]) -> Option<(u8, &[u8])> {
    let (digits, behind) = text.strip_prefix(b"\\x")?.split_at_checked(2)?;
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let value = digit(digits.first()?)? * 16 + digit(digits.last()?)?;
    Some((u8::try_from(value).ok()?, behind))
}

#[cfg(test)]
mod tests;

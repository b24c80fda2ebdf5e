//! Reading a BPF ring buffer through its memory alone.
//!
//! A process that was handed the map's descriptor can read it without calling `bpf(2)`, which many kernels refuse to a
//! process without capabilities. The layout is that of `kernel/bpf/ringbuf.c` (since 5.8): a page with the consumer's
//! position, a page with the producer's position, then the data, which the kernel maps twice (only the first copy is
//! used here). Positions only grow; a record starts at a position modulo the size of the data and has a header of 8
//! bytes, whose first 4 are the length and two flags, and is padded to 8 bytes.
//!
//! The memory is written by the kernel while it is read, so it is only ever read as atomic words, and copied.

use std::{
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd},
    sync::atomic::{AtomicU64, Ordering, fence},
};

use rustix::mm::ProtFlags;

use crate::mapping::{Mapping, WORD};

/// The record is still being written (`BPF_RINGBUF_BUSY_BIT`, `include/uapi/linux/bpf.h`).
const BUSY: u32 = 1 << 31;
/// The record was given up (`BPF_RINGBUF_DISCARD_BIT`).
const DISCARDED: u32 = 1 << 30;
/// The largest ring that is mapped, bytes; also the configuration's limit.
pub const MAX_BYTES: u32 = 1 << 28;

/// Why a ring cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RingError {
    /// No ring has this size.
    #[error("a ring of {0} bytes is not possible")]
    Size(u32),
    /// The kernel does not map it.
    #[error("map the ring buffer")]
    Map(#[source] io::Error),
    /// The positions or a record's length make no sense.
    #[error("the ring buffer is damaged")]
    Damaged,
}

/// A ring buffer's only reader.
#[derive(Debug)]
pub struct Ring {
    descriptor: OwnedFd,
    /// The page with the position that this side writes.
    consumer: Mapping,
    /// The page with the kernel's position, and the data.
    producer: Mapping,
    page: usize,
    bytes: usize,
    position: usize,
}

impl Ring {
    /// Maps the ring of a map of type `BPF_MAP_TYPE_RINGBUF` with `bytes` bytes of data.
    pub fn open(descriptor: OwnedFd, bytes: u32) -> Result<Self, RingError> {
        let page = rustix::param::page_size();
        let length = bytes as usize;
        if bytes > MAX_BYTES || !bytes.is_power_of_two() || length < page {
            return Err(RingError::Size(bytes));
        }
        let map = |offset, length, protection| {
            Mapping::of(descriptor.as_fd(), offset, length, protection).map_err(RingError::Map)
        };
        let consumer = map(0, page, ProtFlags::READ | ProtFlags::WRITE)?;
        let producer = map(page as u64, page + length, ProtFlags::READ)?;
        let position = consumer.position().load(Ordering::Acquire);
        Ok(Self {
            descriptor,
            consumer,
            producer,
            page,
            bytes: length,
            position,
        })
    }

    /// Copies the next record to `record`, in place of what it held; false when there is none yet.
    pub fn next(&mut self, record: &mut Vec<u8>) -> Result<bool, RingError> {
        // Each turn ends, or takes at least a header out of a ring that holds a bounded number of them.
        for _ in 0..=self.bytes / WORD {
            let Some(header) = self.header()? else {
                return Ok(false);
            };
            if header & BUSY != 0 {
                return Ok(false);
            }
            let length = (header & !DISCARDED) as usize;
            let whole = (WORD + length).next_multiple_of(WORD);
            if whole > self.filled()? {
                return Err(RingError::Damaged);
            }
            let wanted = header & DISCARDED == 0;
            if wanted {
                self.copy(length, record);
            }
            self.position = self.position.wrapping_add(whole);
            self.consumer.position().store(self.position, Ordering::Release);
            if wanted {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The header at the position; `None` when the kernel has written nothing there.
    fn header(&self) -> Result<Option<u32>, RingError> {
        if self.filled()? == 0 {
            // The kernel wakes the reader when it finds it caught up: either it sees the position written above, or
            // this sees what it wrote.
            fence(Ordering::SeqCst);
            if self.filled()? == 0 {
                return Ok(None);
            }
        }
        // Pairs with the kernel's exchange of the header in `bpf_ringbuf_commit`.
        let word = self.word(self.position).load(Ordering::Acquire).to_ne_bytes();
        let [first, second, third, fourth, ..] = word;
        Ok(Some(u32::from_ne_bytes([first, second, third, fourth])))
    }

    /// Bytes between the two positions.
    fn filled(&self) -> Result<usize, RingError> {
        let produced = self.producer.position().load(Ordering::Acquire);
        let filled = produced.wrapping_sub(self.position);
        if filled > self.bytes || !filled.is_multiple_of(WORD) || !self.position.is_multiple_of(WORD) {
            return Err(RingError::Damaged);
        }
        Ok(filled)
    }

    fn copy(&self, length: usize, record: &mut Vec<u8>) {
        record.clear();
        let first = self.position.wrapping_add(WORD);
        for at in (0..length).step_by(WORD) {
            let word = self.word(first.wrapping_add(at)).load(Ordering::Relaxed);
            record.extend_from_slice(&word.to_ne_bytes());
        }
        record.truncate(length);
    }

    /// The word at a position, which is a multiple of [`WORD`].
    fn word(&self, position: usize) -> &AtomicU64 {
        let words = self.producer.words();
        let index = (self.page + (position & (self.bytes - 1))) / WORD;
        // Invariant: the mapping has a page and the data, and the index is masked to the data.
        &words[index]
    }
}

impl AsFd for Ring {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

impl AsRawFd for Ring {
    fn as_raw_fd(&self) -> RawFd {
        self.descriptor.as_raw_fd()
    }
}

#[cfg(test)]
mod tests;

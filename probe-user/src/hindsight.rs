//! What came before a fault: signs that small programs keep in memory which nobody reads until then.
//!
//! Reading takes the map's descriptor and no privilege, as for the ring buffer.

use std::{
    fmt, io,
    os::fd::BorrowedFd,
    sync::atomic::{AtomicU64, Ordering, fence},
};

use probe_common::{Sign, SignKind};
use rustix::mm::ProtFlags;

use crate::{
    decode::text_of,
    mapping::{Mapping, WORD},
};

mod load;

#[cfg(test)]
pub(crate) use load::symbols;
pub(crate) use load::{Layout, MAP_SIGNS, attach};

/// Default size of the memory for all CPUs together, bytes: on two CPUs the last 2048 signs of each.
pub const DEFAULT_BYTES: u32 = 256 * 1024;
/// The least size, bytes, and the largest: a few signs on a large machine, and what a fault reads through.
pub const BYTES: std::ops::RangeInclusive<u32> = 16 * 1024..=16 * 1024 * 1024;
/// How long before a fault a sign still says something of it, nanoseconds.
pub const REACH_NS: u64 = 30_000_000_000;
/// The most signs that are told of one fault, the latest.
pub const MOST: usize = 64;

const WORDS: usize = Sign::SIZE / WORD;

/// What is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// Memory for the signs of all CPUs together, within [`BYTES`].
    pub bytes: u32,
    /// The least time that a task is held up for a sign, nanoseconds.
    pub stall_ns: u64,
}

impl Default for Wanted {
    fn default() -> Self {
        Self {
            bytes: DEFAULT_BYTES,
            stall_ns: probe_common::STALL_NS,
        }
    }
}

/// Something that was seen before a fault. Its `Display` says what, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Precursor {
    /// What.
    pub kind: SignKind,
    /// Nanoseconds that a task was held up, or interrupts a second.
    pub value: u64,
    /// When it ended (`CLOCK_BOOTTIME`), nanoseconds.
    pub since_boot_ns: u64,
    /// On which CPU.
    pub cpu: u32,
    /// The task that was running: the one that was held up, or any.
    pub pid: u32,
    /// Its name.
    pub comm: String,
}

impl fmt::Display for Precursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { comm, pid, .. } = self;
        let ms = self.value / 1_000_000;
        match self.kind {
            SignKind::Reclaim => write!(f, "allocation stall {ms} ms of {comm} ({pid})"),
            SignKind::CgroupReclaim => write!(
                f,
                "allocation stall {ms} ms of {comm} ({pid}), its cgroup is full"
            ),
            SignKind::Compaction => write!(f, "memory compaction {ms} ms by {comm} ({pid})"),
            SignKind::IrqStorm => write!(f, "interrupt storm, {} a second", self.value),
        }
    }
}

/// The signs, readable.
#[derive(Debug)]
pub struct Hindsight {
    memory: Mapping,
    signs: usize,
}

impl Hindsight {
    /// Maps the array of a map `SIGNS` that has room for `signs`.
    pub fn open(descriptor: BorrowedFd<'_>, signs: u32) -> io::Result<Self> {
        let signs = signs as usize;
        let length = (signs * Sign::SIZE).next_multiple_of(rustix::param::page_size());
        if signs == 0 || signs * Sign::SIZE > *BYTES.end() as usize {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        Ok(Self {
            memory: Mapping::of(descriptor, 0, length, ProtFlags::READ)?,
            signs,
        })
    }

    /// The latest signs of the [`REACH_NS`] before a moment, at most [`MOST`], oldest first. Takes some tens of microseconds.
    pub fn before(&self, at_ns: u64) -> Vec<Precursor> {
        let reach = at_ns.saturating_sub(REACH_NS)..=at_ns;
        let words = self.memory.words();
        let signs = words.chunks_exact(WORDS).take(self.signs);
        let mut seen: Vec<_> = signs
            .filter(|sign| reach.contains(&sign.first().map_or(0, |time| time.load(Ordering::Acquire))))
            .filter_map(copy)
            .filter(|seen| reach.contains(&seen.since_boot_ns))
            .collect();
        seen.sort_by_key(|seen| seen.since_boot_ns);
        let surplus = seen.len().saturating_sub(MOST);
        seen.split_off(surplus)
    }
}

/// Copies a sign, unless the kernel wrote it meanwhile.
fn copy(words: &[AtomicU64]) -> Option<Precursor> {
    let time = words.first()?;
    let before = time.load(Ordering::Acquire);
    let mut bytes = [0; Sign::SIZE];
    for (place, word) in bytes.chunks_exact_mut(WORD).zip(words) {
        place.copy_from_slice(&word.load(Ordering::Relaxed).to_ne_bytes());
    }
    fence(Ordering::Acquire);
    if before == 0 || time.load(Ordering::Relaxed) != before {
        return None;
    }
    let sign = Sign::decode(&bytes)?;
    Some(Precursor {
        kind: SignKind::from_raw(sign.kind)?,
        value: sign.value,
        since_boot_ns: before,
        cpu: sign.cpu,
        pid: sign.pid,
        comm: text_of(&sign.comm),
    })
}

#[cfg(test)]
mod tests;

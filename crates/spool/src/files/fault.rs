//! A disk that fails, a process that dies and a machine that loses power, each at a chosen system call of this thread.

use std::cell::RefCell;
use std::fs::{File, OpenOptions};
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};

use super::{Call, Errno};

/// What a device writes whole.
const SECTOR_BYTES: usize = 512;
/// What the kernel writes back whole.
const BLOCK_BYTES: u64 = 4096;

/// What happens at the chosen call.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fault {
    /// It answers with an error. A write may have done part of its work.
    Errno(Errno),
    /// The process ends there. A write may have done part of its work.
    Crash,
}

/// The panic that stands for the end of the process.
struct Crashed;

#[derive(Default)]
struct Disk {
    /// Calls to go until the fault.
    planned: Option<(u32, Fault)>,
    /// What a loss of power may undo, oldest first.
    unsynced: Vec<Undo>,
    bytes_read: u64,
}

/// What was there before something that is not synced yet.
enum Undo {
    Write {
        path: PathBuf,
        offset: u64,
        before: Vec<u8>,
        /// A sync of it failed: the kernel takes it for written, and no later sync writes it.
        dropped: bool,
    },
    Remove {
        path: PathBuf,
        before: Vec<u8>,
    },
}

impl Undo {
    /// The blocks of a write.
    fn blocks(&self) -> Option<Range<u64>> {
        match self {
            Self::Write { offset, before, .. } => {
                Some(offset / BLOCK_BYTES..(offset + before.len() as u64).div_ceil(BLOCK_BYTES))
            }
            Self::Remove { .. } => None,
        }
    }

    /// The blocks of a write to `path` that the next sync takes to the disk.
    fn dirty_blocks(&self, path: &Path) -> Option<Range<u64>> {
        let dirty = matches!(self, Self::Write { path: of, dropped: false, .. } if of == path);
        self.blocks().filter(|_| dirty)
    }
}

thread_local! {
    static DISK: RefCell<Disk> = RefCell::default();
}

/// Plans a fault for the call after `calls` more. Only calls that change something count.
pub(crate) fn plan(calls: u32, fault: Fault) {
    DISK.with_borrow_mut(|disk| disk.planned = Some((calls, fault)));
}

/// Takes a plan back. True when it had not come to it.
pub(crate) fn cancel() -> bool {
    DISK.with_borrow_mut(|disk| disk.planned.take().is_some())
}

/// Runs `work`; `None` when the process died in it.
pub(crate) fn until_crash<T>(work: impl FnOnce() -> T) -> Option<T> {
    match panic::catch_unwind(AssertUnwindSafe(work)) {
        Ok(done) => Some(done),
        Err(payload) if payload.is::<Crashed>() => None,
        Err(payload) => panic::resume_unwind(payload),
    }
}

/// Bytes that this thread has read from segments since it was last asked.
pub(crate) fn take_bytes_read() -> u64 {
    DISK.with_borrow_mut(|disk| std::mem::take(&mut disk.bytes_read))
}

/// A clean start, as the machine has it after everything is written back.
pub(crate) fn settle() {
    DISK.with_borrow_mut(|disk| *disk = Disk::default());
}

/// The machine loses power: of everything that was not synced, `keeps` says sector by sector whether it got there.
pub(crate) fn lose_power(mut keeps: impl FnMut() -> bool) {
    let unsynced = DISK.with_borrow_mut(|disk| std::mem::take(&mut disk.unsynced));
    for undo in unsynced.into_iter().rev() {
        match undo {
            Undo::Write {
                path, offset, before, ..
            } => {
                if let Ok(file) = OpenOptions::new().write(true).open(&path) {
                    undo_write(&file, offset, &before, &mut keeps);
                }
            }
            Undo::Remove { path, before } => {
                if !keeps() && !path.exists() {
                    std::fs::write(&path, before).expect("a removed file comes back");
                }
            }
        }
    }
    settle();
}

fn undo_write(file: &File, offset: u64, before: &[u8], keeps: &mut impl FnMut() -> bool) {
    let length = file.metadata().expect("metadata of a spool's file").len();
    let mut at = 0;
    while at < before.len() {
        let in_sector = usize::try_from(offset + at as u64).expect("a small file") % SECTOR_BYTES;
        let bytes = (SECTOR_BYTES - in_sector).min(before.len() - at);
        // A file that was cut since has lost these bytes for good.
        let there = offset + (at + bytes) as u64 <= length;
        if there && !keeps() {
            file.write_all_at(&before[at..at + bytes], offset + at as u64)
                .expect("a sector goes back");
        }
        at += bytes;
    }
}

pub(crate) fn checkpoint(call: Call<'_>) -> io::Result<()> {
    let fault = DISK.with_borrow_mut(|disk| disk.reach(call));
    note(call, fault);
    match fault {
        None => Ok(()),
        Some(Fault::Errno(errno)) => Err(errno.into()),
        // No panic message: this is no failure of the test.
        Some(Fault::Crash) => panic::resume_unwind(Box::new(Crashed)),
    }
}

impl Disk {
    fn reach(&mut self, call: Call<'_>) -> Option<Fault> {
        if let Call::Read(bytes) = call {
            self.bytes_read += bytes as u64;
            return None;
        }
        let (calls, fault) = self.planned?;
        self.planned = calls.checked_sub(1).map(|calls| (calls, fault));
        self.planned.is_none().then_some(fault)
    }
}

/// Remembers how the call can be undone, and does part of a write that fails.
fn note(call: Call<'_>, fault: Option<Fault>) {
    let fails = fault.is_some();
    match call {
        Call::Write {
            file,
            path,
            bytes,
            offset,
        } => {
            let mut before = vec![0; bytes.len()];
            // What lies past the end of the file reads as zeros.
            let mut filled = 0;
            while let Ok(read @ 1..) = file.read_at(&mut before[filled..], offset + filled as u64) {
                filled += read;
            }
            let path = path.to_owned();
            DISK.with_borrow_mut(|disk| {
                disk.unsynced.push(Undo::Write {
                    path,
                    offset,
                    before,
                    dropped: false,
                });
            });
            if fails {
                file.write_all_at(&bytes[..bytes.len() / 2], offset)
                    .expect("half a write");
            }
        }
        Call::SyncData(path) if matches!(fault, Some(Fault::Errno(_))) => drop_writes(path),
        Call::SyncData(path) if !fails => sync_writes(path),
        // A new file takes the place of the old.
        Call::Create(path) if !fails => {
            forget(|undo| matches!(undo, Undo::Write { path: of, .. } if of == path));
        }
        Call::SyncDirectory if !fails => forget(|undo| matches!(undo, Undo::Remove { .. })),
        Call::Remove(path) if !fails => {
            if let Ok(before) = std::fs::read(path) {
                let path = path.to_owned();
                DISK.with_borrow_mut(|disk| disk.unsynced.push(Undo::Remove { path, before }));
            }
        }
        Call::SyncData(_) | Call::SyncDirectory | Call::Remove(_) | Call::Create(_) | Call::Read(_) => {}
    }
}

fn forget(done: impl Fn(&Undo) -> bool) {
    DISK.with_borrow_mut(|disk| disk.unsynced.retain(|undo| !done(undo)));
}

/// What was written since the last sync is on disk now, and with it what lies in the same blocks.
fn sync_writes(path: &Path) {
    DISK.with_borrow_mut(|disk| {
        let written: Vec<_> = disk
            .unsynced
            .iter()
            .filter_map(|undo| undo.dirty_blocks(path))
            .collect();
        disk.unsynced.retain(|undo| match undo {
            Undo::Write { path: of, .. } if of == path => {
                let Some(blocks) = undo.blocks() else { return true };
                !written
                    .iter()
                    .any(|dirty| dirty.start < blocks.end && blocks.start < dirty.end)
            }
            _ => true,
        });
    });
}

fn drop_writes(path: &Path) {
    DISK.with_borrow_mut(|disk| {
        for undo in &mut disk.unsynced {
            if let Undo::Write {
                path: of, dropped, ..
            } = undo
                && of == path
            {
                *dropped = true;
            }
        }
    });
}

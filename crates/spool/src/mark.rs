//! The mark file: how far the queue has come, written often and synced seldom.

use std::path::PathBuf;

use crate::SpoolError;
use crate::disk::Handle;
use crate::files::{self, Directory};
use crate::format::{MARK_SLOT_BYTES, Mark, Seed};

const MARK: &str = "mark";
const SLOTS: usize = 2;

/// The mark on disk. A newer mark goes to the slot that the newest is not in.
#[derive(Debug)]
pub(crate) struct MarkFile {
    file: Handle,
    path: PathBuf,
    seed: Seed,
    generation: u64,
    mark: Mark,
}

impl MarkFile {
    /// Opens the mark; `None` when there is none that can be read.
    pub(crate) fn open(directory: &Directory, seed: Seed) -> Result<Option<Self>, SpoolError> {
        let Some(bytes) = directory.read(MARK, SLOTS * MARK_SLOT_BYTES)? else {
            return Ok(None);
        };
        let newest = bytes
            .chunks(MARK_SLOT_BYTES)
            .filter_map(|slot| Mark::decode(slot, seed));
        let Some((generation, mark)) = newest.max_by_key(|(generation, _)| *generation) else {
            return Ok(None);
        };
        let path = directory.path().join(MARK);
        Ok(Some(Self {
            file: directory.open_file(&path)?,
            path,
            seed,
            generation,
            mark,
        }))
    }

    /// Makes the file, or makes it again.
    pub(crate) fn create(directory: &Directory, seed: Seed, mark: Mark) -> Result<Self, SpoolError> {
        let path = directory.path().join(MARK);
        let generation = 1;
        let mut bytes = vec![0; SLOTS * MARK_SLOT_BYTES];
        let slot = slot_offset(generation);
        let encoded = mark.encode(seed, generation);
        bytes[slot..slot + encoded.len()].copy_from_slice(&encoded);
        let file = directory.create(&path, &bytes, 0)?;
        Ok(Self {
            file,
            path,
            seed,
            generation,
            mark,
        })
    }

    pub(crate) fn get(&self) -> Mark {
        self.mark
    }

    /// Notes a newer mark. It survives the end of the process at once and the end of the machine when the kernel next
    /// writes back. Nothing depends on that, so a failure here is left to show in what does: writing records.
    pub(crate) fn note(&mut self, mark: Mark) {
        if mark != self.mark && self.write(mark).is_err() {
            self.mark = mark;
        }
    }

    /// Notes a mark and makes it durable.
    pub(crate) fn store(&mut self, mark: Mark) -> Result<(), SpoolError> {
        self.write(mark)?;
        files::sync_data(&*self.file, &self.path)
    }

    fn write(&mut self, mark: Mark) -> Result<(), SpoolError> {
        let generation = self.generation + 1;
        let bytes = mark.encode(self.seed, generation);
        files::write(&*self.file, &self.path, &bytes, slot_offset(generation) as u64)?;
        self.generation = generation;
        self.mark = mark;
        Ok(())
    }
}

fn slot_offset(generation: u64) -> usize {
    if generation.is_multiple_of(2) {
        0
    } else {
        MARK_SLOT_BYTES
    }
}

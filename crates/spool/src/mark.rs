//! The mark file: how far the queue has come, written often and synced seldom.

use std::path::PathBuf;

use crate::SpoolError;
use crate::disk::Handle;
use crate::files::{self, Directory};
use crate::format::{MARK_SLOT_BYTES, Mark, Seed};

const MARK: &str = "mark";
const SLOTS: usize = 2;

/// The mark on disk. A newer mark goes to the slot that the last synced one is not in: a loss of power may leave anything
/// of what was written since.
#[derive(Debug)]
pub(crate) struct MarkFile {
    file: Handle,
    path: PathBuf,
    seed: Seed,
    generation: u64,
    /// The generation that is on the disk for certain.
    synced: u64,
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
        let file = directory.open_file(&path)?;
        // The last process may not have synced it, or have failed to. The other slot is not written before it is there.
        let encoded = mark.encode(seed, generation);
        files::write_durably(&*file, &path, &encoded, slot_offset(generation) as u64)?;
        Ok(Some(Self {
            file,
            path,
            seed,
            generation,
            synced: generation,
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
            synced: generation,
            mark,
        })
    }

    pub(crate) fn get(&self) -> Mark {
        self.mark
    }

    /// Notes a newer mark. It survives the end of the process at once and the end of the machine when the kernel next
    /// writes back; a writing that is cut off takes back to the last synced one. Nothing depends on what is noted, so a
    /// failure here is left to show in what does: writing records.
    pub(crate) fn note(&mut self, mark: Mark) {
        if mark != self.mark && self.write(mark).is_err() {
            self.mark = mark;
        }
    }

    /// Notes a mark and makes it durable.
    pub(crate) fn store(&mut self, mark: Mark) -> Result<(), SpoolError> {
        self.write(mark)?;
        files::sync_data(&*self.file, &self.path)?;
        self.synced = self.generation;
        Ok(())
    }

    fn write(&mut self, mark: Mark) -> Result<(), SpoolError> {
        let mut generation = self.generation + 1;
        if slot_offset(generation) == slot_offset(self.synced) {
            generation += 1;
        }
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

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use rustix::io::Errno;

    use super::*;
    use crate::disk::simulated::{Fault, Simulated};

    fn directory(disk: &Simulated) -> Directory {
        Directory::open(Arc::new(disk.clone()), Path::new("/spool")).unwrap()
    }

    fn acknowledged(seq: u64) -> Mark {
        Mark {
            durable: 100,
            acknowledged: seq,
            ..Mark::default()
        }
    }

    #[test]
    fn what_was_stored_outlives_whatever_is_noted_after_it() {
        let epoch = Seed::of_epoch([0; 16]);
        for seed in 0..1000 {
            let disk = Simulated::new(seed);
            let mut mark = MarkFile::create(&directory(&disk), epoch, acknowledged(1)).unwrap();
            mark.store(acknowledged(2)).unwrap();
            if seed % 2 == 0 {
                disk.plan(0, Fault::Errno(Errno::NOSPC, 0));
                mark.note(acknowledged(3));
            }
            mark.note(acknowledged(4));
            if seed % 3 == 0 {
                // The process dies, and the next one goes on.
                mark = MarkFile::open(&directory(&disk), epoch).unwrap().unwrap();
                assert_eq!(mark.get(), acknowledged(4));
            }
            // It dies in the next note, and the machine with it.
            disk.plan(0, Fault::Crash);
            mark.note(acknowledged(5));
            assert!(disk.take_death());
            disk.lose_power(seed);
            let found = MarkFile::open(&directory(&disk), epoch)
                .unwrap()
                .map(|mark| mark.get());
            assert!(
                found.is_some_and(|mark| mark.acknowledged >= 2),
                "{seed}: {found:?}"
            );
        }
    }
}

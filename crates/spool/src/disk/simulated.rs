//! A file system in memory that does to the spool what real ones may do.
//!
//! - **Loss of power.** Of what was written since the last sync each sector (512 bytes) has any of its states since then,
//!   each independent of the others: writes are torn and out of order. A file has any of its sizes. Of the names that
//!   were made, changed or removed since the directory was synced, the first few are there, or any of them.
//! - **Death of the process.** A write is cut anywhere; the rest is as the kernel has it.
//! - **A sync that fails** has written any part, the kernel takes the pages for clean (no later sync writes them, unless
//!   they are written again), and it may have read them back from the disk.
//! - **A full disk** refuses what needs space, a write after a part of it; reserved space can still be written.
//! - **A read-only disk** refuses everything that changes something.
//!
//! Any call can be made to fail or to be the last before the process dies.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::io::Errno;

use super::{Disk, DiskFile, Entry, Handle};

mod node;
mod state;

use node::Node;
use state::{Change, Id, State};

/// What happens at the chosen call.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fault {
    /// It and so many calls after it answer with an error. A write may have done part of its work.
    Errno(Errno, u32),
    /// The process dies in it. A write may have done part of its work.
    Crash,
}

/// A disk, and the kernel's view of it. Clones are the same disk.
#[derive(Debug, Clone)]
pub(crate) struct Simulated {
    state: Arc<Mutex<State>>,
}

impl Simulated {
    /// An empty disk; `seed` decides everything that is left to chance.
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            state: Arc::new(Mutex::new(State::new(seed))),
        }
    }

    /// Plans a fault for the call after `calls` more that change something.
    pub(crate) fn plan(&self, calls: u32, fault: Fault) {
        self.lock().planned = Some((calls, fault));
    }

    /// Takes a plan back.
    pub(crate) fn cancel(&self) {
        self.lock().planned = None;
    }

    /// Whether the process has died since this was last asked. The next one finds the disk as the kernel has it.
    pub(crate) fn take_death(&self) -> bool {
        std::mem::take(&mut self.lock().dead)
    }

    /// Leaves `free` bytes, or all there are.
    pub(crate) fn leave(&self, free: Option<u64>) {
        let mut state = self.lock();
        state.capacity = free.map_or(u64::MAX, |free| state.used() + free);
    }

    pub(crate) fn make_read_only(&self, read_only: bool) {
        self.lock().read_only = read_only;
    }

    /// Everything is written back, as it is some time after the last call.
    pub(crate) fn settle(&self) {
        self.lock().settle();
    }

    /// The machine loses power and starts again.
    pub(crate) fn lose_power(&self, seed: u64) {
        self.lock().lose_power(seed);
    }

    /// Bytes that were read since this was last asked.
    pub(crate) fn take_bytes_read(&self) -> u64 {
        std::mem::take(&mut self.lock().bytes_read)
    }

    /// Names of the files below a directory.
    pub(crate) fn files(&self, dir: &Path) -> Vec<PathBuf> {
        let state = self.lock();
        let is_file = |(path, id): (&PathBuf, &Id)| {
            (path.starts_with(dir) && !state.nodes[*id].is_dir).then(|| path.clone())
        };
        state.names.iter().filter_map(is_file).collect()
    }

    /// What a file holds.
    pub(crate) fn contents(&self, path: &Path) -> Vec<u8> {
        let state = self.lock();
        state.nodes[state.names[path]].contents().to_vec()
    }

    /// Replaces what a file holds, on the disk itself.
    pub(crate) fn overwrite(&self, path: &Path, bytes: Vec<u8>) {
        let mut state = self.lock();
        let id = state.names[path];
        state.nodes[id] = Node::holding(bytes);
    }

    /// Removes a file from the disk itself.
    pub(crate) fn destroy(&self, path: &Path) {
        let mut state = self.lock();
        state.names.remove(path);
        state.durable.remove(path);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn file(&self, id: Id) -> Handle {
        Box::new(Open {
            disk: self.clone(),
            id,
        })
    }
}

impl Disk for Simulated {
    fn make_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.lock();
        state.reach_whole()?;
        if state.names.contains_key(path) {
            return Err(Errno::EXIST.into());
        }
        state.add(path, Node::directory());
        Ok(())
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.lock();
        state.reach_whole()?;
        state.find(path)?;
        if state.names.keys().any(|name| name.parent() == Some(path)) {
            return Err(Errno::NOTEMPTY.into());
        }
        let path = path.to_owned();
        state.change(Change::Remove { path });
        Ok(())
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.lock();
        state.reach_whole()?;
        let (synced, unsynced) = std::mem::take(&mut state.unsynced)
            .into_iter()
            .partition::<Vec<_>, _>(|change| change.is_in(path));
        state.unsynced = unsynced;
        for change in synced {
            change.apply(&mut state.durable);
        }
        Ok(())
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        let state = self.lock();
        state.live()?;
        let here = state.names.iter().filter(|(name, _)| name.parent() == Some(path));
        let entry = |(path, id): (&PathBuf, &Id)| Entry {
            path: path.clone(),
            is_dir: state.nodes[*id].is_dir,
            bytes: state.nodes[*id].contents().len() as u64,
        };
        Ok(here.map(entry).collect())
    }

    fn exists(&self, path: &Path) -> bool {
        self.lock().names.contains_key(path)
    }

    fn open_or_create(&self, path: &Path) -> io::Result<Handle> {
        let mut state = self.lock();
        if let Ok(id) = state.find(path) {
            return Ok(self.file(id));
        }
        state.reach_whole()?;
        let id = state.add(path, Node::holding(Vec::new()));
        Ok(self.file(id))
    }

    fn open(&self, path: &Path) -> io::Result<Handle> {
        let state = self.lock();
        let id = state.find(path)?;
        if state.read_only {
            return Err(Errno::ROFS.into());
        }
        Ok(self.file(id))
    }

    fn open_to_read(&self, path: &Path) -> io::Result<Handle> {
        let id = self.lock().find(path)?;
        Ok(self.file(id))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.lock();
        state.reach_whole()?;
        let id = state.find(from)?;
        let (from, to) = (from.to_owned(), to.to_owned());
        state.change(Change::Move { from, to, id });
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.lock();
        state.find(path)?;
        state.reach_whole()?;
        let path = path.to_owned();
        state.change(Change::Remove { path });
        Ok(())
    }
}

/// An open file. It is there for as long as it is open, whatever becomes of its name.
#[derive(Debug)]
struct Open {
    disk: Simulated,
    id: Id,
}

impl DiskFile for Open {
    fn lock(&self) -> io::Result<bool> {
        self.disk.lock().live()?;
        Ok(true)
    }

    fn size(&self) -> io::Result<u64> {
        let state = self.disk.lock();
        state.live()?;
        Ok(state.nodes[self.id].contents().len() as u64)
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut state = self.disk.lock();
        state.live()?;
        let contents = state.nodes[self.id].contents();
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(contents.len());
        let read = bytes.len().min(contents.len() - from);
        bytes[..read].copy_from_slice(&contents[from..from + read]);
        state.bytes_read += read as u64;
        Ok(read)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut state = self.disk.lock();
        let error = state.reach()?;
        let space = state.check_space(self.id, offset + bytes.len() as u64);
        let error = error.or(space.err());
        let done = match error {
            Some(_) => state.random.usize(..=bytes.len()),
            None => bytes.len(),
        };
        // A part of a write may fit where all of it does not.
        let fits = state.check_space(self.id, offset + done as u64).is_ok();
        if fits {
            state.nodes[self.id].write(&bytes[..done], offset);
        }
        error.map_or(Ok(()), Err)
    }

    fn set_size(&self, bytes: u64) -> io::Result<()> {
        let mut state = self.disk.lock();
        state.reach_whole()?;
        state.nodes[self.id].resize(bytes);
        Ok(())
    }

    fn allocate(&self, bytes: u64) -> io::Result<()> {
        let mut state = self.disk.lock();
        state.reach_whole()?;
        state.check_space(self.id, bytes)?;
        let bytes = bytes.max(state.nodes[self.id].contents().len() as u64);
        state.nodes[self.id].resize(bytes);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.disk.lock();
        state.live()?;
        let reached = state.reach_whole();
        let State {
            nodes, random, dead, ..
        } = &mut *state;
        match reached {
            Ok(()) => nodes[self.id].sync(),
            // A process that dies meanwhile leaves the kernel what was to be written.
            Err(_) if *dead => {}
            Err(_) => nodes[self.id].fail_sync(random),
        }
        reached
    }

    fn sync_all(&self) -> io::Result<()> {
        self.sync_data()
    }
}

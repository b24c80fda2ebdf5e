//! The file system as the spool uses it: a few operations, so that the tests can put a simulated one in its place.

use std::fmt::Debug;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, FlockOperation};
use rustix::io::Errno;

#[cfg(test)]
pub(crate) mod simulated;

/// Records may hold private data.
const DIRECTORY_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// Something in a directory.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) path: PathBuf,
    pub(crate) is_dir: bool,
    /// Of a file. Bytes.
    pub(crate) bytes: u64,
}

/// A file system. Names last once the directory is synced, contents once the file is.
pub(crate) trait Disk: Debug + Send + Sync {
    /// Makes one directory.
    fn make_dir(&self, path: &Path) -> io::Result<()>;
    /// Removes an empty directory.
    fn remove_dir(&self, path: &Path) -> io::Result<()>;
    /// Makes creations, renames and removals in a directory durable.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;
    fn list(&self, path: &Path) -> io::Result<Vec<Entry>>;
    fn exists(&self, path: &Path) -> bool;
    /// Opens a file for reading and writing; makes an empty one when there is none.
    fn open_or_create(&self, path: &Path) -> io::Result<Handle>;
    /// Opens a file that is there for reading and writing.
    fn open(&self, path: &Path) -> io::Result<Handle>;
    /// Opens a file that is there for reading.
    fn open_to_read(&self, path: &Path) -> io::Result<Handle>;
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    fn remove(&self, path: &Path) -> io::Result<()>;
}

/// An open file.
pub(crate) trait DiskFile: Debug + Send {
    /// Locks it against other openers until it is dropped, however the process ends. False: another has it.
    fn lock(&self) -> io::Result<bool>;
    /// Its size. Bytes.
    fn size(&self) -> io::Result<u64>;
    /// Reads from an offset and says how much; less than asked for is no sign of the end, nothing is.
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize>;
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    fn set_size(&self, bytes: u64) -> io::Result<()>;
    /// Extends it to `bytes` of reserved space that reads as zeros.
    fn allocate(&self, bytes: u64) -> io::Result<()>;
    /// Makes contents durable, and of the metadata what is needed to read them.
    fn sync_data(&self) -> io::Result<()>;
    /// Makes contents and metadata durable.
    fn sync_all(&self) -> io::Result<()>;
}

/// An open file of any file system.
pub(crate) type Handle = Box<dyn DiskFile>;

/// The system's.
#[derive(Debug)]
pub(crate) struct System;

impl Disk for System {
    fn make_dir(&self, path: &Path) -> io::Result<()> {
        DirBuilder::new().mode(DIRECTORY_MODE).create(path)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        fs::read_dir(path)?
            .map(|entry| {
                let entry = entry?;
                let metadata = entry.metadata()?;
                Ok(Entry {
                    path: entry.path(),
                    is_dir: metadata.is_dir(),
                    bytes: metadata.len(),
                })
            })
            .collect()
    }

    fn exists(&self, path: &Path) -> bool {
        path.exists()
    }

    fn open_or_create(&self, path: &Path) -> io::Result<Handle> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        boxed(options.mode(FILE_MODE).open(path))
    }

    fn open(&self, path: &Path) -> io::Result<Handle> {
        boxed(OpenOptions::new().read(true).write(true).open(path))
    }

    fn open_to_read(&self, path: &Path) -> io::Result<Handle> {
        boxed(File::open(path))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }
}

fn boxed(file: io::Result<File>) -> io::Result<Handle> {
    Ok(Box::new(file?))
}

impl DiskFile for File {
    fn lock(&self) -> io::Result<bool> {
        match rustix::fs::flock(self, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(true),
            Err(Errno::WOULDBLOCK) => Ok(false),
            Err(errno) => Err(errno.into()),
        }
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        FileExt::read_at(self, bytes, offset)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        FileExt::write_all_at(self, bytes, offset)
    }

    fn set_size(&self, bytes: u64) -> io::Result<()> {
        self.set_len(bytes)
    }

    /// File systems that cannot reserve space go without.
    fn allocate(&self, bytes: u64) -> io::Result<()> {
        match rustix::fs::fallocate(self, FallocateFlags::empty(), 0, bytes) {
            Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    fn sync_data(&self) -> io::Result<()> {
        Self::sync_data(self)
    }

    fn sync_all(&self) -> io::Result<()> {
        Self::sync_all(self)
    }
}

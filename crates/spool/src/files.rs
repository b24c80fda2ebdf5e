//! System calls on the spool's directory, each with the path in its error.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, FlockOperation};
use rustix::io::Errno;

use crate::SpoolError;
use crate::format::MAX_SEQ;

const LOCK: &str = "lock";
const SEGMENT_PREFIX: &str = "segment-";
/// A file that is being made; it gets its name when it is whole and synced.
const UNFINISHED_SUFFIX: &str = ".new";
/// Records may hold private data.
const DIRECTORY_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// The spool's directory, locked for as long as this lives.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
    handle: File,
    /// Holds the lock; the kernel gives it back when the process dies, however it dies.
    _lock: File,
}

/// A file that was found, and the sequence in its name.
#[derive(Debug, Clone)]
pub(crate) struct SegmentFile {
    pub(crate) first_seq: u64,
    pub(crate) path: PathBuf,
}

impl Directory {
    /// Makes the directory when there is none, and locks it.
    pub(crate) fn open(path: &Path) -> Result<Self, SpoolError> {
        make_directory(path)?;
        let handle = File::open(path).map_err(failed("open directory", path))?;
        let lock_path = path.join(LOCK);
        let lock = options().open(&lock_path).map_err(failed("open", &lock_path))?;
        match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self {
                path: path.to_owned(),
                handle,
                _lock: lock,
            }),
            Err(Errno::WOULDBLOCK) => Err(SpoolError::Locked { dir: path.to_owned() }),
            Err(errno) => Err(failed("lock", &lock_path)(errno.into())),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn segment_path(&self, first_seq: u64) -> PathBuf {
        self.path.join(format!("{SEGMENT_PREFIX}{first_seq:020}"))
    }

    /// The segments by sequence.
    pub(crate) fn segments(&self) -> Result<Vec<SegmentFile>, SpoolError> {
        let mut found: Vec<_> = self
            .entries()?
            .into_iter()
            .filter_map(|path| {
                let first_seq = segment_seq(path.file_name()?.to_str()?)?;
                Some(SegmentFile { first_seq, path })
            })
            .collect();
        found.sort_by_key(|segment| segment.first_seq);
        Ok(found)
    }

    /// Removes what an interrupted creation has left.
    pub(crate) fn remove_unfinished(&self) -> Result<(), SpoolError> {
        let unfinished = |path: &PathBuf| {
            path.file_name()
                .and_then(|name| name.to_str())
                .is_some_and(|name| name.ends_with(UNFINISHED_SUFFIX))
        };
        for path in self.entries()?.iter().filter(|path| unfinished(path)) {
            remove(path)?;
        }
        Ok(())
    }

    fn entries(&self) -> Result<Vec<PathBuf>, SpoolError> {
        fs::read_dir(&self.path)
            .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect())
            .map_err(failed("list", &self.path))
    }

    /// The first `limit` bytes of a file; `None` when it does not exist or the disk cannot read it.
    pub(crate) fn read(&self, name: &str, limit: usize) -> Result<Option<Vec<u8>>, SpoolError> {
        let path = self.path.join(name);
        let mut bytes = Vec::new();
        let read = File::open(&path).and_then(|file| file.take(limit as u64).read_to_end(&mut bytes));
        match read {
            Ok(_) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound || is_media_error(&error) => Ok(None),
            Err(error) => Err(failed("read", &path)(error)),
        }
    }

    /// Makes a file with these bytes and room for `reserve` in all, or none: whatever happens, `path` holds either what
    /// it held or the whole new file.
    pub(crate) fn create(&self, path: &Path, bytes: &[u8], reserve: u64) -> Result<File, SpoolError> {
        let mut unfinished = path.as_os_str().to_owned();
        unfinished.push(UNFINISHED_SUFFIX);
        let unfinished = PathBuf::from(unfinished);
        checkpoint(Call::Create(path)).map_err(failed("create", path))?;
        let made = create_unfinished(&unfinished, bytes, reserve).and_then(|file| {
            fs::rename(&unfinished, path).map_err(failed("rename", &unfinished))?;
            self.sync()?;
            Ok(file)
        });
        if made.is_err() && fs::remove_file(&unfinished).is_err() {
            // Not there, or the next opening removes it.
        }
        made
    }

    /// Makes creations, renames and deletions durable.
    pub(crate) fn sync(&self) -> Result<(), SpoolError> {
        checkpoint(Call::SyncDirectory)
            .and_then(|()| self.handle.sync_all())
            .map_err(failed("sync", &self.path))
    }

    /// Moves files into a new sub-directory `damaged-N` and says where that is.
    pub(crate) fn move_aside(&self, files: &[PathBuf]) -> Result<PathBuf, SpoolError> {
        let mut number = 1_u32;
        let aside = loop {
            let aside = self.path.join(format!("damaged-{number}"));
            match DirBuilder::new().mode(DIRECTORY_MODE).create(&aside) {
                Ok(()) => break aside,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
                Err(error) => return Err(failed("create directory", &aside)(error)),
            }
        };
        for file in files {
            if let Some(name) = file.file_name() {
                fs::rename(file, aside.join(name)).map_err(failed("move aside", file))?;
            }
        }
        File::open(&aside)
            .and_then(|handle| handle.sync_all())
            .map_err(failed("sync", &aside))?;
        self.sync()?;
        Ok(aside)
    }

    /// Moves everything but the lock and what was moved aside before.
    pub(crate) fn move_all_aside(&self) -> Result<PathBuf, SpoolError> {
        let mut files = self.entries()?;
        files.retain(|path| path.is_file() && path.file_name().is_some_and(|name| name != LOCK));
        self.move_aside(&files)
    }
}

/// Makes a directory, and makes its own entry and those of the directories above it durable.
fn make_directory(path: &Path) -> Result<(), SpoolError> {
    let absolute = std::path::absolute(path).map_err(failed("find", path))?;
    let missing: Vec<_> = absolute.ancestors().take_while(|above| !above.exists()).collect();
    DirBuilder::new()
        .recursive(true)
        .mode(DIRECTORY_MODE)
        .create(path)
        .map_err(failed("create directory", path))?;
    for parent in missing.iter().filter_map(|made| made.parent()) {
        File::open(parent)
            .and_then(|handle| handle.sync_all())
            .map_err(failed("sync", parent))?;
    }
    Ok(())
}

fn create_unfinished(path: &Path, bytes: &[u8], reserve: u64) -> Result<File, SpoolError> {
    let mut file = options()
        .truncate(true)
        .open(path)
        .map_err(failed("create", path))?;
    file.write_all(bytes).map_err(failed("write", path))?;
    preallocate(&file, reserve).map_err(failed("preallocate", path))?;
    file.sync_all().map_err(failed("sync", path))?;
    Ok(file)
}

/// Extends a file to `bytes` of reserved space that reads as zeros, so that later writes change neither its size nor
/// the file system's free space: their fdatasync is cheaper and a full disk shows here. File systems that cannot do it
/// go without.
pub(crate) fn preallocate(file: &File, bytes: u64) -> io::Result<()> {
    if bytes == 0 {
        return Ok(());
    }
    match rustix::fs::fallocate(file, FallocateFlags::empty(), 0, bytes) {
        Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

pub(crate) fn remove(path: &Path) -> Result<(), SpoolError> {
    match checkpoint(Call::Remove(path)).and_then(|()| fs::remove_file(path)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("remove", path)(error)),
        _ => Ok(()),
    }
}

pub(crate) fn open_file(path: &Path) -> Result<File, SpoolError> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .map_err(failed("open", path))
}

/// Writes at an offset and makes it durable.
pub(crate) fn write_durably(file: &File, path: &Path, bytes: &[u8], offset: u64) -> Result<(), SpoolError> {
    write(file, path, bytes, offset)?;
    sync_data(file, path)
}

pub(crate) fn write(file: &File, path: &Path, bytes: &[u8], offset: u64) -> Result<(), SpoolError> {
    checkpoint(Call::Write {
        file,
        path,
        bytes,
        offset,
    })
    .and_then(|()| file.write_all_at(bytes, offset))
    .map_err(failed("write", path))
}

pub(crate) fn sync_data(file: &File, path: &Path) -> Result<(), SpoolError> {
    checkpoint(Call::SyncData(path))
        .and_then(|()| file.sync_data())
        .map_err(failed("sync", path))
}

pub(crate) fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> SpoolError {
    move |source| SpoolError::Io {
        action,
        path: path.to_owned(),
        source,
    }
}

/// True when the disk, not the program, is the reason that bytes cannot be read.
pub(crate) fn is_media_error(error: &io::Error) -> bool {
    // EUCLEAN is what ext4, XFS and btrfs answer for a bad checksum of their own.
    let media = [Errno::IO, Errno::UCLEAN, Errno::ILSEQ];
    error
        .raw_os_error()
        .is_some_and(|code| media.iter().any(|errno| errno.raw_os_error() == code))
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(FILE_MODE);
    options
}

fn segment_seq(name: &str) -> Option<u64> {
    let digits = name.strip_prefix(SEGMENT_PREFIX)?;
    let seq = digits.parse().ok()?;
    (digits.len() == 20 && (1..=MAX_SEQ).contains(&seq)).then_some(seq)
}

/// The calls that tests make fail, or die in.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "only the tests look at what is called")
)]
pub(crate) enum Call<'c> {
    Create(&'c Path),
    Read(usize),
    Write {
        file: &'c File,
        path: &'c Path,
        bytes: &'c [u8],
        offset: u64,
    },
    SyncData(&'c Path),
    SyncDirectory,
    Remove(&'c Path),
}

/// Stands before each of them.
#[cfg(not(test))]
#[expect(clippy::unnecessary_wraps, reason = "the tests' version fails")]
#[inline]
pub(crate) fn checkpoint(_call: Call<'_>) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
pub(crate) use fault::checkpoint;

#[cfg(test)]
pub(crate) mod fault;

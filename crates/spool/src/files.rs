//! The spool's directory and its files, each operation with the path in its error.

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::io::Errno;

use crate::SpoolError;
use crate::disk::{Disk, DiskFile, Entry, Handle};
use crate::format::MAX_SEQ;

const LOCK: &str = "lock";
const SEGMENT_PREFIX: &str = "segment-";
const ASIDE_PREFIX: &str = "damaged-";
/// A file that is being made; it gets its name when it is whole and synced.
const UNFINISHED_SUFFIX: &str = ".new";
/// Directories of files that were set aside. They are for people to look into, who need the last few.
const MAX_ASIDE: usize = 3;
/// What [`rewrite`] holds in memory.
const REWRITE_BYTES: usize = 256 << 10;

/// The spool's directory, locked for as long as this lives.
#[derive(Debug)]
pub(crate) struct Directory {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    /// Holds the lock; the kernel gives it back when the process dies, however it dies.
    _lock: Handle,
}

/// A file that was found, and the sequence in its name.
#[derive(Debug, Clone)]
pub(crate) struct SegmentFile {
    pub(crate) first_seq: u64,
    pub(crate) path: PathBuf,
}

impl Directory {
    /// Makes the directory when there is none, and locks it.
    pub(crate) fn open(disk: Arc<dyn Disk>, path: &Path) -> Result<Self, SpoolError> {
        make_directory(&*disk, path)?;
        let lock_path = path.join(LOCK);
        let lock = disk
            .open_or_create(&lock_path)
            .map_err(failed("open", &lock_path))?;
        if !lock.lock().map_err(failed("lock", &lock_path))? {
            return Err(SpoolError::Locked { dir: path.to_owned() });
        }
        Ok(Self {
            disk,
            path: path.to_owned(),
            _lock: lock,
        })
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
            .filter_map(|Entry { path, .. }| {
                let first_seq = segment_seq(path.file_name()?.to_str()?)?;
                Some(SegmentFile { first_seq, path })
            })
            .collect();
        found.sort_by_key(|segment| segment.first_seq);
        Ok(found)
    }

    /// Removes what an interrupted creation has left.
    pub(crate) fn remove_unfinished(&self) -> Result<(), SpoolError> {
        for Entry { path, .. } in self.entries()? {
            if name(&path).ends_with(UNFINISHED_SUFFIX) {
                self.remove(&path)?;
            }
        }
        Ok(())
    }

    fn entries(&self) -> Result<Vec<Entry>, SpoolError> {
        self.disk.list(&self.path).map_err(failed("list", &self.path))
    }

    /// The first `limit` bytes of a file; `None` when it does not exist or the disk cannot read it.
    pub(crate) fn read(&self, name: &str, limit: usize) -> Result<Option<Vec<u8>>, SpoolError> {
        let path = self.path.join(name);
        let mut bytes = vec![0; limit];
        let read = self
            .disk
            .open_to_read(&path)
            .and_then(|file| read_from_start(&*file, &mut bytes));
        match read {
            Ok(filled) => {
                bytes.truncate(filled);
                Ok(Some(bytes))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound || is_media_error(&error) => Ok(None),
            Err(error) => Err(failed("read", &path)(error)),
        }
    }

    pub(crate) fn exists(&self, path: &Path) -> bool {
        self.disk.exists(path)
    }

    pub(crate) fn open_file(&self, path: &Path) -> Result<Handle, SpoolError> {
        self.disk.open(path).map_err(failed("open", path))
    }

    pub(crate) fn open_to_read(&self, path: &Path) -> io::Result<Handle> {
        self.disk.open_to_read(path)
    }

    /// Makes a file with these bytes and room for `reserve` in all, or none: whatever happens, `path` holds either what
    /// it held or the whole new file.
    pub(crate) fn create(&self, path: &Path, bytes: &[u8], reserve: u64) -> Result<Handle, SpoolError> {
        let fill = |file: &dyn DiskFile, path: &Path| {
            write(file, path, bytes, 0)?;
            preallocate(file, reserve).map_err(failed("preallocate", path))
        };
        Ok(self.create_with(path, fill)?.0)
    }

    /// The same of a file that `fill` writes.
    pub(crate) fn create_with<T>(
        &self,
        path: &Path,
        fill: impl FnOnce(&dyn DiskFile, &Path) -> Result<T, SpoolError>,
    ) -> Result<(Handle, T), SpoolError> {
        let mut unfinished = path.as_os_str().to_owned();
        unfinished.push(UNFINISHED_SUFFIX);
        let unfinished = PathBuf::from(unfinished);
        let made = self.create_unfinished(&unfinished, fill).and_then(|made| {
            self.disk
                .rename(&unfinished, path)
                .map_err(failed("rename", &unfinished))?;
            self.sync()?;
            Ok(made)
        });
        if made.is_err() && self.disk.remove(&unfinished).is_err() {
            // Not there, or the next opening removes it.
        }
        made
    }

    fn create_unfinished<T>(
        &self,
        path: &Path,
        fill: impl FnOnce(&dyn DiskFile, &Path) -> Result<T, SpoolError>,
    ) -> Result<(Handle, T), SpoolError> {
        let file = self.disk.open_or_create(path).map_err(failed("create", path))?;
        file.set_size(0).map_err(failed("cut", path))?;
        let filled = fill(&*file, path)?;
        file.sync_all().map_err(failed("sync", path))?;
        Ok((file, filled))
    }

    pub(crate) fn remove(&self, path: &Path) -> Result<(), SpoolError> {
        match self.disk.remove(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("remove", path)(error)),
            _ => Ok(()),
        }
    }

    /// Makes creations, renames and deletions durable.
    pub(crate) fn sync(&self) -> Result<(), SpoolError> {
        self.disk.sync_dir(&self.path).map_err(failed("sync", &self.path))
    }

    /// Moves files into a new sub-directory `damaged-N` and says where that is.
    ///
    /// Of the directories before it the newest stay, fewer than [`MAX_ASIDE`] and together with it at most `max_bytes`.
    pub(crate) fn move_aside(&self, files: &[PathBuf], max_bytes: u64) -> Result<PathBuf, SpoolError> {
        let known = self.set_aside()?;
        let number = known.last().map_or(1, |(number, _)| number.saturating_add(1));
        let aside = self.path.join(format!("{ASIDE_PREFIX}{number}"));
        self.disk
            .make_dir(&aside)
            .map_err(failed("create directory", &aside))?;
        for file in files {
            if let Some(name) = file.file_name() {
                self.disk
                    .rename(file, &aside.join(name))
                    .map_err(failed("move aside", file))?;
            }
        }
        self.disk.sync_dir(&aside).map_err(failed("sync", &aside))?;
        self.sync()?;
        let mut bytes = self.bytes_in(&aside)?;
        let mut kept = 1;
        for (_, older) in known.iter().rev().filter(|(_, older)| older.is_dir) {
            bytes += self.bytes_in(&older.path)?;
            kept += 1;
            if kept > MAX_ASIDE || bytes > max_bytes {
                self.remove_aside(&older.path)?;
            }
        }
        Ok(aside)
    }

    /// Moves everything but the lock and what was moved aside before.
    pub(crate) fn move_all_aside(&self, max_bytes: u64) -> Result<PathBuf, SpoolError> {
        let files: Vec<_> = self
            .entries()?
            .into_iter()
            .filter(|entry| !entry.is_dir && name(&entry.path) != LOCK)
            .map(|entry| entry.path)
            .collect();
        self.move_aside(&files, max_bytes)
    }

    /// What is called `damaged-N`, by N.
    fn set_aside(&self) -> Result<Vec<(u64, Entry)>, SpoolError> {
        let number = |path: &Path| name(path).strip_prefix(ASIDE_PREFIX)?.parse::<u64>().ok();
        let mut known: Vec<_> = self
            .entries()?
            .into_iter()
            .filter_map(|entry| Some((number(&entry.path)?, entry)))
            .collect();
        known.sort_by_key(|(number, _)| *number);
        Ok(known)
    }

    fn bytes_in(&self, dir: &Path) -> Result<u64, SpoolError> {
        let entries = self.disk.list(dir).map_err(failed("list", dir))?;
        Ok(entries.iter().map(|entry| entry.bytes).sum())
    }

    /// Removes a directory that holds files. What people put into it beside them stays, and the directory with it.
    fn remove_aside(&self, dir: &Path) -> Result<(), SpoolError> {
        let entries = self.disk.list(dir).map_err(failed("list", dir))?;
        for entry in entries.iter().filter(|entry| !entry.is_dir) {
            self.remove(&entry.path)?;
        }
        match self.disk.remove_dir(dir) {
            Err(error) if error.kind() != io::ErrorKind::DirectoryNotEmpty => {
                Err(failed("remove directory", dir)(error))
            }
            _ => Ok(()),
        }
    }
}

/// Makes a directory, and makes its own entry and those of the directories above it durable.
fn make_directory(disk: &dyn Disk, path: &Path) -> Result<(), SpoolError> {
    let absolute = std::path::absolute(path).map_err(failed("find", path))?;
    let missing: Vec<_> = absolute
        .ancestors()
        .take_while(|above| !disk.exists(above))
        .collect();
    for dir in missing.into_iter().rev() {
        match disk.make_dir(dir) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(failed("create directory", dir)(error));
            }
            _ => {}
        }
        if let Some(parent) = dir.parent() {
            disk.sync_dir(parent).map_err(failed("sync", parent))?;
        }
    }
    Ok(())
}

/// Fills `bytes` from the file's beginning and says how much there was.
pub(crate) fn read_from_start(file: &dyn DiskFile, bytes: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < bytes.len() {
        match file.read_at(&mut bytes[filled..], filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Reserves space, so that later writes change neither the file's size nor the file system's free space: their
/// fdatasync is cheaper and a full disk shows here.
pub(crate) fn preallocate(file: &dyn DiskFile, bytes: u64) -> io::Result<()> {
    if bytes == 0 { Ok(()) } else { file.allocate(bytes) }
}

/// Writes at an offset and makes it durable.
pub(crate) fn write_durably(
    file: &dyn DiskFile,
    path: &Path,
    bytes: &[u8],
    offset: u64,
) -> Result<(), SpoolError> {
    write(file, path, bytes, offset)?;
    sync_data(file, path)
}

pub(crate) fn write(file: &dyn DiskFile, path: &Path, bytes: &[u8], offset: u64) -> Result<(), SpoolError> {
    file.write_all_at(bytes, offset).map_err(failed("write", path))
}

/// Writes what a part of a file holds once more, so that the next sync takes it to the disk whatever the kernel believes.
pub(crate) fn rewrite(file: &dyn DiskFile, path: &Path, part: Range<u64>) -> Result<(), SpoolError> {
    let mut buffer = Vec::new();
    let mut at = part.start;
    while at < part.end {
        let left = usize::try_from(part.end - at).unwrap_or(usize::MAX);
        buffer.resize(left.min(REWRITE_BYTES), 0);
        let read = file.read_at(&mut buffer, at).map_err(failed("read", path))?;
        if read == 0 {
            break;
        }
        write(file, path, &buffer[..read], at)?;
        at += read as u64;
    }
    Ok(())
}

pub(crate) fn sync_data(file: &dyn DiskFile, path: &Path) -> Result<(), SpoolError> {
    file.sync_data().map_err(failed("sync", path))
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

fn name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or("")
}

fn segment_seq(name: &str) -> Option<u64> {
    let digits = name.strip_prefix(SEGMENT_PREFIX)?;
    let seq = digits.parse().ok()?;
    (digits.len() == 20 && (1..=MAX_SEQ).contains(&seq)).then_some(seq)
}

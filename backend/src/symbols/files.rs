//! The folder: `incoming/UUID` while a file comes, then `ab/abcdef...`, its SHA-256.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use ring::digest::{Context, SHA256};
use tokio::{
    fs::{self, File},
    io::AsyncWriteExt as _,
};
use uuid::Uuid;

use super::SymbolsError;
use crate::text::hex_digits;

const INCOMING: &str = "incoming";
/// What is older than this in there nobody writes any more.
const LEFT: Duration = Duration::from_hours(24);

/// Debug files by the SHA-256 of their bytes.
#[derive(Debug)]
pub(super) struct Files {
    dir: PathBuf,
}

/// A file that comes. Its bytes are removed when this value is dropped before it was kept.
pub(super) struct Incoming {
    path: PathBuf,
    file: File,
    sum: Context,
    bytes: u64,
}

impl Files {
    pub(super) async fn open(dir: PathBuf) -> Result<Self, SymbolsError> {
        let incoming = dir.join(INCOMING);
        fs::create_dir_all(&incoming)
            .await
            .map_err(failed("create", &incoming))?;
        let files = Self { dir };
        files.forget_left(&incoming).await?;
        Ok(files)
    }

    /// Another collector may be writing there.
    async fn forget_left(&self, incoming: &Path) -> Result<(), SymbolsError> {
        let mut entries = fs::read_dir(incoming).await.map_err(failed("list", incoming))?;
        while let Some(entry) = entries.next_entry().await.map_err(failed("list", incoming))? {
            let written = entry.metadata().await.and_then(|data| data.modified());
            let age = written.ok().and_then(|time| time.elapsed().ok());
            if age.is_some_and(|age| age > LEFT) {
                let path = entry.path();
                fs::remove_file(&path).await.map_err(failed("remove", &path))?;
            }
        }
        Ok(())
    }

    /// Where a file is.
    pub(super) fn path(&self, sha256: &[u8]) -> PathBuf {
        let name = hex_digits(sha256);
        let folder = name.get(..2).unwrap_or_default().to_owned();
        self.dir.join(folder).join(name)
    }

    /// Begins a file.
    pub(super) async fn begin(&self) -> Result<Incoming, SymbolsError> {
        let path = self.dir.join(INCOMING).join(Uuid::new_v4().to_string());
        let file = File::create_new(&path).await.map_err(failed("create", &path))?;
        Ok(Incoming {
            path,
            file,
            sum: Context::new(&SHA256),
            bytes: 0,
        })
    }

    /// Puts a whole file in its place, for good.
    pub(super) async fn keep(&self, incoming: &Incoming, sha256: &[u8]) -> Result<(), SymbolsError> {
        let path = self.path(sha256);
        let folder = path.parent().unwrap_or(&self.dir);
        fs::create_dir_all(folder)
            .await
            .map_err(failed("create", folder))?;
        fs::rename(&incoming.path, &path)
            .await
            .map_err(failed("rename to", &path))?;
        for folder in [folder, &self.dir] {
            let synced = async { File::open(folder).await?.sync_all().await };
            synced.await.map_err(failed("sync", folder))?;
        }
        Ok(())
    }
}

impl Incoming {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes that have come.
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) async fn write(&mut self, piece: &[u8]) -> Result<(), SymbolsError> {
        self.sum.update(piece);
        self.bytes += piece.len() as u64;
        self.file
            .write_all(piece)
            .await
            .map_err(failed("write", &self.path))
    }

    /// Brings it to the disk and says its SHA-256.
    pub(super) async fn finish(&mut self) -> Result<[u8; 32], SymbolsError> {
        let synced = async {
            self.file.flush().await?;
            self.file.sync_all().await
        };
        synced.await.map_err(failed("sync", &self.path))?;
        let sum = self.sum.clone().finish();
        // Invariant: SHA-256 has 32 bytes.
        Ok(sum.as_ref().try_into().unwrap_or_default())
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        // It is not there any more when it was kept.
        std::fs::remove_file(&self.path).ok();
    }
}

fn failed<'path>(
    what: &'static str,
    path: &'path Path,
) -> impl FnOnce(io::Error) -> SymbolsError + use<'path> {
    move |source| SymbolsError::Folder {
        what,
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(dir: &Path) -> usize {
        std::fs::read_dir(dir.join(INCOMING)).unwrap().count()
    }

    #[tokio::test]
    async fn a_file_is_kept_under_its_sum_and_what_was_cut_off_goes() {
        let dir = tempfile::tempdir().unwrap();
        let files = Files::open(dir.path().to_owned()).await.unwrap();
        let mut incoming = files.begin().await.unwrap();
        incoming.write(b"ab").await.unwrap();
        incoming.write(b"c").await.unwrap();
        let sum = incoming.finish().await.unwrap();
        files.keep(&incoming, &sum).await.unwrap();
        drop(incoming);
        let path = files.path(&sum);
        // FIPS 180-2, appendix B.1.
        assert!(path.ends_with("ba/ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
        assert_eq!(std::fs::read(path).unwrap(), b"abc");

        let mut cut_off = files.begin().await.unwrap();
        cut_off.write(b"x").await.unwrap();
        assert_eq!(count(dir.path()), 1);
        drop(cut_off);
        assert_eq!(count(dir.path()), 0);
    }

    #[tokio::test]
    async fn what_a_killed_collector_left_goes_after_a_day() {
        let dir = tempfile::tempdir().unwrap();
        let files = Files::open(dir.path().to_owned()).await.unwrap();
        std::mem::forget(files.begin().await.unwrap());
        Files::open(dir.path().to_owned()).await.unwrap();
        assert_eq!(count(dir.path()), 1);
        let entry = std::fs::read_dir(dir.path().join(INCOMING)).unwrap().next();
        let file = std::fs::File::options()
            .write(true)
            .open(entry.unwrap().unwrap().path())
            .unwrap();
        file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
        Files::open(dir.path().to_owned()).await.unwrap();
        assert_eq!(count(dir.path()), 0);
    }
}

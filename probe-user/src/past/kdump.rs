//! The log of a kernel that kdump saved: `/var/crash/*/vmcore-dmesg.txt` and its likes.
//!
//! The kernel that is booted to save the memory of the one that died also writes its log, as text, beside it. The names:
//! `vmcore-dmesg.txt` (makedumpfile's in Fedora and its kin), `dmesg.txt` (SUSE), `dmesg.DATE` (kdump-tools of Debian and
//! Ubuntu). The folders belong to kdump: nothing in them is changed.
//!
//! Where apport is, every user may write to `/var/crash`. So only what belongs to the owner of that folder is taken for
//! kdump's: everything else would be anybody's word about the kernel, or anybody's choice of a file for root to read.

use std::cmp::Reverse;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::fs::OFlags;

use crate::pstore::{Dump, DumpReason, Found, Origin, Unreadable, unix_ns};

/// The most entries of the folder that are looked at, whosever they are.
const MAX_ENTRIES: usize = 1 << 16;
/// The most folders that are looked into.
const MAX_FOLDERS: usize = 256;
/// The most logs that are read: the newest.
const MAX_LOGS: usize = 8;
/// The most bytes of one log that are read, from its end.
const MAX_BYTES: u64 = 2 << 20;

/// The logs that are there, oldest first. A folder that is missing holds none.
pub(super) fn read(crash: &Path) -> io::Result<Found> {
    let mut found = Found::default();
    let folders = match fs::read_dir(crash) {
        Ok(folders) => folders,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
        Err(error) => return Err(error),
    };
    let owner = fs::metadata(crash)?.uid();
    let mut logs: Vec<_> = folders
        .take(MAX_ENTRIES)
        .flatten()
        .filter(|entry| {
            entry
                .metadata()
                .is_ok_and(|folder| folder.is_dir() && folder.uid() == owner)
        })
        .take(MAX_FOLDERS)
        .filter_map(|entry| log_in(&entry.path()))
        .collect();
    logs.sort_by_key(|(written, _)| Reverse(*written));
    logs.truncate(MAX_LOGS);
    for (written, path) in logs.into_iter().rev() {
        match dump(&path, written, owner) {
            Ok(dump) => found.dumps.push(dump),
            Err(error) => found.unreadable.push(Unreadable {
                path,
                reason: error.to_string(),
            }),
        }
    }
    Ok(found)
}

fn log_in(folder: &Path) -> Option<(SystemTime, PathBuf)> {
    let entry = fs::read_dir(folder)
        .ok()?
        .flatten()
        .take(MAX_FOLDERS)
        .find(|entry| is_log(&entry.file_name().to_string_lossy()))?;
    Some((entry.metadata().ok()?.modified().ok()?, entry.path()))
}

fn is_log(name: &str) -> bool {
    let dated = name
        .strip_prefix("dmesg.")
        .is_some_and(|date| date.bytes().all(|byte| byte.is_ascii_digit()));
    dated || matches!(name, "vmcore-dmesg.txt" | "dmesg.txt")
}

fn dump(path: &Path, written: SystemTime, owner: u32) -> io::Result<Dump> {
    let bytes = super::read_end(open(path, owner)?, MAX_BYTES)?;
    Ok(Dump {
        origin: Origin::Kdump,
        // The kernel for dumps is only ever started by a crash.
        reason: DumpReason::Panic,
        number: None,
        text: String::from_utf8_lossy(&bytes).into_owned(),
        written_unix_ns: unix_ns(written),
        files: vec![path.to_owned()],
    })
}

/// Opens a regular file of that owner; is led nowhere by a link and waits for no pipe.
fn open(path: &Path, owner: u32) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() || metadata.uid() != owner {
        return Err(io::Error::other(
            "it is no file of the folder's owner: anybody may have made it",
        ));
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{chown, symlink};

    use super::*;

    #[test]
    fn the_logs_of_all_distributions_are_found_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(read(&dir.path().join("missing")).unwrap(), Found::default());
        for (folder, file) in [
            ("127.0.0.1-2026-11-01-09:00:00", "vmcore-dmesg.txt"),
            ("202611020900", "dmesg.202611020900"),
            ("2026-11-03-09:00", "dmesg.txt"),
            ("202611040900", "vmcore"),
            ("202611050900", "dmesg.old"),
        ] {
            let folder = dir.path().join(folder);
            fs::create_dir(&folder).unwrap();
            fs::write(folder.join(file), file).unwrap();
        }
        fs::write(dir.path().join("_usr_bin_x.0.crash"), "apport's").unwrap();
        let mut texts: Vec<_> = read(dir.path())
            .unwrap()
            .dumps
            .into_iter()
            .map(|dump| dump.text)
            .collect();
        texts.sort();
        assert_eq!(texts, ["dmesg.202611020900", "dmesg.txt", "vmcore-dmesg.txt"]);
    }

    #[test]
    fn a_log_that_is_none_is_told_and_hides_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let secret = dir.path().join("secret");
        fs::write(&secret, "secret").unwrap();
        for folder in ["link", "pipe", "log"] {
            fs::create_dir(dir.path().join(folder)).unwrap();
        }
        symlink(&secret, dir.path().join("link/dmesg.txt")).unwrap();
        let pipe = dir.path().join("pipe/dmesg.txt");
        rustix::fs::mkfifoat(rustix::fs::CWD, pipe, rustix::fs::Mode::RUSR).unwrap();
        fs::write(dir.path().join("log/dmesg.txt"), "log").unwrap();
        let found = read(dir.path()).unwrap();
        let texts: Vec<_> = found.dumps.iter().map(|dump| &*dump.text).collect();
        assert_eq!(texts, ["log"]);
        assert_eq!(found.unreadable.len(), 2);
    }

    #[test]
    fn what_another_user_put_there_is_not_the_kernels_word() {
        let dir = tempfile::tempdir().unwrap();
        let stranger = Some(65_534);
        for (folder, whose_folder, whose_log) in [
            ("own", None, None),
            ("folder", stranger, None),
            ("log", None, stranger),
        ] {
            let folder = dir.path().join(folder);
            fs::create_dir(&folder).unwrap();
            let log = folder.join("dmesg.txt");
            fs::write(&log, "BUG: nothing is wrong").unwrap();
            if chown(&log, whose_log, None)
                .and_then(|()| chown(&folder, whose_folder, None))
                .is_err()
            {
                return testing::skip(
                    "what_another_user_put_there_is_not_the_kernels_word",
                    "needs root",
                );
            }
        }
        let found = read(dir.path()).unwrap();
        assert_eq!(found.dumps.len(), 1);
        assert!(found.dumps[0].files[0].starts_with(dir.path().join("own")));
        assert_eq!(found.unreadable.len(), 1);
    }

    #[test]
    fn only_the_newest_logs_are_read_and_only_the_end_of_a_long_one() {
        let dir = tempfile::tempdir().unwrap();
        for day in 0..MAX_LOGS + 2 {
            let folder = dir.path().join(day.to_string());
            fs::create_dir(&folder).unwrap();
            let path = folder.join("dmesg.txt");
            let mut text = vec![b'\n'; usize::try_from(MAX_BYTES).unwrap()];
            text.extend_from_slice(day.to_string().as_bytes());
            fs::write(&path, text).unwrap();
            let time = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(day as u64);
            fs::File::options()
                .write(true)
                .open(&path)
                .unwrap()
                .set_modified(time)
                .unwrap();
        }
        let dumps = read(dir.path()).unwrap().dumps;
        assert_eq!(dumps.len(), MAX_LOGS);
        assert_eq!(dumps[0].text.trim(), "2");
        assert_eq!(dumps[0].text.len() as u64, MAX_BYTES);
    }
}

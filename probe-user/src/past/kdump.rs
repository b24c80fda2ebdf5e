//! The log of a kernel that kdump saved: `/var/crash/*/vmcore-dmesg.txt` and its likes.
//!
//! The kernel that is booted to save the memory of the one that died also writes its log, as text, beside it. The names:
//! `vmcore-dmesg.txt` (makedumpfile's in Fedora and its kin), `dmesg.txt` (SUSE), `dmesg.DATE` (kdump-tools of Debian and
//! Ubuntu). The folders belong to kdump: nothing in them is changed.

use std::cmp::Reverse;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::pstore::{Dump, DumpReason, Origin, unix_ns};

/// The most folders that are looked at.
const MAX_FOLDERS: usize = 256;
/// The most logs that are read: the newest.
const MAX_LOGS: usize = 8;
/// The most bytes of one log that are read, from its end.
const MAX_BYTES: u64 = 2 << 20;

/// The logs that are there, oldest first. A folder that is missing holds none.
pub(super) fn read(crash: &Path) -> io::Result<Vec<Dump>> {
    let folders = match fs::read_dir(crash) {
        Ok(folders) => folders,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut logs: Vec<_> = folders
        .flatten()
        .take(MAX_FOLDERS)
        .filter_map(|entry| log_in(&entry.path()))
        .collect();
    logs.sort_by_key(|(written, _)| Reverse(*written));
    logs.truncate(MAX_LOGS);
    logs.reverse();
    logs.into_iter()
        .map(|(written, path)| dump(path, written))
        .collect()
}

fn log_in(folder: &Path) -> Option<(SystemTime, PathBuf)> {
    let entry = fs::read_dir(folder)
        .ok()?
        .flatten()
        .take(MAX_FOLDERS)
        .find(|entry| is_log(&entry.file_name().to_string_lossy()))?;
    let metadata = entry.metadata().ok().filter(fs::Metadata::is_file)?;
    Some((metadata.modified().ok()?, entry.path()))
}

fn is_log(name: &str) -> bool {
    let dated = name
        .strip_prefix("dmesg.")
        .is_some_and(|date| date.bytes().all(|byte| byte.is_ascii_digit()));
    dated || matches!(name, "vmcore-dmesg.txt" | "dmesg.txt")
}

fn dump(path: PathBuf, written: SystemTime) -> io::Result<Dump> {
    let bytes = super::read_end(&path, MAX_BYTES)?;
    Ok(Dump {
        origin: Origin::Kdump,
        // The kernel for dumps is only ever started by a crash.
        reason: DumpReason::Panic,
        number: None,
        text: String::from_utf8_lossy(&bytes).into_owned(),
        written_unix_ns: unix_ns(written),
        files: vec![path],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_logs_of_all_distributions_are_found_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(read(&dir.path().join("missing")).unwrap(), []);
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
            .into_iter()
            .map(|dump| dump.text)
            .collect();
        texts.sort();
        assert_eq!(texts, ["dmesg.202611020900", "dmesg.txt", "vmcore-dmesg.txt"]);
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
        let dumps = read(dir.path()).unwrap();
        assert_eq!(dumps.len(), MAX_LOGS);
        assert_eq!(dumps[0].text.trim(), "2");
        assert_eq!(dumps[0].text.len() as u64, MAX_BYTES);
    }
}

//! Folders that programs drop records into, a file each, as swupd-client and Clear Linux's Python do.
//!
//! A file's name is `VERSION.CLASS.SEVERITY.RANDOM`: the version of the payload's format, the last part of the
//! classification, 1 to 4, and what makes it unique. Its content is the payload. Whoever sends it removes it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use proto::limits::CUSTOM_PAYLOAD_BYTES;
use rustix::fs::OFlags;

use crate::text::cut;

mod watch;

pub use watch::watch;

/// Entries of a folder that are looked at, whatever they are.
const ENTRIES: usize = 1 << 16;
/// Records that are taken in one go; the rest is for the next.
const RECORDS: usize = 1000;

/// A record in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dropped {
    /// The file.
    pub path: PathBuf,
    /// Version of the payload's format.
    pub payload_version: u32,
    /// REST of the classification.
    pub class: String,
    /// 1 to 4.
    pub severity: u8,
}

/// The records in a folder that are `wanted`, by name. Files of other names are left alone, and keep none from being found.
pub fn list(dir: &Path, wanted: impl Fn(&Path) -> bool) -> io::Result<Vec<Dropped>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)?.take(ENTRIES) {
        let path = entry?.path();
        if wanted(&path) {
            found.extend(Dropped::of_path(path));
        }
        if found.len() == RECORDS {
            break;
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

impl Dropped {
    fn of_path(path: PathBuf) -> Option<Self> {
        let mut parts = path.file_name()?.to_str()?.split('.');
        let payload_version = parts.next()?.parse().ok()?;
        let class = parts.next().filter(|class| !class.is_empty())?.to_owned();
        let severity = parts
            .next()?
            .parse()
            .ok()
            .filter(|severity| (1..=4).contains(severity))?;
        // The random part; there is no other.
        parts.next().filter(|random| !random.is_empty())?;
        if parts.next().is_some() {
            return None;
        }
        Some(Self {
            path,
            payload_version,
            class,
            severity,
        })
    }

    /// The payload, cut at its limit; what is not text is replaced. A link or anything that is no file is an error.
    pub fn payload(&self) -> io::Result<String> {
        // A file that is a pipe by now must not be waited for.
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let file: File = OpenOptions::new()
            .read(true)
            .custom_flags(flags.bits().cast_signed())
            .open(&self.path)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("not a regular file"));
        }
        let mut bytes = Vec::new();
        file.take(CUSTOM_PAYLOAD_BYTES as u64).read_to_end(&mut bytes)?;
        let text = String::from_utf8_lossy(&bytes).replace('\0', "\u{fffd}");
        Ok(cut(&text, CUSTOM_PAYLOAD_BYTES).to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_told_from_other_files_by_their_names() {
        let dir = tempfile::tempdir().unwrap();
        for name in [
            "2.update.1.a1B2c3",
            "1.TypeError.4.x",
            ".hidden",
            "2.update.1",
            "2.update.5.x",
            "2..1.x",
            "x.update.1.x",
            "2.update.1.x.tmp",
            "notes",
        ] {
            fs::write(dir.path().join(name), name).unwrap();
        }
        let found = list(dir.path(), |_| true).unwrap();
        let told: Vec<_> = found
            .iter()
            .map(|dropped| (dropped.payload_version, dropped.class.as_str(), dropped.severity))
            .collect();
        assert_eq!(told, [(1, "TypeError", 4), (2, "update", 1)]);
        assert_eq!(found[1].payload().unwrap(), "2.update.1.a1B2c3");
    }

    #[test]
    fn nothing_that_lies_around_hides_a_record() {
        let dir = tempfile::tempdir().unwrap();
        for number in 0..2 * RECORDS {
            fs::write(dir.path().join(format!("note {number}")), "").unwrap();
            fs::write(dir.path().join(format!("1.stuck.1.{number}")), "").unwrap();
        }
        fs::write(dir.path().join("1.update.1.x"), "").unwrap();
        let wanted = |path: &Path| !path.to_string_lossy().contains(".stuck.");
        let found = list(dir.path(), wanted).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(list(dir.path(), |_| true).unwrap().len(), RECORDS);
    }

    #[test]
    fn a_payload_is_bounded_text_of_a_regular_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("1.a.1.x");
        fs::write(&path, vec![0xff; CUSTOM_PAYLOAD_BYTES + 10]).unwrap();
        let payload = list(dir.path(), |_| true).unwrap()[0].payload().unwrap();
        assert!(payload.len() <= CUSTOM_PAYLOAD_BYTES && payload.starts_with('\u{fffd}'));
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", &path).unwrap();
        list(dir.path(), |_| true).unwrap()[0].payload().unwrap_err();
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        list(dir.path(), |_| true).unwrap()[0].payload().unwrap_err();
    }
}

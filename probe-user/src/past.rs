//! What this host keeps about earlier boots and how they ended.
//!
//! [`read`] collects all of it and judges nothing; [`clear`] frees pstore once its dumps are kept. Both need privileges;
//! their values can be handed to a process that has none.

use std::fs;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::pstore::{self, BinaryRecord, Dump, Origin, PstoreError, Unreadable};

mod copies;
pub mod journal;
mod kdump;
mod owner;
pub mod syslog;
pub mod watchdog;
pub mod wtmp;

/// Where Linux 4.14 and later show the region of the Boot Error Record Table (`drivers/acpi/sysfs.c`).
const BERT: &str = "sys/firmware/acpi/tables/data/BERT";
/// The most bytes of a BERT region that are read; firmware reserves some tens of KiB.
const BERT_BYTES: u64 = 1 << 20;

/// The most text of all dumps together, bytes: what is read is handed over in one piece. The newest are read, the rest is
/// left for the next time.
const DUMPS_BYTES: usize = 5 << 20;

/// Where things are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Places {
    /// The root of the file system.
    pub root: PathBuf,
    /// Where the kernel shows what pstore holds.
    pub pstore: PathBuf,
}

/// Everything there is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Past {
    /// Dumps of the kernel's log: pstore's, copies of them that another tool made, and kdump's.
    pub dumps: Vec<Dump>,
    /// Machine checks that pstore keeps.
    pub machine_checks: Vec<BinaryRecord>,
    /// The region of the Boot Error Record Table: what the firmware has to say of the boot before. Empty: nothing.
    pub bert: Vec<u8>,
    /// What watchdogs say of why the machine was started.
    pub watchdogs: Vec<watchdog::Watchdog>,
    /// The end of the boot before in the journal.
    pub journal: Vec<journal::Entry>,
    /// The end of the kernel's part of syslog, where there is no journal on disk.
    pub syslog: Vec<u8>,
    /// Boots and shutdowns.
    pub wtmp: Vec<wtmp::Event>,
    /// The tool that pstore belongs to on this host, which must be left to clear it.
    pub pstore_owner: Option<String>,
    /// A panic would have left a dump: pstore has a backend, or kdump is armed.
    pub keeps_dumps: bool,
    /// What is there and could not be read.
    pub unreadable: Vec<Unreadable>,
}

/// Reads everything. `previous_boot` is the id of the boot before, empty when it is not known. Takes some milliseconds,
/// and at most 5 s when the journal is slow.
pub fn read(places: &Places, previous_boot: &str) -> Past {
    let root = &places.root;
    let mut past = Past {
        pstore_owner: owner::of_pstore(root),
        watchdogs: watchdog::read(&root.join("sys/class/watchdog")),
        keeps_dumps: keeps_dumps(root),
        ..Past::default()
    };
    let mut found = past.unless_unreadable(&places.pstore, pstore::read(&places.pstore, Origin::Pstore));
    let archive = root.join("var/lib/systemd/pstore");
    let copies = past.unless_unreadable(&archive, copies::read(&archive));
    let crash = root.join("var/crash");
    let saved = past.unless_unreadable(&crash, kdump::read(&crash));
    for mut more in [copies, saved] {
        found.dumps.append(&mut more.dumps);
        found.machine_checks.append(&mut more.machine_checks);
        found.unreadable.append(&mut more.unreadable);
    }
    past.keep_newest(found.dumps);
    past.machine_checks = found.machine_checks;
    past.unreadable.append(&mut found.unreadable);
    let bert = root.join(BERT);
    past.bert = past.unless_unreadable(&bert, read_some(&bert, BERT_BYTES));
    let wtmp = root.join("var/log/wtmp");
    past.wtmp = past.unless_unreadable(&wtmp, wtmp::read(&wtmp));
    let journal = root.join("var/log/journal");
    past.journal = past.unless_unreadable(&journal, journal::read_end(&journal, previous_boot));
    if past.journal.is_empty() {
        past.syslog = syslog::read_end(&root.join("var/log"));
    }
    past
}

/// Whether the firmware has left a region of errors.
pub fn has_bert(places: &Places) -> bool {
    places.root.join(BERT).exists()
}

/// Removes files of pstore. What is not right in its folder is refused.
pub fn clear(places: &Places, files: &[PathBuf]) -> Result<(), PstoreError> {
    pstore::remove(&places.pstore, files)
}

impl Past {
    /// Takes dumps, the newest first, as long as there is room; leaves them oldest first.
    fn keep_newest(&mut self, mut dumps: Vec<Dump>) {
        dumps.sort_by_key(|dump| dump.written_unix_ns);
        let mut room = DUMPS_BYTES;
        for dump in dumps.into_iter().rev() {
            if let Some(left) = room.checked_sub(dump.text.len()) {
                room = left;
                self.dumps.push(dump);
            } else {
                let reason = "there is more than is read at once: the next start reads on".to_owned();
                let paths = dump.files.into_iter();
                self.unreadable.extend(paths.map(|path| Unreadable {
                    path,
                    reason: reason.clone(),
                }));
            }
        }
        self.dumps.reverse();
    }

    fn unless_unreadable<T: Default, E: std::error::Error>(&mut self, path: &Path, read: Result<T, E>) -> T {
        read.unwrap_or_else(|error| {
            let source = error.source().map(|source| format!(": {source}"));
            self.unreadable.push(Unreadable {
                path: path.to_owned(),
                reason: format!("{error}{}", source.unwrap_or_default()),
            });
            T::default()
        })
    }
}

/// `kernel/kexec.c` and `fs/pstore/platform.c` show both in sysfs.
fn keeps_dumps(root: &Path) -> bool {
    let backend = line(&root.join("sys/module/pstore/parameters/backend"));
    let armed = line(&root.join("sys/kernel/kexec_crash_loaded"));
    !matches!(backend.as_str(), "" | "(null)") || armed == "1"
}

/// At most `limit` bytes of a file; none when it is missing.
fn read_some(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let file = match fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    file.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The last `limit` bytes of a file.
pub(crate) fn read_end(mut file: fs::File, limit: u64) -> io::Result<Vec<u8>> {
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(limit)))?;
    let mut bytes = Vec::new();
    file.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The first line of a small file, trimmed; empty when it cannot be read.
fn line(path: &Path) -> String {
    let bytes = read_some(path, 4096).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    text.lines().next().unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests;

//! Consent: nothing is recorded unless the opt-in file exists.

use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use crate::durable;

/// Files and folders of the state directory that hold data about the host; opting out deletes them.
const STATE: [&str; 23] = [
    "spool",
    crate::session::OLD_SPOOL,
    "agent_id",
    "agent_id.new",
    "boots.json",
    "boots.json.new",
    "kept.json",
    "kept.json.new",
    crate::alive::FILE,
    crate::failures::FILE,
    "failures.json.new",
    crate::updates::FILE,
    "updates.json.new",
    crate::privacy::KEY_FILE,
    "privacy_key.new",
    crate::fixes::FILE,
    "fixes.json.new",
    crate::journal::FILE,
    crate::journal::FILE_BEFORE,
    crate::ledger::FILE,
    crate::ledger::FILE_BEFORE,
    crate::enrolment::FILE,
    "enrolment.json.new",
];

/// Whether this host takes part.
#[derive(Debug, Clone)]
pub struct Consent {
    file: PathBuf,
}

impl Consent {
    /// Consent as told by the existence of `file`.
    pub fn new(file: &Path) -> Self {
        Self {
            file: file.to_owned(),
        }
    }

    /// Whether the file exists. One that cannot be looked at counts as missing: no consent is the safe side.
    pub fn given(&self) -> bool {
        self.file.exists()
    }

    /// Since when, seconds since the Unix epoch; `None`: not at all.
    pub fn since(&self) -> Option<i64> {
        std::fs::metadata(&self.file).map(|file| file.mtime()).ok()
    }

    /// The opt-in file.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Creates the opt-in file. Answers whether that changed anything.
    pub fn give(&self) -> io::Result<bool> {
        if self.given() {
            return Ok(false);
        }
        if let Some(folder) = self.file.parent() {
            std::fs::create_dir_all(folder)?;
        }
        durable::write(&self.file, b"")?;
        // Programs of any user look whether records are wanted before they make one.
        std::fs::set_permissions(&self.file, std::fs::Permissions::from_mode(0o644))?;
        Ok(true)
    }

    /// Removes the opt-in file. Answers whether that changed anything.
    pub fn withdraw(&self) -> io::Result<bool> {
        let given = self.given();
        durable::remove(&self.file)?;
        Ok(given)
    }
}

/// Deletes everything in the state directory that was recorded. The caller holds the state directory's lock.
pub fn forget(state_dir: &Path) -> io::Result<()> {
    STATE
        .iter()
        .try_for_each(|name| durable::remove(&state_dir.join(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn consent_is_given_and_withdrawn_by_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let consent = Consent::new(&dir.path().join("etc/opt-in"));
        assert!(!consent.given());
        assert!(consent.give().unwrap());
        assert!(!consent.give().unwrap());
        assert!(consent.given());
        assert!(consent.withdraw().unwrap());
        assert!(!consent.withdraw().unwrap());
        assert!(!consent.given());
    }

    #[test]
    fn forgetting_deletes_what_was_recorded_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("spool")).unwrap();
        std::fs::write(dir.path().join("spool/1"), b"x").unwrap();
        std::fs::write(dir.path().join("agent_id"), b"x").unwrap();
        std::fs::write(dir.path().join("somebody's"), b"x").unwrap();
        forget(dir.path()).unwrap();
        let left: Vec<_> = std::fs::read_dir(dir.path())
            .unwrap()
            .map(|e| e.unwrap().file_name())
            .collect();
        assert_eq!(left, ["somebody's"]);
    }
}

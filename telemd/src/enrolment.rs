//! What enrolment at a collector brought: the key and the certificate by which this host is known there.
//!
//! All of it is one file, `enrolment.json` of the state directory, which is replaced as a whole: a key never stands beside
//! a certificate of another. `telemctl enroll` makes it, [`request::renew`] replaces it at half of the certificate's life.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::durable;

pub mod request;

/// The file, in the state directory.
pub const FILE: &str = "enrolment.json";

/// A key, its certificate, and where they are good.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Enrolment {
    /// The collector, `https://HOST:PORT`.
    pub server: String,
    /// The private key, PKCS #8 in PEM. It was made here and never leaves.
    pub key: String,
    /// The certificate and those between it and its authority, PEM.
    pub certificates: String,
    /// The authority by which the collector is believed, PEM; `None` is what the configuration says, or the system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<String>,
    /// When the certificate was issued, by the collector's clock, seconds since the Unix epoch.
    pub issued_unix_s: i64,
    /// When it ends to be.
    pub not_after_unix_s: i64,
}

impl fmt::Debug for Enrolment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Enrolment")
            .field("server", &self.server)
            .field("issued_unix_s", &self.issued_unix_s)
            .field("not_after_unix_s", &self.not_after_unix_s)
            .finish_non_exhaustive()
    }
}

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum EnrolmentError {
    /// It could not be read or written.
    #[error("cannot read or write {}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// It is no enrolment.
    #[error("{} is damaged: remove it and enrol this host again (`telemctl enroll`)", path.display())]
    Damaged {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: serde_json::Error,
    },
}

impl Enrolment {
    /// Reads what is in a state directory.
    pub fn load(state_dir: &Path) -> Result<Option<Self>, EnrolmentError> {
        let path = state_dir.join(FILE);
        let bytes = match durable::read(&path) {
            Ok(bytes) => bytes,
            Err(source) => return Err(EnrolmentError::File { path, source }),
        };
        bytes
            .map(|bytes| serde_json::from_slice(&bytes))
            .transpose()
            .map_err(|source| EnrolmentError::Damaged { path, source })
    }

    /// Replaces what is in a state directory. The file is closed to everyone but its owner.
    pub fn store(&self, state_dir: &Path) -> Result<(), EnrolmentError> {
        let path = state_dir.join(FILE);
        let text = serde_json::to_vec_pretty(self).map_err(io::Error::from);
        text.and_then(|text| durable::write(&path, &text))
            .map_err(|source| EnrolmentError::File { path, source })
    }

    /// From when on a new certificate is due: half of this one's life, so that the other half is left for whatever is
    /// in the way. Seconds since the Unix epoch.
    pub fn renew_at_unix_s(&self) -> i64 {
        let life = self.not_after_unix_s.saturating_sub(self.issued_unix_s).max(0);
        self.issued_unix_s.saturating_add(life / 2)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn enrolment() -> Enrolment {
        Enrolment {
            server: "https://c:7130".into(),
            key: "secret".into(),
            certificates: "pem".into(),
            authority: None,
            issued_unix_s: 1_000,
            not_after_unix_s: 3_000,
        }
    }

    #[test]
    fn an_enrolment_is_kept_for_its_owner_only_and_read_back() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Enrolment::load(dir.path()).unwrap(), None);
        enrolment().store(dir.path()).unwrap();
        assert_eq!(Enrolment::load(dir.path()).unwrap(), Some(enrolment()));
        let mode = std::fs::metadata(dir.path().join(FILE))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        std::fs::write(dir.path().join(FILE), "{").unwrap();
        let error = Enrolment::load(dir.path()).unwrap_err();
        assert!(error.to_string().contains("telemctl enroll"), "{error}");
    }

    #[test]
    fn the_key_is_not_in_what_is_logged() {
        assert!(!format!("{:?}", enrolment()).contains("secret"));
    }

    #[test]
    fn a_new_certificate_is_due_at_half_of_the_life() {
        assert_eq!(enrolment().renew_at_unix_s(), 2_000);
        let backwards = Enrolment {
            not_after_unix_s: 0,
            ..enrolment()
        };
        assert_eq!(backwards.renew_at_unix_s(), 1_000);
    }
}

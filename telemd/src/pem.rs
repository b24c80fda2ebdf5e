//! PEM files and texts (RFC 7468): certificates and keys.

use std::io;
use std::path::{Path, PathBuf};

use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Largest file that is read, bytes: bundles of a system's authorities have some 220 KB.
const FILE_BYTES: u64 = 4 << 20;

/// Why a text or a file has not what is wanted.
#[derive(Debug, thiserror::Error)]
pub enum PemError {
    /// It could not be read.
    #[error("cannot read {}: it must be readable for telemd's user", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// It is larger than such files are.
    #[error("{} is larger than {FILE_BYTES} bytes: it is no file of certificates", path.display())]
    Large {
        /// The file.
        path: PathBuf,
    },
    /// It is not PEM, or holds no such thing.
    #[error("{of} holds no {what} in PEM (\"-----BEGIN ...\")")]
    Content {
        /// The file, or what the text is.
        of: String,
        /// What was looked for.
        what: &'static str,
        /// What is wrong.
        #[source]
        source: Option<pem::Error>,
    },
}

/// Reads a file of certificates or keys.
pub fn read(path: &Path) -> Result<Vec<u8>, PemError> {
    let failed = |source| PemError::Read {
        path: path.to_owned(),
        source,
    };
    if std::fs::metadata(path).map_err(failed)?.len() > FILE_BYTES {
        return Err(PemError::Large {
            path: path.to_owned(),
        });
    }
    std::fs::read(path).map_err(failed)
}

/// The certificates in a text, at least one. `of` names it in errors.
pub fn certificates(text: &[u8], of: &str) -> Result<Vec<CertificateDer<'static>>, PemError> {
    let content = |source| PemError::Content {
        of: of.to_owned(),
        what: "certificate",
        source,
    };
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
    let all = all.map_err(|error| content(Some(error)))?;
    if all.is_empty() {
        return Err(content(None));
    }
    Ok(all)
}

/// The first private key in a text. `of` names it in errors.
pub fn key(text: &[u8], of: &str) -> Result<PrivateKeyDer<'static>, PemError> {
    PrivateKeyDer::from_pem_slice(text).map_err(|error| PemError::Content {
        of: of.to_owned(),
        what: "private key",
        source: Some(error),
    })
}

/// A certificate as PEM.
pub fn certificate(der: &[u8]) -> String {
    let pem = ::pem::Pem::new("CERTIFICATE", der);
    ::pem::encode_config(
        &pem,
        ::pem::EncodeConfig::new().set_line_ending(::pem::LineEnding::LF),
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn files_without_certificates_are_named_with_what_is_missing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ca.pem");
        assert!(read(&path).unwrap_err().to_string().contains("ca.pem"));
        std::fs::write(&path, "nothing").unwrap();
        let error = certificates(&read(&path).unwrap(), "ca.pem").unwrap_err();
        assert!(
            error.to_string().starts_with("ca.pem holds no certificate"),
            "{error}"
        );
        key(b"nothing", "key.pem").unwrap_err();
    }

    proptest! {
        #[test]
        fn any_bytes_are_certificates_or_an_error(text in proptest::collection::vec(any::<u8>(), 0..512)) {
            let _either = certificates(&text, "x");
            let _either = key(&text, "x");
        }

        #[test]
        fn a_certificate_is_read_back_from_its_text(der in proptest::collection::vec(any::<u8>(), 1..512)) {
            let text = certificate(&der);
            let read = certificates(text.as_bytes(), "x").unwrap();
            prop_assert_eq!(read.len(), 1);
            prop_assert_eq!(read[0].as_ref(), &der[..]);
        }
    }
}

//! Certificates and keys as administrators put them into files.

use telemd::pem;

pub(crate) fn run(bytes: &[u8]) {
    if let Ok(certificates) = pem::certificates(bytes, "a file") {
        assert!(!certificates.is_empty());
        for certificate in certificates {
            assert!(!pem::certificate(&certificate).is_empty());
        }
    }
    let _key_or_why_not = pem::key(bytes, "a file").is_ok();
}

//! A record as the collector takes it in.

pub(crate) fn run(bytes: &[u8]) {
    if let Err(reason) = backend::record::decode(bytes) {
        assert!(!reason.is_empty());
    }
}

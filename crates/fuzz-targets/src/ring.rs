//! Bytes of the ring buffer.

pub(crate) fn run(bytes: &[u8]) {
    let _undecodable = probe_common::decode(bytes).is_err();
}

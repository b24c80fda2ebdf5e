//! Bytes of the ring buffer.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _undecodable = probe_common::decode(bytes).is_err();
});

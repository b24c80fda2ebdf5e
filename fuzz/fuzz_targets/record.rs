//! A record as the collector takes it in.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Err(reason) = backend::record::decode(bytes) {
        assert!(!reason.is_empty());
    }
});

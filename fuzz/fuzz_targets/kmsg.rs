//! What one `read` of `/dev/kmsg` gives.
#![no_main]

use libfuzzer_sys::fuzz_target;
use probe_user::kmsg::KmsgRecord;

fuzz_target!(|bytes: &[u8]| {
    if let Some(record) = KmsgRecord::parse(bytes) {
        assert!(record.level <= 7 && record.text.len() <= bytes.len());
    }
});

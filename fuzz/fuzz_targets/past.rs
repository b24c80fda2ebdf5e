//! What earlier boots left: wtmp, a journal's export, a text log, a packed dump.
#![no_main]

use libfuzzer_sys::fuzz_target;
use probe_user::past::{journal, syslog, wtmp};

fuzz_target!(|bytes: &[u8]| {
    for layout in [wtmp::Layout::COMPACT, wtmp::Layout::WIDE] {
        wtmp::parse(bytes, layout);
    }
    journal::parse(bytes);
    syslog::boot_before(bytes);
    // That nothing here is a dump is an answer too.
    let _ = probe_user::pstore::unpack(bytes);
});

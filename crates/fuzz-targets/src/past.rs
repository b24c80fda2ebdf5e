//! What earlier boots left: wtmp, a journal's export, a text log, a packed dump.

use probe_user::past::{journal, syslog, wtmp};

pub(crate) fn run(bytes: &[u8]) {
    for layout in [wtmp::Layout::COMPACT, wtmp::Layout::WIDE] {
        wtmp::parse(bytes, layout);
    }
    journal::parse(bytes);
    syslog::boot_before(bytes);
    // That nothing here is a dump is an answer too.
    drop(probe_user::pstore::unpack(bytes));
}

//! The logs of apt and dnf.

use jiff::tz::TimeZone;
use proto::limits::CUSTOM_PAYLOAD_BYTES;
use telemd::updates::{CHANGES, apt, dnf};

/// 2023-11-14.
const NOW_UNIX_S: u64 = 1_700_000_000;

pub(crate) fn run(bytes: &[u8]) {
    let log = &*String::from_utf8_lossy(bytes);
    for update in apt::updates(log, &TimeZone::UTC)
        .into_iter()
        .chain(dnf::updates(log, NOW_UNIX_S))
    {
        assert!(update.changes.len() <= CHANGES);
        assert!(update.text().len() <= CUSTOM_PAYLOAD_BYTES);
        assert_eq!(update.id(), update.id());
    }
}

//! What one `read` of `/dev/kmsg` gives.

use probe_user::kmsg::KmsgRecord;

pub(crate) fn run(bytes: &[u8]) {
    if let Some(record) = KmsgRecord::parse(bytes) {
        assert!(record.level <= 7 && record.text.len() <= bytes.len());
    }
}

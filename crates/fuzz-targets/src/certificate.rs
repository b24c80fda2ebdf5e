//! Certificates and certificate requests as strangers send them to the collector.

use std::sync::LazyLock;

use backend::admission::Shown;
use backend::authority::{AGENT_LIFE, Authority};

/// 2023-11-14.
const NOW_UNIX_S: u64 = 1_700_000_000;

static AUTHORITY: LazyLock<Authority> = LazyLock::new(|| {
    Authority::make(NOW_UNIX_S)
        .and_then(Authority::open)
        .expect("a new authority")
});

pub(crate) fn run(bytes: &[u8]) {
    let _either = Shown::read(bytes);
    if let Ok(certified) = AUTHORITY.certify(bytes, NOW_UNIX_S, AGENT_LIFE) {
        let shown = Shown::read(&certified.certificate).expect("a certificate of ours");
        assert_eq!(shown.agent_id, Some(certified.agent_id));
    }
}

//! Filters, titles and files of the administrator's own probes.

use std::path::Path;

use probe_user::user_probe::{Filter, Title};
use telemd::config::probes_d::Probes;

pub(crate) fn run(bytes: &[u8]) {
    let text = &*String::from_utf8_lossy(bytes);
    match Filter::parse(text) {
        Ok(filter) => assert!(Filter::parse(&filter.to_string()).is_ok()),
        Err(wrong) => assert!(text.get(wrong.range).is_some()),
    }
    if let Err(wrong) = Title::parse(text) {
        assert!(text.get(wrong.range).is_some());
    }
    let mut probes = Probes::default();
    probes.add(Path::new("probes.toml"), text);
    for mistake in probes.mistakes {
        assert!(mistake.line >= 1 && mistake.column >= 1);
    }
}

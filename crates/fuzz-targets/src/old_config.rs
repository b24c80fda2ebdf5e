//! The configuration of a Clear Linux client, translated.

use std::path::Path;

use telemd::config::{Config, old};

pub(crate) fn run(bytes: &[u8]) {
    let migrated = old::migrate(&String::from_utf8_lossy(bytes));
    let path = Path::new("telemetrics.toml");
    if let Err(error) = Config::parse(path, &migrated.toml) {
        // A path is taken over as it is, and may be none for this agent.
        assert!(
            error.to_string().contains("socket_path"),
            "{error}: {}",
            migrated.toml
        );
    }
}

//! The agent's configuration file.

use std::path::Path;

use telemd::config::Config;

pub(crate) fn run(bytes: &[u8]) {
    let text = &*String::from_utf8_lossy(bytes);
    if let Err(error) = Config::parse(Path::new("telemd.toml"), text) {
        assert!(error.to_string().contains("telemd.toml"));
    }
}

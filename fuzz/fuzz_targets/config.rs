//! The agent's configuration file.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use telemd::config::Config;

fuzz_target!(|text: &str| {
    if let Err(error) = Config::parse(Path::new("telemd.toml"), text) {
        assert!(error.to_string().contains("telemd.toml"));
    }
});

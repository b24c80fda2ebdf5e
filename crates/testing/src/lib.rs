//! What the tests of all rooms share.
#![expect(clippy::expect_used, reason = "a test that cannot go on panics")]

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::PathBuf;

/// Says that a test cannot run here, and why: on stderr, and in the file named by `TELEMETRICS_SKIP_LOG`, which
/// `cargo xtask test` counts.
///
/// # Panics
/// When that file cannot be written: a skip nobody sees is a lie.
pub fn skip(test: &str, reason: &str) {
    let line = format!("SKIP {test}: {reason}\n");
    // Not by `eprint!`, whose text is shown of tests that fail only.
    io::stderr().write_all(line.as_bytes()).expect("write to stderr");
    if let Some(path) = std::env::var_os("TELEMETRICS_SKIP_LOG") {
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .expect("open the skip log");
        file.write_all(line.as_bytes()).expect("write the skip log");
    }
}

/// The folder of the built programs, which `TELEMETRICS_BIN_DIR` names; or how they come to be built.
pub fn programs() -> Result<PathBuf, String> {
    std::env::var_os("TELEMETRICS_BIN_DIR")
        .map(PathBuf::from)
        .ok_or_else(|| {
            "no programs: `cargo xtask test` builds them and runs this; where `cargo build --release` has built them, \
             TELEMETRICS_BIN_DIR=$PWD/target/release does"
                .to_owned()
        })
}

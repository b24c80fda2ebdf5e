//! What the tests of all rooms share.
#![expect(clippy::print_stderr, reason = "tests tell people why they skip")]
#![expect(clippy::expect_used, reason = "a test that cannot go on panics")]

use std::fs::OpenOptions;
use std::io::Write as _;

/// Says that a test cannot run here, and why: on stderr, and in the file named by `TELEMETRICS_SKIP_LOG`, which
/// `cargo xtask test` counts.
///
/// # Panics
/// When that file cannot be written: a skip nobody sees is a lie.
pub fn skip(test: &str, reason: &str) {
    let line = format!("SKIP {test}: {reason}\n");
    eprint!("{line}");
    if let Some(path) = std::env::var_os("TELEMETRICS_SKIP_LOG") {
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .expect("open the skip log");
        file.write_all(line.as_bytes()).expect("write the skip log");
    }
}

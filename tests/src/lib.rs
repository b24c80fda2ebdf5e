//! Runs the real programs for whole-system tests: a private PostgreSQL, `backend`, `telemd`, and senders on its socket.
//!
//! The programs are those of the folder named by `TELEMETRICS_BIN_DIR`, which `cargo xtask test` sets. A test that
//! finds something missing skips itself visibly through [`skip`].
#![expect(clippy::print_stderr, reason = "tests tell people why they skip")]
#![expect(clippy::expect_used, reason = "a test that cannot go on panics")]

pub mod database;
pub mod process;
pub mod sender;
pub mod system;

use std::{fs::OpenOptions, io::Write as _, path::PathBuf};

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

/// A built program, or why it is not there.
pub fn program(name: &str) -> Result<PathBuf, String> {
    let dir = std::env::var_os("TELEMETRICS_BIN_DIR")
        .ok_or("TELEMETRICS_BIN_DIR is not set: run `cargo xtask test`")?;
    let path = PathBuf::from(dir).join(name);
    if path.is_file() {
        Ok(path)
    } else {
        Err(format!("{} is not built", path.display()))
    }
}

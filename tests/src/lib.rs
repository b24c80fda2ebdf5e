//! Runs the real programs for whole-system tests: a private PostgreSQL, `backend`, `telemd`, and senders on its socket.
//!
//! The programs are those of the folder named by `TELEMETRICS_BIN_DIR`, which `cargo xtask test` sets. A test that
//! finds something missing skips itself visibly through [`skip`].
#![expect(clippy::expect_used, reason = "a test that cannot go on panics")]

pub mod database;
pub mod process;
pub mod sender;
pub mod site;
pub mod system;

use std::path::PathBuf;

pub use testing::skip;

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

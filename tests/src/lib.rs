//! Runs the real programs for whole-system tests: a private PostgreSQL, `backend`, `telemd`, and senders on its socket.
//!
//! The programs are those of the folder named by `TELEMETRICS_BIN_DIR`, which `cargo xtask test` sets. A test that
//! finds something missing skips itself visibly, by [`programs`], [`or_skip`] or [`skip`].
#![expect(clippy::expect_used, reason = "a test that cannot go on panics")]

pub mod database;
pub mod nginx;
pub mod process;
pub mod sender;
pub mod site;
pub mod system;

use std::path::PathBuf;

pub use testing::skip;

/// Built programs; `None`: one is not there, and the test was skipped.
pub fn programs<const N: usize>(test: &str, names: [&str; N]) -> Option<[PathBuf; N]> {
    let dir = or_skip(test, testing::programs())?;
    let paths = names.map(|name| dir.join(name));
    let missing = paths.iter().find(|path| !path.is_file());
    if let Some(path) = missing {
        skip(test, &format!("{} is not built", path.display()));
        return None;
    }
    Some(paths)
}

/// What a test needs; `None`: it is not there for a reason, and the test was skipped.
pub fn or_skip<T>(test: &str, found: Result<T, String>) -> Option<T> {
    found.map_err(|reason| skip(test, &reason)).ok()
}

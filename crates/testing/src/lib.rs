//! What the tests of all rooms share.
#![expect(clippy::expect_used, reason = "a test that cannot go on panics")]

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

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

/// Writes a program that can be executed at once.
///
/// Another process does the writing: what this one has open for writing is also open in each child that another test
/// forks, until that executes its own program, and a file open for writing cannot be executed (ETXTBSY in execve(2)).
///
/// # Panics
/// When it cannot be written.
pub fn write_program(path: &Path, bytes: &[u8]) {
    let mut install = Command::new("install")
        .args(["--mode=755", "/dev/stdin"])
        .arg(path)
        .stdin(Stdio::piped())
        .spawn()
        .expect("start install(1)");
    let mut stdin = install.stdin.take().expect("its input is a pipe");
    stdin.write_all(bytes).expect("install(1) reads the program");
    drop(stdin);
    let status = install.wait().expect("install(1) ends");
    assert!(status.success(), "{}: {status}", path.display());
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

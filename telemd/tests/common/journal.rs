//! Journals of systemd, written by its own tool.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// Writes journals from the export format (`systemd-journal-remote(8)`).
pub(crate) const WRITER: &str = "/lib/systemd/systemd-journal-remote";
/// Writes entries, each by its time in seconds since the Unix epoch and its fields.
pub(crate) fn write_journal(file: &Path, entries: &[(u64, &str)]) {
    let mut export = String::new();
    for (n, (at_s, fields)) in entries.iter().enumerate() {
        // Entries of one boot are in the order of either clock.
        let at_us = at_s * 1_000_000 + n as u64;
        writeln!(
            export,
            "__REALTIME_TIMESTAMP={at_us}\n__MONOTONIC_TIMESTAMP={at_us}\n_BOOT_ID=0123456789abcdef0123456789abcdef\n{fields}\n"
        )
        .unwrap();
    }
    let mut writer = Command::new(WRITER)
        .arg("-o")
        .arg(file)
        .arg("-")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    writer.stdin.take().unwrap().write_all(export.as_bytes()).unwrap();
    assert!(writer.wait().unwrap().success());
}

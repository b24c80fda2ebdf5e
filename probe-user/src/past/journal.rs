//! The end of a boot in systemd's journal, read with `journalctl -o export`.
//!
//! The format is that of <https://systemd.io/JOURNAL_EXPORT_FORMATS/>: entries of fields, an empty line behind each; a field
//! is `NAME=value`, or, when the value is not plain text, `NAME`, a newline, 64 little-endian bits of length, the value
//! and a newline.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

/// Entries that are asked for: a shutdown writes some hundred.
const ENTRIES: &str = "600";
/// The most bytes that are taken from the program.
const MAX_BYTES: usize = 2 << 20;
/// How long it may take: a journal of gigabytes on a slow disk is passed over rather than waited for.
const PATIENCE: Duration = Duration::from_secs(5);
/// The most bytes of one message that are kept.
const MESSAGE_BYTES: usize = 1024;

/// One entry.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Wall time, microseconds since 1970.
    pub at_unix_us: u64,
    /// Microseconds since boot (`CLOCK_MONOTONIC`).
    pub since_boot_us: u64,
    /// The boot, 32 hexadecimal digits.
    pub boot_id: String,
    /// The kernel printed it.
    pub of_kernel: bool,
    /// Who wrote it, by its own account: `systemd-shutdown`.
    pub identifier: String,
    /// What sort of message it is, 32 hexadecimal digits; empty for most.
    pub message_id: String,
    /// The message, at most 1024 bytes of it.
    pub message: String,
}

/// The last entries of the boot `boot_id` (the one before the newest when empty) in the journal files under `folder`,
/// oldest first.
///
/// A folder that is missing holds none. A program that is missing, fails or takes longer than 5 s is an error.
pub fn read_end(folder: &Path, boot_id: &str) -> io::Result<Vec<Entry>> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let boot = match boot_id.replace('-', "") {
        id if id.is_empty() => "-1".to_owned(),
        id => id,
    };
    let mut child = Command::new("journalctl")
        .arg(format!("--directory={}", folder.display()))
        .arg(format!("--boot={boot}"))
        // The newest first: of more than is taken the oldest are left out.
        .args([
            "--output=export",
            "--quiet",
            "--no-pager",
            "--reverse",
            "--lines",
            ENTRIES,
        ])
        .args(["--output-fields", FIELDS])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let read = take_output(&mut child);
    // It may have ended; either way it is gone and reaped behind these two.
    let killed = child.kill();
    child.wait()?;
    killed?;
    let mut entries = parse(&read?);
    entries.reverse();
    Ok(entries)
}

const FIELDS: &str = "MESSAGE,MESSAGE_ID,SYSLOG_IDENTIFIER,_TRANSPORT,_BOOT_ID";

fn take_output(child: &mut Child) -> io::Result<Vec<u8>> {
    let Some(output) = child.stdout.take() else {
        return Ok(Vec::new());
    };
    let mut output = File::from(std::os::fd::OwnedFd::from(output));
    let deadline = now() + PATIENCE;
    let mut bytes = Vec::new();
    let mut piece = [0; 16 << 10];
    while bytes.len() < MAX_BYTES {
        let left = deadline.saturating_sub(now());
        let left = Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: left.subsec_nanos().into(),
        };
        match poll(&mut [PollFd::new(&output, PollFlags::IN)], Some(&left)) {
            Ok(0) => return Err(io::ErrorKind::TimedOut.into()),
            Ok(_) => {}
            // A signal to this process is none of the journal's.
            Err(Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
        }
        match output.read(&mut piece) {
            Ok(0) => break,
            Ok(length) => bytes.extend_from_slice(piece.get(..length).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(bytes)
}

fn now() -> Duration {
    let time = clock_gettime(ClockId::Monotonic);
    Duration::new(
        u64::try_from(time.tv_sec).unwrap_or(0),
        u32::try_from(time.tv_nsec).unwrap_or(0),
    )
}

/// The entries of an export, in its order. What is cut off at the end is left out.
pub fn parse(export: &[u8]) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut entry = Entry::default();
    let mut rest = export;
    while let Some((line, after)) = split_line(rest) {
        rest = after;
        if line.is_empty() {
            if entry.at_unix_us != 0 {
                entries.push(std::mem::take(&mut entry));
            }
        } else if let Some(at) = line.iter().position(|byte| *byte == b'=') {
            let (name, value) = line.split_at(at);
            entry.take(name, value.get(1..).unwrap_or_default());
        } else {
            let Some((value, after)) = binary(rest) else { break };
            entry.take(line, value);
            rest = after;
        }
    }
    if entry.at_unix_us != 0 {
        entries.push(entry);
    }
    entries
}

/// The line, and what is behind its newline; `None` when there is no whole line.
fn split_line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    Some((bytes.get(..end)?, bytes.get(end + 1..)?))
}

/// The value that follows a name of its own line, and what is behind it.
fn binary(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
    let (value, rest) = rest.split_at_checked(length)?;
    Some((value, rest.strip_prefix(b"\n")?))
}

impl Entry {
    fn take(&mut self, name: &[u8], value: &[u8]) {
        let number = || std::str::from_utf8(value).ok()?.parse().ok();
        let text = || {
            let kept = value.get(..MESSAGE_BYTES).unwrap_or(value);
            String::from_utf8_lossy(kept).into_owned()
        };
        match name {
            b"__REALTIME_TIMESTAMP" => self.at_unix_us = number().unwrap_or(0),
            b"__MONOTONIC_TIMESTAMP" => self.since_boot_us = number().unwrap_or(0),
            b"_BOOT_ID" => self.boot_id = text(),
            b"_TRANSPORT" => self.of_kernel = value == b"kernel",
            b"SYSLOG_IDENTIFIER" => self.identifier = text(),
            b"MESSAGE_ID" => self.message_id = text(),
            b"MESSAGE" => self.message = text(),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn entries_are_read_with_their_binary_fields() {
        let mut export = b"__CURSOR=s=1\n__REALTIME_TIMESTAMP=5\n__MONOTONIC_TIMESTAMP=2\n_BOOT_ID=ab\n\
            _TRANSPORT=kernel\nMESSAGE=one = two\n\n\n__REALTIME_TIMESTAMP=6\nMESSAGE\n"
            .to_vec();
        export.extend_from_slice(&7u64.to_le_bytes());
        export.extend_from_slice(b"a\n\xffb\n=c\nSYSLOG_IDENTIFIER=systemd\n");
        let entries = parse(&export);
        assert_eq!(entries.len(), 2);
        assert_eq!(
            entries[0],
            Entry {
                at_unix_us: 5,
                since_boot_us: 2,
                boot_id: "ab".into(),
                of_kernel: true,
                message: "one = two".into(),
                ..Entry::default()
            }
        );
        assert_eq!(entries[1].message, "a\n\u{fffd}b\n=c");
        assert_eq!(entries[1].identifier, "systemd");
    }

    #[test]
    fn a_length_beyond_the_end_ends_the_reading() {
        let mut export = b"__REALTIME_TIMESTAMP=6\nMESSAGE\n".to_vec();
        export.extend_from_slice(&u64::MAX.to_le_bytes());
        assert_eq!(parse(&export).len(), 1);
    }

    /// Makes a journal of an export; false where systemd's program for that is missing.
    fn write_journal(folder: &Path, export: &str) -> bool {
        let text = folder.join("export");
        std::fs::write(&text, export).unwrap();
        let written = Command::new("/lib/systemd/systemd-journal-remote")
            .arg("--output")
            .arg(folder.join("a.journal"))
            .arg(&text)
            .stderr(Stdio::null())
            .status();
        written.is_ok_and(|status| status.success())
    }

    #[test]
    fn of_more_than_is_taken_the_newest_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let boot = "11112222333344445555666677778888";
        let long = "x".repeat(4_000);
        let entry = |at| {
            format!(
                "__REALTIME_TIMESTAMP={at}\n__MONOTONIC_TIMESTAMP={at}\n_BOOT_ID={boot}\nMESSAGE={at} {long}\n\n"
            )
        };
        let export: String = (1_000_001..=1_000_600).map(entry).collect();
        if !write_journal(dir.path(), &export) {
            let reason = "systemd-journal-remote is missing";
            return testing::skip("of_more_than_is_taken_the_newest_are_read", reason);
        }
        let entries = read_end(dir.path(), boot).unwrap();
        assert!((100..600).contains(&entries.len()), "{}", entries.len());
        assert!(entries.is_sorted_by_key(|entry| entry.at_unix_us));
        assert_eq!(entries.last().map(|entry| entry.at_unix_us), Some(1_000_600));
    }

    #[test]
    fn no_journal_is_no_entries() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(read_end(&dir.path().join("journal"), "").unwrap(), []);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..500)) {
            let mut export = b"__REALTIME_TIMESTAMP=6\n".to_vec();
            export.extend(&bytes);
            for entry in parse(&export) {
                // A byte that is not UTF-8 becomes three.
                prop_assert!(entry.message.len() <= 3 * MESSAGE_BYTES);
            }
        }
    }
}

//! When the host was started and shut down in order, from `/var/log/wtmp`.
//!
//! The file is a row of `struct utmp` (glibc, `bits/utmp.h`). Only two kinds of entries are of interest here: `BOOT_TIME`
//! (2), which `systemd-update-utmp` or init writes when the host comes up, and `RUN_LVL` (1) with the user `shutdown`, which
//! they write as one of the last things of a shutdown in order. A boot that is followed by the next one without a shutdown
//! between them ended otherwise.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use serde::{Deserialize, Serialize};

/// The most bytes that are read, from the end: years of a host that is restarted every day.
const MAX_BYTES: u64 = 1 << 20;
/// `RUN_LVL` of `utmp.h`.
const RUN_LEVEL: u16 = 1;
/// `BOOT_TIME` of `utmp.h`.
const BOOT_TIME: u16 = 2;

/// How an entry is laid out. Offsets and sizes in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// Size of an entry.
    size: usize,
    /// Where the seconds since 1970 are.
    seconds: usize,
    /// How wide they are.
    seconds_bytes: usize,
}

/// `ut_user`, 32 bytes behind type, process id, line and id.
const USER: usize = 44;
/// Its size.
const USER_BYTES: usize = 32;

impl Layout {
    /// Where glibc keeps 32 bits for times (`__WORDSIZE_TIME64_COMPAT32`): x86, RISC-V and most others.
    pub const COMPACT: Self = Self {
        size: 384,
        seconds: 340,
        seconds_bytes: 4,
    };
    /// Where it does not: 64-bit ARM.
    pub const WIDE: Self = Self {
        size: 400,
        seconds: 344,
        seconds_bytes: 8,
    };
    /// This machine's.
    pub const NATIVE: Self = if cfg!(target_arch = "aarch64") {
        Self::WIDE
    } else {
        Self::COMPACT
    };
}

/// What the file tells of a boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// The host came up.
    Boot {
        /// Seconds since 1970.
        at_unix_s: u64,
    },
    /// The host was shut down in order.
    Shutdown {
        /// Seconds since 1970.
        at_unix_s: u64,
    },
}

impl Event {
    /// When, seconds since 1970.
    pub fn at_unix_s(self) -> u64 {
        match self {
            Self::Boot { at_unix_s } | Self::Shutdown { at_unix_s } => at_unix_s,
        }
    }
}

/// Reads the end of the file. One that is missing tells nothing.
pub fn read(path: &Path) -> io::Result<Vec<Event>> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let size = Layout::NATIVE.size as u64;
    let entries = file.metadata()?.len() / size;
    let skipped = entries.saturating_sub(MAX_BYTES / size);
    file.seek(SeekFrom::Start(skipped * size))?;
    let mut bytes = Vec::new();
    file.take(MAX_BYTES).read_to_end(&mut bytes)?;
    Ok(parse(&bytes, Layout::NATIVE))
}

/// The boots and shutdowns in the bytes of a file, oldest first. An entry that is cut off at the end is left out.
pub fn parse(bytes: &[u8], layout: Layout) -> Vec<Event> {
    bytes
        .chunks_exact(layout.size)
        .filter_map(|entry| event(entry, layout))
        .collect()
}

fn event(entry: &[u8], layout: Layout) -> Option<Event> {
    let kind = u16::from_ne_bytes(*entry.first_chunk()?);
    let seconds = entry.get(layout.seconds..)?.get(..layout.seconds_bytes)?;
    let at_unix_s = match seconds.len() {
        // Read without sign it lasts until 2106.
        4 => u64::from(u32::from_ne_bytes(*seconds.first_chunk()?)),
        _ => u64::from_ne_bytes(*seconds.first_chunk()?),
    };
    let user = entry.get(USER..USER + USER_BYTES)?;
    let user = user.split(|byte| *byte == 0).next()?;
    match (kind, user) {
        (BOOT_TIME, _) => Some(Event::Boot { at_unix_s }),
        (RUN_LEVEL, b"shutdown") => Some(Event::Shutdown { at_unix_s }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry(layout: Layout, kind: u16, user: &str, at: u32) -> Vec<u8> {
        let mut bytes = vec![0; layout.size];
        bytes[..2].copy_from_slice(&kind.to_ne_bytes());
        bytes[8] = b'~';
        bytes[USER..USER + user.len()].copy_from_slice(user.as_bytes());
        if layout.seconds_bytes == 4 {
            bytes[layout.seconds..][..4].copy_from_slice(&at.to_ne_bytes());
        } else {
            bytes[layout.seconds..][..8].copy_from_slice(&u64::from(at).to_ne_bytes());
        }
        bytes
    }

    #[test]
    fn boots_and_shutdowns_are_found_among_logins_in_both_layouts() {
        for layout in [Layout::COMPACT, Layout::WIDE] {
            let bytes = [
                entry(layout, BOOT_TIME, "reboot", 100),
                entry(layout, RUN_LEVEL, "runlevel", 101),
                entry(layout, 7, "shutdown", 102),
                // Past 2038.
                entry(layout, RUN_LEVEL, "shutdown", 0x8000_0001),
                entry(layout, BOOT_TIME, "reboot", 0x8000_0002)[..100].to_vec(),
            ];
            let shutdown = Event::Shutdown {
                at_unix_s: 0x8000_0001,
            };
            let boot = Event::Boot { at_unix_s: 100 };
            assert_eq!(parse(&bytes.concat(), layout), [boot, shutdown]);
        }
    }

    #[test]
    fn the_end_of_a_long_file_is_read_at_the_edge_of_an_entry() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("wtmp");
        assert_eq!(read(&path).unwrap(), []);
        let entries: Vec<u8> = (0..4_000)
            .flat_map(|at| entry(Layout::NATIVE, BOOT_TIME, "reboot", at))
            .collect();
        std::fs::write(&path, &entries).unwrap();
        let events = read(&path).unwrap();
        assert!(events.len() < 4_000);
        assert_eq!(events.last(), Some(&Event::Boot { at_unix_s: 3_999 }));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
            for layout in [Layout::COMPACT, Layout::WIDE] {
                prop_assert!(parse(&bytes, layout).len() <= bytes.len() / layout.size);
            }
        }
    }
}

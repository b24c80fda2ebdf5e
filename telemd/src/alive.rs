//! The agent's own signs of life, for the obituary of this boot.
//!
//! `alive.json` says in which boot the agent ran, when it last lived and whether it was stopped in order. It is written over in
//! place and left to the kernel to bring to the disk within half a minute: a sync a minute would keep disks awake, and
//! what is written fits one sector, so it is never half old. A stop in order is synced.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Moment;
use crate::durable;

/// The file's name in the state directory.
pub const FILE: &str = "alive.json";
/// How often a sign of life is written.
pub const EVERY: Duration = Duration::from_mins(1);
/// The file's size, bytes: the same for every content.
const BYTES: usize = 256;

/// What the file says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alive {
    /// The boot.
    pub boot_id: String,
    /// Release of its kernel.
    pub kernel_release: String,
    /// When the boot began, nanoseconds since 1970.
    pub booted_at_unix_ns: u64,
    /// When the agent last lived.
    pub at_unix_ns: u64,
    /// The agent was stopped in order.
    pub stopped: bool,
}

impl Alive {
    /// What the state directory holds; `None` when that is nothing or cannot be understood.
    pub fn read(state_dir: &Path) -> Option<Self> {
        let bytes = durable::read(&state_dir.join(FILE)).ok()??;
        serde_json::from_slice(&bytes).ok()
    }
}

/// Writes the file.
#[derive(Debug)]
pub(crate) struct Pulse {
    file: File,
    alive: Alive,
}

impl Pulse {
    /// Begins to write over what is there.
    pub(crate) fn start(
        state_dir: &Path,
        boot_id: &str,
        kernel_release: &str,
        now: Moment,
    ) -> io::Result<Self> {
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(state_dir.join(FILE))?;
        let pulse = Self {
            file,
            alive: Alive {
                boot_id: boot_id.to_owned(),
                // 64 bytes of the kernel's (`include/linux/utsname.h`).
                kernel_release: crate::text::cut(kernel_release, 64).to_owned(),
                booted_at_unix_ns: now.unix_ns.saturating_sub(now.since_boot_ns),
                at_unix_ns: now.unix_ns,
                stopped: false,
            },
        };
        pulse.write()?;
        pulse.file.sync_all()?;
        Ok(pulse)
    }

    /// Notes that the agent lives.
    pub(crate) fn beat(&mut self, now: Moment) -> io::Result<()> {
        self.alive.at_unix_ns = now.unix_ns;
        self.write()
    }

    /// Notes durably that the agent is stopped in order.
    pub(crate) fn stop(mut self, now: Moment) -> io::Result<()> {
        self.alive.at_unix_ns = now.unix_ns;
        self.alive.stopped = true;
        self.write()?;
        self.file.sync_all()
    }

    fn write(&self) -> io::Result<()> {
        let mut bytes = serde_json::to_vec(&self.alive)?;
        bytes.resize(BYTES.max(bytes.len()), b'\n');
        self.file.write_all_at(&bytes, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(unix_ns: u64) -> Moment {
        Moment {
            unix_ns,
            since_boot_ns: 400,
            asleep_ns: 0,
        }
    }

    #[test]
    fn the_last_sign_of_life_and_the_stop_are_read_back_whatever_was_there() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Alive::read(dir.path()), None);
        std::fs::write(dir.path().join(FILE), "not JSON").unwrap();
        assert_eq!(Alive::read(dir.path()), None);
        let release = "6.1.0-".repeat(20);
        let mut pulse = Pulse::start(dir.path(), &"b".repeat(36), &release, moment(u64::MAX)).unwrap();
        pulse.beat(moment(1_000)).unwrap();
        let alive = Alive::read(dir.path()).unwrap();
        assert_eq!((alive.at_unix_ns, alive.stopped), (1_000, false));
        assert_eq!(alive.booted_at_unix_ns, u64::MAX - 400);
        pulse.stop(moment(2_000)).unwrap();
        let alive = Alive::read(dir.path()).unwrap();
        assert_eq!((alive.at_unix_ns, alive.stopped), (2_000, true));
        assert_eq!(
            std::fs::metadata(dir.path().join(FILE)).unwrap().len(),
            BYTES as u64
        );
    }
}

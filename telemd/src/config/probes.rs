//! `[probes]`: how faults are caught.

use std::path::{Path, PathBuf};

use probe_user::hindsight::{self, Wanted};
use serde::{Deserialize, Serialize};

use super::{DEFAULT_PROBES_SOCKET, probes_d};

/// `[probes]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Probes {
    /// Whether the kernel is watched at all: eBPF, `/dev/kmsg` and pstore.
    pub enabled: bool,
    /// Where the service manager starts `telemd-probes` for whoever connects. `None` is [`DEFAULT_PROBES_SOCKET`] where
    /// telemd is not root and there is one; otherwise telemd starts it itself.
    pub socket: Option<PathBuf>,
    /// An eBPF object to use instead of the one built in.
    pub object: Option<PathBuf>,
    /// Size of the ring buffer in bytes: a power of two, at least a page. 0 is the size built into the object.
    pub ring_bytes: u32,
    /// Hooks to leave alone.
    pub disable: Vec<String>,
    /// The folder of the administrator's own probes.
    pub user_dir: PathBuf,
    /// What is in that folder; [`super::Config::load`] reads it.
    #[serde(skip)]
    pub user: probes_d::Probes,
    /// The kernel's log: read from the boot's beginning at the start, and on where the console hook cannot be attached.
    pub kmsg_path: PathBuf,
    /// Where the kernel shows what an earlier boot left.
    pub pstore_dir: PathBuf,
    /// Below which root everything else is looked for that earlier boots left.
    pub earlier_root: PathBuf,
    /// What came before a fault.
    pub hindsight: Hindsight,
}

/// `[probes.hindsight]`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Hindsight {
    /// Whether signs that precede faults are kept, so that a record has those of its last 30 seconds.
    pub enabled: bool,
    /// Memory for them, of all CPUs together, bytes.
    pub bytes: u32,
}

impl Hindsight {
    /// What the probes are asked for.
    pub fn wanted(self) -> Option<Wanted> {
        self.enabled.then_some(Wanted {
            bytes: self.bytes,
            ..Wanted::default()
        })
    }
}

impl Default for Hindsight {
    fn default() -> Self {
        Self {
            enabled: false,
            bytes: hindsight::DEFAULT_BYTES,
        }
    }
}

impl Probes {
    /// Where to connect to `telemd-probes`; `None` is to start it. `is_root` says whether this process is.
    pub fn socket(&self, is_root: bool) -> Option<&Path> {
        let usual = Path::new(DEFAULT_PROBES_SOCKET);
        let named = self.socket.as_deref();
        named.or_else(|| (!is_root && usual.exists()).then_some(usual))
    }
}

impl Default for Probes {
    fn default() -> Self {
        Self {
            enabled: true,
            socket: None,
            object: None,
            ring_bytes: 0,
            disable: Vec::new(),
            user_dir: "/etc/telemetrics/probes.d".into(),
            user: probes_d::Probes::default(),
            kmsg_path: "/dev/kmsg".into(),
            pstore_dir: "/sys/fs/pstore".into(),
            earlier_root: "/".into(),
            hindsight: Hindsight::default(),
        }
    }
}

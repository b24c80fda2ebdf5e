//! The configuration file: TOML, every key optional, unknown keys refused.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

mod check;
pub mod collector;
mod error;
mod layers;
pub mod old;
mod policy;
mod privacy;
mod probes;
pub mod probes_d;
mod programs;
#[cfg(test)]
mod tests;

pub use collector::Collector;
pub use error::{ConfigError, Mistake};
pub use layers::{Effective, Origin, Value};
pub use policy::{Consented, Identity, IdentityMode, Rate};
pub use privacy::{Privacy, Treatment};
pub use probes::{Hindsight, Probes};
pub use programs::{DropFolder, Journal, Quota};

/// Where the file is when nobody says otherwise.
pub const DEFAULT_PATH: &str = local::CONFIG_FILE;
/// Where the service manager listens for `telemd-probes`, as packages set it up.
pub const DEFAULT_PROBES_SOCKET: &str = "/run/telemetrics-probes";
/// The user that packages make for telemd.
pub const DEFAULT_USER: &str = "telemetrics";
/// Exit code of every command when the configuration or the command line is wrong (`EX_USAGE` of sysexits.h).
pub const EXIT_USAGE: u8 = 64;

/// Longest path of a Unix socket: `sun_path` is 108 bytes with its NUL.
const SOCKET_PATH_BYTES: usize = 107;

/// Ten of a kind show whether the occurrences differ; the rest of a storm adds only its count.
const STORM_FIRST: u32 = 10;
/// A minute: a fault that comes once in a minute is not a storm.
const STORM_WINDOW_S: u64 = 60;
/// A day at most: the count of a window is only sent when the window ends.
const STORM_WINDOW_MAX_S: u64 = 86_400;
/// Five minutes: a host that is silent for two of them has a problem, and 288 small records a day cost nothing.
const HEARTBEAT_S: u64 = 300;

/// What telemd is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where the spool, the agent's id and what is known of the boots are kept.
    pub state_dir: PathBuf,
    /// Nothing is recorded unless this file exists.
    pub opt_in_file: PathBuf,
    /// The socket that programs send records to.
    pub socket_path: PathBuf,
    /// The socket that `telemctl` asks.
    pub control_path: PathBuf,
    /// The user that the networked half of telemd runs as, when it is started as root. `None` is [`DEFAULT_USER`] where
    /// there is such a user, and otherwise root without capabilities.
    pub user: Option<String>,
    /// The host's name in records; `None` is the name the kernel has.
    pub hostname: Option<String>,
    /// What is logged: a level, or a list such as `info,telemd=debug`. `RUST_LOG` comes first when it is set.
    pub log: String,
    /// Where records go.
    pub collector: Collector,
    /// How faults are caught.
    pub probes: Probes,
    /// What is recorded at all.
    pub consent: Consented,
    /// Under which id.
    pub identity: Identity,
    /// How much of each class is kept; the first that fits a record is its limit.
    pub rate: Vec<Rate>,
    /// What happens to repeats.
    pub storm: Storm,
    /// What one user may send to the local socket.
    pub quota: Quota,
    /// Folders that programs drop records into.
    pub drop: Vec<DropFolder>,
    /// What is taken out of records.
    pub privacy: Privacy,
    /// Limits of the queue on disk.
    pub spool: SpoolLimits,
    /// What is kept of records that left this host.
    pub journal: Journal,
    /// What is kept of what left this host.
    pub ledger: collector::Ledger,
    /// How often the agent says that it lives.
    pub heartbeat: Heartbeat,
}

/// `[storm]`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Storm {
    /// Occurrences of one class and title that are kept in full in a window.
    pub first: u32,
    /// Length of the window, seconds.
    pub window_s: u64,
}

/// `[spool]`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SpoolLimits {
    /// Size at which a segment is closed, bytes.
    pub segment_bytes: u64,
    /// Size at which the oldest records are given up, bytes.
    pub max_bytes: u64,
    /// Age at which records are given up, seconds while the agent runs.
    pub max_age_s: u64,
}

/// `[heartbeat]`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Heartbeat {
    /// Time between heartbeats, seconds.
    pub interval_s: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            state_dir: "/var/lib/telemetrics".into(),
            opt_in_file: local::OPT_IN_FILE.into(),
            socket_path: local::SOCKET_PATH.into(),
            control_path: "/run/telemetrics/control".into(),
            user: None,
            hostname: None,
            log: "info".into(),
            collector: Collector::default(),
            probes: Probes::default(),
            consent: Consented::default(),
            identity: Identity::default(),
            rate: Vec::new(),
            storm: Storm::default(),
            quota: Quota::default(),
            drop: Vec::new(),
            privacy: Privacy::default(),
            spool: SpoolLimits::default(),
            journal: Journal::default(),
            ledger: collector::Ledger::default(),
            heartbeat: Heartbeat::default(),
        }
    }
}

impl Default for Storm {
    fn default() -> Self {
        Self {
            first: STORM_FIRST,
            window_s: STORM_WINDOW_S,
        }
    }
}

impl Default for SpoolLimits {
    fn default() -> Self {
        let spool::Options {
            segment_bytes,
            max_bytes,
            max_age,
            ..
        } = spool::Options::default();
        Self {
            segment_bytes,
            max_bytes,
            max_age_s: max_age.as_secs(),
        }
    }
}

impl Default for Heartbeat {
    fn default() -> Self {
        Self {
            interval_s: HEARTBEAT_S,
        }
    }
}

impl Config {
    /// The spool's folder.
    pub fn spool_dir(&self) -> PathBuf {
        self.state_dir.join("spool")
    }
}

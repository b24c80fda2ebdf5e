//! The configuration file: TOML, every key optional, unknown keys refused.

use std::path::{Path, PathBuf};

use probe_user::hindsight::{self, Wanted};
use serde::Deserialize;

pub use privacy::{Privacy, Treatment};

mod check;
mod privacy;
pub mod probes_d;
mod programs;
#[cfg(test)]
mod tests;

pub use programs::{Journal, Quota};

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

/// Port 7130 is the collector's gRPC default; loopback because sending elsewhere must be somebody's decision.
const COLLECTOR_URL: &str = "http://127.0.0.1:7130";
/// The port of a URL that names none (RFC 9110, 4.2.1).
const HTTP_PORT: u16 = 80;
/// Ten of a kind show whether the occurrences differ; the rest of a storm adds only its count.
const STORM_FIRST: u32 = 10;
/// A minute: a fault that comes once in a minute is not a storm.
const STORM_WINDOW_S: u64 = 60;
/// A day at most: the count of a window is only sent when the window ends.
const STORM_WINDOW_MAX_S: u64 = 86_400;
/// Five minutes: a host that is silent for two of them has a problem, and 288 small records a day cost nothing.
const HEARTBEAT_S: u64 = 300;

/// What telemd is told.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
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
    /// What happens to repeats.
    pub storm: Storm,
    /// What one user may send to the local socket.
    pub quota: Quota,
    /// What is taken out of records.
    pub privacy: Privacy,
    /// Limits of the queue on disk.
    pub spool: SpoolLimits,
    /// What is kept of records that left this host.
    pub journal: Journal,
    /// How often the agent says that it lives.
    pub heartbeat: Heartbeat,
}

/// `[collector]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Collector {
    /// The collector's gRPC address, `http://HOST:PORT`.
    pub url: String,
}

/// `[probes]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
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
    /// What is in that folder; [`Config::load`] reads it.
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
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

/// `[storm]`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Storm {
    /// Occurrences of one class and title that are kept in full in a window.
    pub first: u32,
    /// Length of the window, seconds.
    pub window_s: u64,
}

/// `[spool]`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
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
            storm: Storm::default(),
            quota: Quota::default(),
            privacy: Privacy::default(),
            spool: SpoolLimits::default(),
            journal: Journal::default(),
            heartbeat: Heartbeat::default(),
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

impl Collector {
    /// The port of [`Collector::url`].
    pub fn port(&self) -> u16 {
        let uri = self.url.parse::<tonic::transport::Uri>();
        uri.ok().and_then(|uri| uri.port_u16()).unwrap_or(HTTP_PORT)
    }
}

impl Default for Collector {
    fn default() -> Self {
        Self {
            url: COLLECTOR_URL.into(),
        }
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

/// What is wrong with the configuration: where, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("cannot read {}: {source}\n  create it (an empty file means all defaults), or name another with --config", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the kernel said.
        source: std::io::Error,
    },
    /// The file is not TOML, or a key or its type is not known.
    #[error("{}:{line}: {key}{problem}\n  correct or remove that line", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Line number, from 1.
        line: usize,
        /// The key on that line and ": ", or empty when there is none.
        key: String,
        /// What is wrong.
        problem: String,
    },
    /// A value is out of its range.
    #[error("{}:{line}: {key} = {value}: {problem}\n  {remedy}", path.display())]
    Value {
        /// The file.
        path: PathBuf,
        /// Line number, from 1.
        line: usize,
        /// The key with its table, such as `storm.window_s`.
        key: &'static str,
        /// The value as understood.
        value: String,
        /// What is wrong with it.
        problem: String,
        /// What to write instead.
        remedy: String,
    },
}

impl Config {
    /// Reads `path`, without one the default file, or all defaults when that does not exist; and the host's own probes,
    /// whose mistakes are no error: the others are watched all the same.
    pub fn load(path: Option<&Path>) -> Result<Self, ConfigError> {
        let named = path.unwrap_or_else(|| Path::new(DEFAULT_PATH));
        let mut config = match std::fs::read_to_string(named) {
            Ok(text) => Self::parse(named, &text)?,
            Err(source) if path.is_none() && source.kind() == std::io::ErrorKind::NotFound => Self::default(),
            Err(source) => {
                return Err(ConfigError::Read {
                    path: named.to_owned(),
                    source,
                });
            }
        };
        config.probes.user = probes_d::Probes::of_folder(&config.probes.user_dir);
        Ok(config)
    }

    /// Understands `text`, which came from `path`.
    pub fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let config: Self = toml::from_str(text).map_err(|error| parse_error(path, text, &error))?;
        check::check(&config).map_err(|wrong| ConfigError::Value {
            path: path.to_owned(),
            line: line_of_key(text, wrong.key),
            key: wrong.key,
            value: wrong.value,
            problem: wrong.problem,
            remedy: wrong.remedy,
        })?;
        Ok(config)
    }

    /// The spool's folder.
    pub fn spool_dir(&self) -> PathBuf {
        self.state_dir.join("spool")
    }
}

fn parse_error(path: &Path, text: &str, error: &toml::de::Error) -> ConfigError {
    let at = error.span().map_or(0, |span| span.start).min(text.len());
    let line = text.as_bytes()[..at].split(|byte| *byte == b'\n').count();
    let key = text
        .lines()
        .nth(line - 1)
        .and_then(|line| line.split_once('='))
        .map(|(key, _)| format!("{}: ", key.trim()));
    ConfigError::Parse {
        path: path.to_owned(),
        line,
        key: key.unwrap_or_default(),
        problem: error.message().trim_end().replace('\n', "; "),
    }
}

/// The line, from 1, on which `table.key` (or a bare key) is set; 1 when it is not set at all.
fn line_of_key(text: &str, dotted: &str) -> usize {
    let (table, key) = dotted.rsplit_once('.').unwrap_or(("", dotted));
    let mut inside = "";
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if let Some(header) = line.strip_prefix('[') {
            inside = header.split(']').next().unwrap_or("").trim();
            continue;
        }
        let name = line.split('=').next().unwrap_or("").trim();
        if (inside == table && name == key) || (inside.is_empty() && name == dotted) {
            return index + 1;
        }
    }
    1
}

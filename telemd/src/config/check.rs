//! The ranges of the values.

use std::path::Path;

use super::programs::{DROP_FOLDERS, QUOTA_WINDOW_MAX_S};
use super::{Config, DropFolder, SOCKET_PATH_BYTES, STORM_WINDOW_MAX_S};

/// A value out of its range.
pub(super) struct Wrong {
    pub(super) key: &'static str,
    pub(super) value: String,
    pub(super) problem: String,
    pub(super) remedy: String,
}

/// Smallest segment: one record of the largest size must fit.
const SEGMENT_BYTES_MIN: u64 = 1024 * 1024;
/// Smallest journal: the longest entry fits in half of it.
const JOURNAL_BYTES_MIN: u64 = 1024 * 1024;
/// Smallest ledger: many of the longest entries fit in half of it.
const LEDGER_BYTES_MIN: u64 = 1024 * 1024;

pub(super) fn check(config: &Config) -> Result<(), Wrong> {
    socket_path("socket_path", &config.socket_path)?;
    socket_path("control_path", &config.control_path)?;
    hostname(config.hostname.as_deref())?;
    log(&config.log)?;
    config.collector.check()?;
    ring(config.probes.ring_bytes)?;
    hooks(&config.probes.disable)?;
    let bytes = probe_user::hindsight::BYTES;
    range(
        "probes.hindsight.bytes",
        u64::from(config.probes.hindsight.bytes),
        u64::from(*bytes.start()),
        u64::from(*bytes.end()),
    )?;
    super::policy::check(config)?;
    range("storm.first", u64::from(config.storm.first), 1, 1_000_000)?;
    range("storm.window_s", config.storm.window_s, 1, STORM_WINDOW_MAX_S)?;
    range("quota.records", u64::from(config.quota.records), 1, 1_000_000)?;
    // The longest submission must fit.
    range(
        "quota.bytes",
        config.quota.bytes,
        local::framed::SUBMISSION_BYTES as u64,
        1 << 40,
    )?;
    range("quota.window_s", config.quota.window_s, 1, QUOTA_WINDOW_MAX_S)?;
    drop_folders(&config.drop)?;
    range("heartbeat.interval_s", config.heartbeat.interval_s, 1, 86_400)?;
    sizes(config)
}

/// What is kept on disk.
fn sizes(config: &Config) -> Result<(), Wrong> {
    if config.journal.max_bytes != 0 {
        range(
            "journal.max_bytes",
            config.journal.max_bytes,
            JOURNAL_BYTES_MIN,
            1 << 40,
        )?;
    }
    if config.ledger.max_bytes != 0 {
        range(
            "ledger.max_bytes",
            config.ledger.max_bytes,
            LEDGER_BYTES_MIN,
            1 << 40,
        )?;
    }
    let spool = config.spool;
    range(
        "spool.segment_bytes",
        spool.segment_bytes,
        SEGMENT_BYTES_MIN,
        1 << 30,
    )?;
    // One segment is written while older ones are read: less than two would give up what was just written.
    range(
        "spool.max_bytes",
        spool.max_bytes,
        2 * spool.segment_bytes,
        1 << 40,
    )?;
    range("spool.max_age_s", spool.max_age_s, 3_600, 10 * 365 * 86_400)
}

pub(super) fn range(key: &'static str, value: u64, min: u64, max: u64) -> Result<(), Wrong> {
    if (min..=max).contains(&value) {
        return Ok(());
    }
    Err(Wrong {
        key,
        value: value.to_string(),
        problem: "out of range".into(),
        remedy: format!("give a number from {min} to {max}"),
    })
}

fn drop_folders(folders: &[DropFolder]) -> Result<(), Wrong> {
    range("drop", folders.len() as u64, 0, DROP_FOLDERS as u64)?;
    for folder in folders {
        if !folder.dir.is_absolute() {
            return Err(Wrong {
                key: "drop.dir",
                value: folder.dir.display().to_string(),
                problem: "is not a whole path".to_owned(),
                remedy: "begin it with /".to_owned(),
            });
        }
        if local::rules::check_classification(&format!("{}/x", folder.class)).is_err() {
            return Err(Wrong {
                key: "drop.class",
                value: folder.class.clone(),
                problem: "is not the beginning of a classification".to_owned(),
                remedy: "write DOMAIN/PROBE, such as org.clearlinux/swupd-client".to_owned(),
            });
        }
    }
    Ok(())
}

fn socket_path(key: &'static str, path: &Path) -> Result<(), Wrong> {
    let bytes = path.as_os_str().len();
    if (1..=SOCKET_PATH_BYTES).contains(&bytes) {
        return Ok(());
    }
    Err(Wrong {
        key,
        value: format!("{:?}", path.display().to_string()),
        problem: format!("{bytes} bytes long; a Unix socket's path has 1 to {SOCKET_PATH_BYTES}"),
        remedy: "choose a shorter path, such as one under /run".into(),
    })
}

fn hostname(name: Option<&str>) -> Result<(), Wrong> {
    match name {
        Some(name) if name.is_empty() || name.len() > 253 || name.contains(char::is_control) => Err(Wrong {
            key: "hostname",
            value: format!("{name:?}"),
            problem: "not a host name".into(),
            remedy: "give 1 to 253 bytes without control characters, or remove the key".into(),
        }),
        _ => Ok(()),
    }
}

fn log(value: &str) -> Result<(), Wrong> {
    crate::logging::parse("log", value.to_owned()).map(drop).map_err(|error| {
        let crate::logging::LoggingError::Filter { source, .. } = error;
        Wrong {
            key: "log",
            value: format!("{value:?}"),
            problem: source.to_string(),
            remedy: "write a level (error, warn, info, debug, trace) or directives such as \"info,telemd=debug\"".into(),
        }
    })
}

fn ring(bytes: u32) -> Result<(), Wrong> {
    if bytes == 0 || (bytes.is_power_of_two() && (4096..=1 << 28).contains(&bytes)) {
        return Ok(());
    }
    Err(Wrong {
        key: "probes.ring_bytes",
        value: bytes.to_string(),
        problem: "the kernel takes only powers of two, in whole pages".into(),
        remedy: "give a power of two from 4096 to 268435456, or 0 for the built-in size".into(),
    })
}

fn hooks(disable: &[String]) -> Result<(), Wrong> {
    match disable
        .iter()
        .find(|name| !probe_user::hook::ALL.contains(&name.as_str()))
    {
        None => Ok(()),
        Some(name) => Err(Wrong {
            key: "probes.disable",
            value: format!("{disable:?}"),
            problem: format!("there is no hook {name:?}"),
            remedy: match meant(name) {
                Some(hook) => format!("did you mean {hook}? `telemctl probes` lists all hooks"),
                None => "`telemctl probes` lists all hooks".to_owned(),
            },
        }),
    }
}

/// The hook whose name begins like this one, or is a slip away.
fn meant(name: &str) -> Option<&'static str> {
    let all = probe_user::hook::ALL;
    let begins = all.iter().find(|hook| !name.is_empty() && hook.starts_with(name));
    begins
        .copied()
        .or_else(|| probe_user::user_probe::nearest(name, all))
}

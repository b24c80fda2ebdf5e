//! `[consent]`, `[[rate]]` and `[identity]`: what is recorded at all, how much of it, and under whose name.

use serde::{Deserialize, Serialize};

use super::Config;
use super::check::{Wrong, range};
use super::programs::QUOTA_WINDOW_MAX_S;

/// How long Clear Linux's agent kept an id: three days.
const ROTATE_S: u64 = 3 * 86_400;
/// An hour at least: an id that holds for less tells nothing about two faults of one host.
const ROTATE_MIN_S: u64 = 3_600;
/// A year at most.
const ROTATE_MAX_S: u64 = 365 * 86_400;
/// As the windows of `[quota]`.
const RATE_WINDOW_S: u64 = 900;
/// Patterns of one list, and limits: each record is compared with all of them.
const PATTERNS: usize = 64;
/// Longest pattern, bytes: the longest classification of a program.
const PATTERN_BYTES: usize = 122;

/// `[consent]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Consented {
    /// Classes, and classifications of programs' records, that are recorded: names, or their beginnings with a `*` behind.
    pub classes: Vec<String>,
    /// Those of them that are not.
    pub except: Vec<String>,
    /// Where records may come from: `hook.NAME`, `socket`, `core_pattern`, `past.NAME`, or their beginnings with a `*` behind.
    pub sources: Vec<String>,
}

/// One of `[[rate]]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// Classes or classifications, as in [`Consented::classes`].
    pub class: String,
    /// Records in a window.
    pub records: u32,
    /// Their bytes in a window.
    #[serde(default = "unlimited")]
    pub bytes: u64,
    /// Length of the window, seconds.
    #[serde(default = "window_s")]
    pub window_s: u64,
}

/// `[identity]`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Identity {
    /// How long the agent has its id.
    pub mode: IdentityMode,
    /// Age at which a rotating id is replaced, seconds.
    pub rotate_s: u64,
}

/// How long the agent has its id.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IdentityMode {
    /// Until this host opts out.
    #[default]
    Static,
    /// For a time; the host's name is not told either, unless it is configured.
    Rotating,
}

impl Default for Consented {
    fn default() -> Self {
        Self {
            classes: vec!["*".into()],
            except: Vec::new(),
            sources: vec!["*".into()],
        }
    }
}

impl Default for Identity {
    fn default() -> Self {
        Self {
            mode: IdentityMode::default(),
            rotate_s: ROTATE_S,
        }
    }
}

impl Identity {
    /// Whether an id is only had for a time.
    pub fn rotates(self) -> bool {
        self.mode == IdentityMode::Rotating
    }
}

/// More than a spool may hold.
fn unlimited() -> u64 {
    1 << 40
}

fn window_s() -> u64 {
    RATE_WINDOW_S
}

/// The ranges of this file's values.
pub(super) fn check(config: &Config) -> Result<(), Wrong> {
    let Consented {
        classes,
        except,
        sources,
    } = &config.consent;
    for (key, list) in [
        ("consent.classes", classes),
        ("consent.except", except),
        ("consent.sources", sources),
    ] {
        patterns(key, list)?;
    }
    let known = |source: &&String| {
        let begins = ["hook.", "past."].iter().any(|kind| source.starts_with(kind));
        begins || ["*", "agent", "core_pattern", "socket"].contains(&source.as_str())
    };
    if let Some(source) = sources.iter().find(|source| !known(source)) {
        return Err(Wrong {
            key: "consent.sources",
            value: format!("{source:?}"),
            problem: "no source is called like this".into(),
            remedy:
                "give hook.NAME or hook.*, socket, core_pattern, past.NAME or past.*, agent, or * for all"
                    .into(),
        });
    }
    let limited: Vec<_> = config.rate.iter().map(|rate| rate.class.clone()).collect();
    patterns("rate", &limited)?;
    for rate in &config.rate {
        range("rate.records", u64::from(rate.records), 1, 1_000_000)?;
        range("rate.bytes", rate.bytes, 1, unlimited())?;
        range("rate.window_s", rate.window_s, 1, QUOTA_WINDOW_MAX_S)?;
    }
    range(
        "identity.rotate_s",
        config.identity.rotate_s,
        ROTATE_MIN_S,
        ROTATE_MAX_S,
    )
}

fn patterns(key: &'static str, list: &[String]) -> Result<(), Wrong> {
    if list.len() > PATTERNS {
        return Err(Wrong {
            key,
            value: format!("{} of them", list.len()),
            problem: format!("more than {PATTERNS}"),
            remedy: "join them by their beginnings, such as \"kernel.*\"".into(),
        });
    }
    let is_right = |pattern: &&String| {
        let name = pattern.strip_suffix('*').unwrap_or(pattern);
        (1..=PATTERN_BYTES).contains(&pattern.len())
            && !name.contains(|c: char| c == '*' || c.is_whitespace())
    };
    match list.iter().find(|pattern| !is_right(pattern)) {
        None => Ok(()),
        Some(pattern) => Err(Wrong {
            key,
            value: format!("{pattern:?}"),
            problem: format!("not a name of at most {PATTERN_BYTES} bytes, or the beginning of one and a *"),
            remedy: "write \"kernel.oops\", \"kernel.*\", \"org.example/disk/*\" or \"*\"".into(),
        }),
    }
}

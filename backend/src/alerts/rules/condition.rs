//! What rules look for, as the alerts file says it.

use std::fmt::Display;
use std::time::Duration;

use serde::{Deserialize, Deserializer, de::Error};

use crate::{
    analysis, class,
    record::part::PartKind,
    store::{Dimension, GONE_DAYS},
    text::duration,
};

/// What is looked for.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Condition {
    /// An issue that is new, and that at least `hosts` hosts have within the time `within` of its first record.
    NewIssue {
        /// How many hosts.
        hosts: u32,
        /// Since when it may be known.
        #[serde(deserialize_with = "some_time")]
        within: Duration,
        /// Only of this class, or of all that begin with it where it ends in a dot.
        #[serde(default, deserialize_with = "known")]
        class: String,
        /// Only from this severity on.
        #[serde(default)]
        severity: Severity,
    },
    /// An issue that had been resolved is back.
    Regression {
        /// As above.
        #[serde(default, deserialize_with = "known")]
        class: String,
    },
    /// An issue comes more often than it did within the hour, or more hosts come to have it, day by day.
    Escalation {
        /// As above.
        #[serde(default, deserialize_with = "known")]
        class: String,
    },
    /// The build that hosts began to run last, of those that one in 100 hosts ran, fails more often than the one before it, by `telemctl
    /// gate`'s comparison with 99 % confidence: faults of medium severity and worse.
    WorseBuild {
        /// How many times as often it may fail.
        #[serde(deserialize_with = "ratio")]
        max_ratio: f64,
        /// Of so many days up to now, 1 to 366.
        #[serde(default = "a_month", deserialize_with = "days")]
        days: u32,
        /// As above.
        #[serde(default, deserialize_with = "known")]
        class: String,
    },
    /// A host that was heard of in the last 14 days has been silent for so long: its coverage has a gap.
    Silence {
        /// How long. Agents send a heartbeat every five minutes.
        #[serde(deserialize_with = "until_it_is_gone")]
        longer_than: Duration,
    },
    /// A part of a machine is failing: its score is at least `min_score`, or it has errors that were not put right.
    BadPart {
        /// Of this kind: "dimm", "cpu", "pcie", "cxl" or "disk"; left out, of any.
        #[serde(default)]
        kind: Option<PartKind>,
        /// The least score that is told, 0 to 100.
        #[serde(default = "bad", deserialize_with = "score")]
        min_score: f64,
        /// Whether an uncorrected error is told whatever the score.
        #[serde(default = "yes")]
        uncorrected: bool,
    },
    /// Hooks are not attached on many hosts that have something in common, and are on others: what they see is not told there.
    MissingHook {
        /// On at least so many hosts with the same `by`.
        hosts: u32,
        /// On at least this share of those, 0 to 1.
        #[serde(default = "half", deserialize_with = "share")]
        min_share: f64,
        /// What they have in common: "kernel", "build" or "model".
        #[serde(default = "kernel")]
        by: Dimension,
        /// Only these hooks, whatever other hosts have. Left out: those that most other hosts have.
        #[serde(default)]
        hooks: Vec<String>,
    },
    /// The books of a host do not balance: something that it produced is neither stored nor accounted for.
    Books {},
}

impl Condition {
    /// The page that has all that it finds.
    pub fn page(&self) -> &'static str {
        match self {
            Self::NewIssue { .. } => "/issues?state=new",
            Self::Regression { .. } => "/issues?state=regressed",
            Self::Escalation { .. } => "/issues",
            Self::WorseBuild { .. } => "/builds",
            Self::Silence { .. } | Self::Books {} => "/hosts",
            Self::BadPart { .. } => "/hardware",
            Self::MissingHook { .. } => "/probes",
        }
    }
}

/// From which severity on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// All.
    #[default]
    Low = 1,
    /// Medium.
    Medium = 2,
    /// High.
    High = 3,
    /// Critical.
    Critical = 4,
}

fn a_month() -> u32 {
    30
}

fn bad() -> f64 {
    analysis::BAD_SCORE
}

fn yes() -> bool {
    true
}

fn half() -> f64 {
    0.5
}

fn kernel() -> Dimension {
    Dimension::Kernel
}

/// A value if it is right; otherwise what is wrong with it.
fn checked<T, E: Error>(value: T, is_right: bool, wrong: impl Display) -> Result<T, E> {
    if is_right {
        Ok(value)
    } else {
        Err(E::custom(wrong))
    }
}

fn ratio<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    let ratio = f64::deserialize(from)?;
    checked(
        ratio,
        ratio > 0.0 && ratio.is_finite(),
        format_args!("{ratio} is no ratio: how many times as often it may fail, such as 1.5"),
    )
}

fn days<'de, D: Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
    let days = u32::deserialize(from)?;
    checked(
        days,
        (1..=366).contains(&days),
        format_args!("{days}: it is 1 to 366 days"),
    )
}

fn until_it_is_gone<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    let time = some_time(from)?;
    checked(
        time,
        time < Duration::from_hours(24 * u64::from(GONE_DAYS)),
        format_args!(
            "longer_than is less than {GONE_DAYS} days: hosts that are gone for so long are not silent"
        ),
    )
}

fn score<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    let score = f64::deserialize(from)?;
    checked(
        score,
        (0.0..=100.0).contains(&score),
        format_args!("{score} is no score from 0 to 100"),
    )
}

fn share<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    let share = f64::deserialize(from)?;
    checked(
        share,
        (0.0..=1.0).contains(&share),
        format_args!("{share} is no share from 0 to 1"),
    )
}

fn known<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    class::known(&String::deserialize(from)?).map_err(D::Error::custom)
}

pub(super) fn some_time<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(from)?;
    duration(&text).ok_or_else(|| D::Error::custom(format!("{text:?} is no time such as 30m, 12h or 1d")))
}

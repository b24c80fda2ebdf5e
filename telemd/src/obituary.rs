//! How a boot ended: from signs to a conclusion. The rules are in `docs/obituary.md`.
//!
//! A [`Sign`] is what one source says; [`judge`] weighs all of them. It is a pure function: the same signs, in any order, give
//! the same conclusion.

use std::cmp::Reverse;

use faults::{Class, Severity};
use proto::v1::record::Payload;
use proto::v1::{Confidence, Demise, Evidence, Obituary, Record};

use crate::clock::Moment;
use crate::record::{Boot, hook};
use crate::text::cut;

pub mod signs;
#[cfg(test)]
mod tests;

/// Evidence in one record, see `record.proto`.
const EVIDENCE: usize = 32;
/// Longest text of a sign, bytes.
const EVIDENCE_BYTES: usize = 1024;

/// Ends of a boot, those that explain more last: where two signs are equally strong the later one is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum End {
    /// Shut down or restarted in order.
    Clean,
    /// Power went away, or it was switched off.
    PowerLoss,
    /// It stood still until somebody or a watchdog reset it.
    HardHang,
    /// The kernel panicked.
    Panic,
    /// It ran out of memory until it was reset.
    OomLivelock,
    /// It was too hot.
    Thermal,
    /// The hardware reported a fatal error.
    HardwareError,
}

impl End {
    /// Every end.
    pub const ALL: [Self; 7] = [
        Self::Clean,
        Self::PowerLoss,
        Self::HardHang,
        Self::Panic,
        Self::OomLivelock,
        Self::Thermal,
        Self::HardwareError,
    ];

    /// Whether an end by `self` also leaves signs of `other`: a panic resets through a watchdog, a host that is too hot is
    /// shut down in order where there is time.
    fn explains(self, other: Self) -> bool {
        self == other
            || match self {
                Self::HardwareError => {
                    matches!(other, Self::Panic | Self::HardHang | Self::PowerLoss)
                }
                Self::Thermal => other != Self::OomLivelock,
                Self::OomLivelock => matches!(other, Self::Panic | Self::HardHang),
                Self::Panic => other == Self::HardHang,
                Self::HardHang | Self::PowerLoss | Self::Clean => false,
            }
    }
}

/// How much a sign says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Weight {
    /// It may mean something else as well.
    Weak,
    /// It fits.
    Fits,
    /// The cause itself is recorded.
    Cause,
}

/// What a sign says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Says {
    /// It ended so.
    Ended(End),
    /// It ended without the usual order; how is open.
    Abruptly,
}

/// What one source says about the end of a boot.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sign {
    /// What it says.
    pub says: Says,
    /// How much that counts.
    pub weight: Weight,
    /// Where it is from, as in `Evidence.source`.
    pub source: &'static str,
    /// What it says, for people.
    pub text: String,
    /// When, nanoseconds since 1970; 0 when not known.
    pub at_unix_ns: u64,
}

/// A conclusion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// What ended the boot; `None` when nothing tells.
    pub end: Option<End>,
    /// How sure that is.
    pub confidence: Confidence,
    /// The signs, those that speak for the conclusion first, the strongest of them first.
    pub signs: Vec<Sign>,
}

/// Weighs the signs. `keeps_dumps` says whether a panic would have left a dump on this host: without one, an abrupt end
/// then speaks for a loss of power.
pub fn judge(mut signs: Vec<Sign>, keeps_dumps: bool) -> Verdict {
    let abrupt = signs
        .iter()
        .filter(|sign| sign.says == Says::Abruptly)
        .map(|sign| sign.weight)
        .max();
    let believed = signs
        .iter()
        .filter_map(|sign| match sign.says {
            // As strong a sign of no order leaves nothing of order.
            Says::Ended(End::Clean) if abrupt >= Some(sign.weight) => None,
            Says::Ended(end) => Some((sign.weight, end)),
            Says::Abruptly => None,
        })
        .max();
    let (end, weight) = match believed {
        Some((weight, end)) => (Some(end), weight),
        None if abrupt.is_some() && keeps_dumps => (Some(End::PowerLoss), Weight::Weak),
        None => (None, Weight::Weak),
    };
    let disputed = signs
        .iter()
        .any(|sign| sign.weight >= Weight::Fits && contradicts(end, sign.says));
    signs.sort_by_cached_key(|sign| (contradicts(end, sign.says), Reverse(sign.weight), sign.clone()));
    Verdict {
        end,
        confidence: confidence(weight, disputed),
        signs,
    }
}

fn confidence(weight: Weight, disputed: bool) -> Confidence {
    match (weight, disputed) {
        (Weight::Cause, false) => Confidence::High,
        (Weight::Cause, true) | (Weight::Fits, false) => Confidence::Medium,
        (Weight::Fits, true) | (Weight::Weak, _) => Confidence::Low,
    }
}

fn contradicts(end: Option<End>, says: Says) -> bool {
    match (end, says) {
        (None, Says::Ended(_)) => true,
        (None, Says::Abruptly) => false,
        (Some(end), Says::Ended(other)) => !end.explains(other),
        (Some(end), Says::Abruptly) => end == End::Clean,
    }
}

impl Verdict {
    /// One line for people, without anything that differs from one death to the next.
    pub fn title(&self) -> String {
        let how = match self.end {
            None => "for a reason that nothing tells",
            Some(End::Clean) => "in order",
            Some(End::PowerLoss) => "power loss",
            Some(End::HardHang) => "hard hang",
            Some(End::Panic) => "kernel panic",
            Some(End::OomLivelock) => "out of memory",
            Some(End::Thermal) => "overheating",
            Some(End::HardwareError) => "hardware error",
        };
        format!("previous boot ended: {how}")
    }

    fn severity(&self) -> Severity {
        match self.end {
            Some(End::Clean) => Severity::Low,
            None => Severity::Medium,
            Some(End::PowerLoss) => Severity::High,
            Some(_) => Severity::Critical,
        }
    }

    fn demise(&self) -> Demise {
        match self.end {
            None => Demise::Unknown,
            Some(End::Clean) => Demise::Clean,
            Some(End::PowerLoss) => Demise::PowerLoss,
            Some(End::HardHang) => Demise::HardHang,
            Some(End::Panic) => Demise::Panic,
            Some(End::OomLivelock) => Demise::OomLivelock,
            Some(End::Thermal) => Demise::Thermal,
            Some(End::HardwareError) => Demise::HardwareError,
        }
    }

    /// The record. `boot` is the boot that ended; times are nanoseconds since 1970, 0 when not known.
    pub fn record(self, boot: &Boot, booted_at_unix_ns: u64, last_alive_unix_ns: u64) -> Record {
        let at = Moment {
            unix_ns: last_alive_unix_ns,
            since_boot_ns: 0,
            asleep_ns: 0,
        };
        let mut record = boot.record(Class::BootEnd, self.severity(), &self.title(), at);
        record.hook = Some(hook("obituary", ""));
        record.payload = Some(Payload::Obituary(Obituary {
            demise: self.demise().into(),
            confidence: self.confidence.into(),
            evidence: self.signs.iter().take(EVIDENCE).map(evidence).collect(),
            booted_at_unix_ns,
            last_alive_unix_ns,
        }));
        record
    }
}

fn evidence(sign: &Sign) -> Evidence {
    Evidence {
        source: sign.source.to_owned(),
        text: cut(&sign.text, EVIDENCE_BYTES).to_owned(),
        at_unix_ns: sign.at_unix_ns,
    }
}

//! What is meant where a question leaves it open, by REST, by gRPC and on the pages alike. docs/statistics.md names each.

/// Days that are looked at.
pub(crate) const DAYS: u32 = 30;
/// The days that are asked for; zero: nothing is said.
pub(crate) fn days(asked: u32) -> u32 {
    if asked == 0 { DAYS } else { asked }
}

/// How sure bounds and verdicts are.
pub(crate) const CONFIDENCE: f64 = 0.95;
/// How many times as often a new build may fail.
pub(crate) const MAX_RATIO: f64 = 1.5;
/// How many times as often as usual is bad.
pub(crate) const RATIO: f64 = 2.0;
/// Part of findings that may be false, of what one looks at every day.
pub(crate) const FALSE_PART: f64 = 0.01;
/// The same of what one looks at when one asks.
pub(crate) const FALSE_PART_ASKED: f64 = 0.05;

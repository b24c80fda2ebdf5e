//! Rates with their bounds, as rows of tables and as figures.

use super::chart::Range;
use super::grouped;
use super::shown::name;
use crate::analysis::{Bounds, Rate};

/// Host-hours from which on a rate is told: one fault in less makes a rate that no fleet has.
const TOLD_HOURS: f64 = 1.0;
/// What was watched for less than this part of what was watched longest has no say in how far an axis goes.
const SCALE_PART: f64 = 0.1;

/// The rate of a kernel, a build or a model.
#[derive(Debug)]
pub(in crate::http) struct RateRow {
    pub(in crate::http) name: String,
    pub(in crate::http) rate: String,
    pub(in crate::http) bounds: String,
    /// None: it was watched for too short a time.
    pub(in crate::http) range: Option<Range>,
    /// `3 of 120`.
    pub(in crate::http) hosts: String,
    pub(in crate::http) watched: String,
}

impl RateRow {
    /// On an axis up to `end`.
    pub(in crate::http) fn new(rate: &Rate, end: f64) -> Self {
        let Rate {
            rate: estimate,
            bounds: known,
            ..
        } = rate;
        let told = rate.host_hours >= TOLD_HOURS;
        Self {
            name: name(&rate.name),
            rate: if told { figure(*estimate) } else { "–".to_owned() },
            bounds: if told {
                bounds(*known)
            } else {
                "watched for less than an hour".to_owned()
            },
            range: told.then(|| Range::new(known.low, *estimate, known.high, end)),
            hosts: format!("{} of {}", grouped(rate.affected), grouped(rate.hosts)),
            watched: hours(rate.host_hours),
        }
    }
}

/// Where an axis ends that has room for these rates and their bounds.
pub(super) fn end_of_axis<'a>(rates: impl IntoIterator<Item = &'a Rate> + Clone) -> f64 {
    let longest = longest(rates.clone().into_iter().map(|rate| rate.host_hours));
    let highs = rates
        .into_iter()
        .filter(|rate| sets_scale(rate.host_hours, longest))
        .map(|rate| rate.bounds.high.unwrap_or(rate.rate));
    highs.fold(0.0, f64::max)
}

/// The longest of some times.
pub(super) fn longest(hours: impl IntoIterator<Item = f64>) -> f64 {
    hours.into_iter().fold(0.0, f64::max)
}

/// Whether what was watched for so many hours has a say in how far an axis goes, beside what was watched longest.
pub(super) fn sets_scale(hours: f64, longest: f64) -> bool {
    hours >= TOLD_HOURS.max(longest * SCALE_PART)
}

/// `0.31 – 0.80`.
pub(super) fn bounds(bounds: Bounds) -> String {
    let high = bounds.high.map_or_else(|| "∞".to_owned(), figure);
    format!("{} – {high}", figure(bounds.low))
}

/// Three digits that say something.
pub(super) fn figure(value: f64) -> String {
    match value {
        0.0 => "0".to_owned(),
        ..0.01 => format!("{value:.4}"),
        ..1.0 => format!("{value:.3}"),
        ..10.0 => format!("{value:.2}"),
        ..100.0 => format!("{value:.1}"),
        _ => grouped(whole(value)),
    }
}

/// A probability, of which more digits than three say nothing.
pub(super) fn probability(value: f64) -> String {
    if value < 0.001 {
        "< 0.001".to_owned()
    } else {
        format!("{value:.3}")
    }
}

/// `1,234 h`.
pub(super) fn hours(hours: f64) -> String {
    format!("{} h", grouped(whole(hours)))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "hours and rates of a fleet are far below 2^64 and not negative"
)]
fn whole(value: f64) -> u64 {
    value.round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(host_hours: f64, high: f64) -> Rate {
        Rate {
            name: "42".to_owned(),
            hosts: 2,
            host_hours,
            affected: 1,
            fault_days: 1,
            faults: 1,
            rate: high / 2.0,
            bounds: Bounds {
                low: 0.0,
                high: Some(high),
            },
        }
    }

    #[test]
    fn figures_have_three_digits_that_say_something() {
        assert_eq!(
            [0.0, 0.001_23, 0.5, 12.34, 750.4, 12_345.6].map(figure),
            ["0", "0.0012", "0.500", "12.3", "750", "12,346"]
        );
    }

    #[test]
    fn what_was_hardly_watched_says_nothing_and_squeezes_nothing() {
        let rates = [rate(50_000.0, 4.0), rate(100.0, 90.0), rate(0.002, 3e6)];
        let end = end_of_axis(&rates);
        assert!((end - 4.0).abs() < 1e-9, "{end}");
        let [usual, short, none] = rates.map(|rate| RateRow::new(&rate, end));
        assert_eq!([usual.rate, short.rate, none.rate], ["2.00", "45.0", "–"]);
        assert!(short.range.is_some() && none.range.is_none());
    }
}

//! Rates with their bounds, as rows of tables and as figures.

use super::chart::Range;
use super::grouped;
use crate::analysis::{Bounds, Rate};

/// Such a part of the hours of what was watched longest is not few.
const LONG: f64 = 0.01;

/// The rate of a kernel, a build or a model.
#[derive(Debug)]
pub(in crate::http) struct RateRow {
    pub(in crate::http) name: String,
    pub(in crate::http) rate: String,
    pub(in crate::http) bounds: String,
    pub(in crate::http) range: Range,
    /// `3 of 120`.
    pub(in crate::http) hosts: String,
    pub(in crate::http) watched: String,
}

impl RateRow {
    /// On an axis up to `end`.
    pub(in crate::http) fn new(rate: &Rate, end: f64) -> Self {
        let Rate {
            rate: estimate,
            rate_bounds,
            ..
        } = rate;
        Self {
            name: rate.name.clone(),
            rate: figure(*estimate),
            bounds: bounds(*rate_bounds),
            range: Range::new(rate_bounds.low, *estimate, rate_bounds.high, end),
            hosts: format!("{} of {}", grouped(rate.affected), grouped(rate.hosts)),
            watched: hours(rate.host_hours),
        }
    }
}

/// Where an axis ends that has room for these rates and their bounds: those of few hours go beyond it, whose bounds are so wide
/// that all others would look alike.
pub(super) fn end_of_axis<'a>(rates: impl IntoIterator<Item = &'a Rate>) -> f64 {
    let rates: Vec<&Rate> = rates.into_iter().collect();
    let longest = rates.iter().map(|rate| rate.host_hours).fold(0.0, f64::max);
    let long = rates.iter().filter(|rate| rate.host_hours >= longest * LONG);
    let highs = long.map(|rate| rate.rate_bounds.high.unwrap_or(rate.rate));
    highs.fold(0.0, f64::max)
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
        _ => format!("{value:.0}"),
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
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "hours of a fleet are far below 2^64 and not negative"
    )]
    let whole = hours.round() as u64;
    format!("{} h", grouped(whole))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_hardly_watched_does_not_make_the_axis() {
        let rate = |host_hours, rate, high| Rate {
            name: String::new(),
            hosts: 1,
            host_hours,
            affected: 1,
            fault_days: 1,
            faults: 1,
            rate,
            rate_bounds: Bounds {
                low: 0.0,
                high: Some(high),
            },
        };
        let (usual, short) = (rate(10_000.0, 4.0, 5.0), rate(48.0, 41.7, 151.0));
        assert!((end_of_axis([&usual, &short]) - 5.0).abs() < f64::EPSILON);
        assert!((end_of_axis([&short]) - 151.0).abs() < f64::EPSILON);
        assert!(end_of_axis([]).abs() < f64::EPSILON);
    }
}

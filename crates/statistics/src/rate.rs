//! Rates with exact bounds.

use crate::{Alpha, Counted, Interval, Invalid, real, special};

/// A rate: events in one unit of exposure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// Events by exposure; zero where there was no exposure.
    pub estimate: f64,
    /// Between which bounds the true rate is.
    pub interval: Interval,
}

/// The rate of a Poisson count with its exact interval.
///
/// With n events in the time T the bounds are q(alpha/2; n) / T and q(1 - alpha/2; n + 1) / T, where q(p; k) is the
/// quantile of Gamma(k, 1), and 0 for n = 0. F. Garwood, Fiducial limits for the Poisson distribution, Biometrika 28
/// (1936) 437-442. Its confidence is at least the stated one, and more for small n. Computed to 1e-9 of the bound up to 100,000 events, to 1e-8 up to 1,000,000.
///
/// Without exposure nothing is known: the bounds are 0 and infinity.
pub fn rate(counted: Counted, alpha: Alpha) -> Result<Rate, Invalid> {
    let Counted { events, exposure } = counted.check()?;
    if exposure == 0.0 {
        return Ok(Rate {
            estimate: 0.0,
            interval: Interval {
                low: 0.0,
                high: f64::INFINITY,
            },
        });
    }
    let low = match events {
        0 => 0.0,
        _ => special::gamma_quantile(real(events), alpha.one_side()),
    };
    let high = special::gamma_quantile(real(events) + 1.0, 1.0 - alpha.one_side());
    Ok(Rate {
        estimate: real(events) / exposure,
        interval: Interval {
            low: low / exposure,
            high: high / exposure,
        },
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::reference::{close_within, values};

    #[test]
    fn bounds_are_those_of_scipy() {
        for case in values("garwood") {
            let counted = Counted {
                events: case["events"].as_u64().unwrap(),
                exposure: case["exposure"].as_f64().unwrap(),
            };
            let alpha = Alpha::of_confidence(case["confidence"].as_f64().unwrap()).unwrap();
            let rate = rate(counted, alpha).unwrap();
            let tolerance = if counted.events > 100_000 { 1e-8 } else { 1e-9 };
            close_within(rate.interval.low, &case["low"], &case, tolerance);
            close_within(rate.interval.high, &case["high"], &case, tolerance);
        }
    }

    #[test]
    fn nothing_watched_is_nothing_known() {
        let nothing = rate(Counted::default(), Alpha::FIVE_PERCENT).unwrap();
        assert!(nothing.interval.high.is_infinite());
        for exposure in [-1.0, 0.0, f64::NAN, f64::INFINITY] {
            let wrong = Counted { events: 1, exposure };
            assert_eq!(rate(wrong, Alpha::FIVE_PERCENT), Err(Invalid::Exposure));
        }
    }

    proptest! {
        #[test]
        fn the_estimate_is_between_its_bounds(events in 0u64..100_000, exposure in 1e-3..1e9) {
            let rate = rate(Counted { events, exposure }, Alpha::FIVE_PERCENT).unwrap();
            prop_assert!(rate.interval.low <= rate.estimate && rate.estimate < rate.interval.high);
        }
    }
}

//! Does it rise?

use crate::{Counted, Invalid, real, special};

/// Events below which the approximation is not to be trusted.
pub const EVENTS: u64 = 4;

/// A rise or fall of a rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trend {
    /// How many standard deviations the events are later than they would be at a constant rate.
    pub z: f64,
    /// Probability of events as late or later, at a constant rate.
    pub p_rising: f64,
}

/// The trend of counts of successive periods of equal length. None: fewer than [`EVENTS`] events, or one period.
///
/// Given their number N, events at a constant rate fall into period i with the probability w(i) = exposure(i) / exposure.
/// With the mean m and the variance v of i under w, z = (sum of i n(i) - N m) / sqrt(N v) is standard normal: the test of
/// Laplace for counts (D. R. Cox, P. A. W. Lewis, The Statistical Analysis of Series of Events, 1966, section 3.3), which is
/// the most powerful one against a rate that grows exponentially. The approximation is good from 4 events on (ibid.).
pub fn trend(periods: &[Counted]) -> Result<Option<Trend>, Invalid> {
    let (mut events, mut exposure, mut late, mut first, mut second) = (0, 0.0, 0.0, 0.0, 0.0);
    for (place, period) in (0..).zip(periods) {
        let (period, place) = (period.check()?, real(place));
        events += period.events;
        exposure += period.exposure;
        late += place * real(period.events);
        first += place * period.exposure;
        second += place * place * period.exposure;
    }
    if events < EVENTS {
        return Ok(None);
    }
    let mean = first / exposure;
    let variance = second / exposure - mean * mean;
    if variance <= 0.0 {
        return Ok(None);
    }
    let z = (late - real(events) * mean) / (real(events) * variance).sqrt();
    Ok(Some(Trend {
        z,
        p_rising: special::normal_sf(z),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::{close, counts, numbers, values};

    #[test]
    fn trends_are_those_of_numpy_and_scipy() {
        for case in values("trend") {
            let periods: Vec<Counted> = counts(&case["events"])
                .into_iter()
                .zip(numbers(&case["exposure"]))
                .map(|(events, exposure)| Counted { events, exposure })
                .collect();
            let found = trend(&periods).unwrap().unwrap();
            close(found.z, &case["z"], &case);
            close(found.p_rising, &case["p"], &case);
        }
    }

    #[test]
    fn few_events_have_no_trend() {
        let period = |events| Counted {
            events,
            exposure: 1.0,
        };
        assert_eq!(trend(&[period(0), period(3)]), Ok(None));
        assert_eq!(trend(&[period(30)]), Ok(None), "one period");
        assert!(trend(&[period(0), period(30)]).unwrap().unwrap().p_rising < 1e-6);
    }
}

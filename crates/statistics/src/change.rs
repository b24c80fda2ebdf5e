//! Since when is it more than before?

use crate::{Counted, Invalid, real, special};

/// A rise of a rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rise {
    /// Place of the first period with the higher rate.
    pub since: usize,
    /// Rate from then on by rate before; infinite where there was nothing before.
    pub ratio: f64,
    /// At most so probable without a rise.
    pub p_value: f64,
}

/// The most conspicuous rise of a rate to the end of a series of periods. None: no period has both something watched
/// before and an event from it on.
///
/// For each period k that the rise may have begun with, the events from k on are, given all events and a constant rate,
/// Binomial(N, exposure from k on / exposure). The k with the smallest tail is taken, which for Poisson counts is a form of
/// the generalised likelihood ratio (K. J. Worsley, Biometrika 73 (1986) 91-104); its tail is multiplied by the number of k
/// that were tried (Bonferroni). So **one look at a steady series raises a false alarm with at most the probability that is
/// asked for**, whatever its length and however its exposure varies; a watcher who looks again with each period should ask
/// for his alarms a year: 0.001 is less than one in two years of daily looks.
pub fn rise(periods: &[Counted]) -> Result<Option<Rise>, Invalid> {
    let (mut events, mut exposure) = (0, 0.0);
    for period in periods {
        let period = period.check()?;
        events += period.events;
        exposure += period.exposure;
    }
    let (mut best, mut tried): (Option<Rise>, u64) = (None, 0);
    let (mut later, mut later_exposure, mut last_tried) = (0, 0.0, 0);
    for (since, period) in periods.iter().enumerate().skip(1).rev() {
        later += period.events;
        later_exposure += period.exposure;
        let before = exposure - later_exposure;
        // A series that begins with periods that nobody watched has nothing to compare with there.
        if period.exposure == 0.0 || periods[..since].iter().all(|period| period.exposure == 0.0) {
            continue;
        }
        tried += 1;
        // With no event more than those from a later period on, in a longer time, the tail is larger.
        if later == last_tried {
            continue;
        }
        last_tried = later;
        let p_value = special::binomial_at_least(later, events, later_exposure / exposure);
        if best.is_none_or(|best| p_value < best.p_value) {
            best = Some(Rise {
                since,
                ratio: (real(later) / later_exposure) / (real(events - later) / before),
                p_value,
            });
        }
    }
    Ok(best.map(|best| Rise {
        p_value: (best.p_value * real(tried)).min(1.0),
        ..best
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::{close, counts, numbers, values};

    fn periods(events: &[u64]) -> Vec<Counted> {
        events
            .iter()
            .map(|events| Counted {
                events: *events,
                exposure: 24.0,
            })
            .collect()
    }

    #[test]
    fn rises_are_those_of_scipy() {
        for case in values("rise") {
            let periods: Vec<Counted> = counts(&case["events"])
                .into_iter()
                .zip(numbers(&case["exposure"]))
                .map(|(events, exposure)| Counted { events, exposure })
                .collect();
            let found = rise(&periods).unwrap().unwrap();
            assert_eq!(found.since as u64, case["since"].as_u64().unwrap(), "{case}");
            close(found.p_value, &case["p"], &case);
        }
    }

    #[test]
    fn a_rise_is_found_where_it_began_and_a_fall_is_none() {
        let found = rise(&periods(&[3, 2, 4, 3, 2, 3, 12, 11, 14])).unwrap().unwrap();
        assert_eq!(found.since, 6);
        assert!(found.p_value < 1e-5 && found.ratio > 4.0, "{found:?}");
        let fall = rise(&periods(&[12, 11, 14, 3, 2, 3])).unwrap().unwrap();
        assert!(fall.p_value > 0.5, "{fall:?}");
        assert_eq!(rise(&periods(&[])), Ok(None));
        assert_eq!(rise(&periods(&[5])), Ok(None));
        assert_eq!(rise(&periods(&[5, 0, 0])), Ok(None));
    }

    #[test]
    fn a_steady_series_raises_no_more_false_alarms_than_stated() {
        // Counts of a fixed generator; 4000 series, asked for 0.05.
        let (mut state, mut alarms) = (1_u64, 0);
        for _ in 0..4000 {
            let mut series = [0_u64; 20];
            for _ in 0..60 {
                // SplitMix64: S. Vigna, public domain.
                state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
                let mut mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
                series[usize::try_from((mixed ^ (mixed >> 31)) % 20).unwrap()] += 1;
            }
            if rise(&periods(&series)).unwrap().unwrap().p_value <= 0.05 {
                alarms += 1;
            }
        }
        assert!(alarms <= 200, "{alarms} of 4000");
    }
}

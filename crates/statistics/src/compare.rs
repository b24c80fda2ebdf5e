//! Two groups compared: is B worse than A?

use crate::{Alpha, Counted, Interval, Invalid, discrete::Distribution, real, special};

/// Events up to which strata are compared exactly; beyond, the normal approximation is good to some 1e-3 of a p-value.
/// The exact work grows with their square: 10 ms for so many.
pub const EXACT_EVENTS: u64 = 4096;

/// What may be compared directly: hosts of one hardware model, those in A and those in B.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Stratum {
    /// Of A.
    pub from: Counted,
    /// Of B.
    pub to: Counted,
}

/// How the rate of B is to that of A.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Comparison {
    /// Events of A in strata that both are in.
    pub from_events: u64,
    /// Events of B in strata that both are in.
    pub to_events: u64,
    /// The likeliest ratio of the rate of B to that of A; infinite where A had no events; None where nothing can be compared.
    pub ratio: Option<f64>,
    /// Between which bounds the true ratio is.
    pub interval: Interval,
    /// Probability of as many events in B or more, were the ratio the one that was asked about.
    pub p_above: f64,
    /// Probability of as many events in B or fewer, were the ratio the one that was asked about.
    pub p_below: f64,
    /// Whether the probabilities are exact.
    pub exact: bool,
}

/// Compares B to A stratum by stratum, and asks whether the ratio of their rates is above or below `asked`.
///
/// Given the events n of a stratum, those of B are Binomial(n, r b / (a + r b)), where a and b are the times under watch
/// and r is the ratio: J. Przyborowski, H. Wilenski, Homogeneity of results in testing samples from Poisson series,
/// Biometrika 31 (1940) 313-323. r is taken to be the same in all strata, the rates themselves are not. The sum over strata is
/// sufficient for r and has the convolution of these binomials as its distribution: D. O. Martin, H. Austin, Exact
/// estimates for a rate ratio, Epidemiology 7 (1996) 29-33. The bounds are where its tails have half of alpha each
/// (C. J. Clopper, E. S. Pearson, Biometrika 26 (1934) 404-413, for one stratum), so the confidence is at least the
/// stated one. The estimate is the likeliest ratio, at which as many events of B are expected as there are (N. E. Breslow, N. E. Day,
/// Statistical Methods in Cancer Research II, 1987, section 3.6).
///
/// Strata that only one of them is in say nothing and are left out. With more than one stratum and more than
/// [`EXACT_EVENTS`] events the tails are those of a normal distribution with the same mean and variance.
pub fn compare(strata: &[Stratum], asked: f64, alpha: Alpha) -> Result<Comparison, Invalid> {
    if !(asked.is_finite() && asked > 0.0) {
        return Err(Invalid::Ratio);
    }
    let mut used = Vec::new();
    for stratum in strata {
        let (from, to) = (stratum.from.check()?, stratum.to.check()?);
        if from.exposure > 0.0 && to.exposure > 0.0 && from.events + to.events > 0 {
            used.push(Split::of(from, to));
        }
    }
    let total: u64 = used.iter().map(|split| split.events).sum();
    let to_events: u64 = used.iter().map(|split| split.to).sum();
    let mut comparison = Comparison {
        from_events: total - to_events,
        to_events,
        ratio: None,
        interval: Interval {
            low: 0.0,
            high: f64::INFINITY,
        },
        p_above: 1.0,
        p_below: 1.0,
        exact: true,
    };
    if total == 0 {
        return Ok(comparison);
    }
    // Where there are events on one side only, half an event on the other makes a ratio to begin with.
    let near = likeliest(&used, real(to_events).clamp(0.5, real(total) - 0.5));
    let law = Law::new(&used, near);
    comparison.exact = !matches!(law, Law::Normal { .. });
    comparison.ratio = Some(match to_events {
        0 => 0.0,
        all if all == total => f64::INFINITY,
        _ => near,
    });
    if to_events > 0 {
        comparison.interval.low = special::bisect(0.0, near, |ratio| law.at_least(ratio) < alpha.one_side());
    }
    if to_events < total {
        comparison.interval.high =
            special::bisect_upwards(near, |ratio| law.at_most(ratio) > alpha.one_side());
    }
    let law = Law::new(&used, asked);
    comparison.p_above = law.at_least(asked);
    comparison.p_below = law.at_most(asked);
    Ok(comparison)
}

impl Comparison {
    /// Probability of a difference as large or larger, either way: twice the smaller tail.
    pub fn two_sided(&self) -> f64 {
        (2.0 * self.p_above.min(self.p_below)).min(1.0)
    }
}

/// A stratum that both are in.
#[derive(Clone, Copy, Debug)]
struct Split {
    events: u64,
    to: u64,
    /// Time of B by time of A.
    odds: f64,
}

impl Split {
    fn of(from: Counted, to: Counted) -> Self {
        Self {
            events: from.events + to.events,
            to: to.events,
            odds: to.exposure / from.exposure,
        }
    }

    /// Whether an event is one of B, at a ratio: the probability, and that of the contrary.
    fn chances(self, ratio: f64) -> (f64, f64) {
        let odds = ratio * self.odds;
        (odds / (1.0 + odds), 1.0 / (1.0 + odds))
    }

    fn distribution(self, ratio: f64) -> Distribution {
        let odds = ratio * self.odds;
        // The mean, which is within one of the mode.
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a number between 0 and events"
        )]
        let mode = (real(self.events) * self.chances(ratio).0) as u64;
        Distribution::around(0, self.events, mode, |k| {
            odds * real(self.events - k) / real(k + 1)
        })
    }
}

/// The ratio at which `expected` events of B are expected.
fn likeliest(splits: &[Split], expected: f64) -> f64 {
    special::bisect_upwards(0.0, |ratio| moments(splits, ratio).0 < expected)
}

/// The distribution of the events of B, given all of them.
#[derive(Debug)]
enum Law {
    /// One stratum.
    Binomial { split: Split },
    /// Several: at the ratio `base`, and with the factor (ratio / base)^k at any other.
    Tilted {
        base: f64,
        at_base: Distribution,
        to: u64,
    },
    /// Very many events.
    Normal { splits: Vec<Split>, to: u64 },
}

impl Law {
    fn new(splits: &[Split], base: f64) -> Self {
        let to = splits.iter().map(|split| split.to).sum();
        match splits {
            [split] => Self::Binomial { split: *split },
            _ if splits.iter().map(|split| split.events).sum::<u64>() > EXACT_EVENTS => Self::Normal {
                splits: splits.to_vec(),
                to,
            },
            _ => {
                let none = Distribution {
                    first: 0,
                    probabilities: vec![1.0],
                };
                let at_base = splits
                    .iter()
                    .fold(none, |sum, split| sum.plus(&split.distribution(base)));
                Self::Tilted { base, at_base, to }
            }
        }
    }

    /// P(as many or more in B) at a ratio.
    fn at_least(&self, ratio: f64) -> f64 {
        match self {
            Self::Binomial { split } => {
                special::binomial_at_least(split.to, split.events, split.chances(ratio).0)
            }
            Self::Tilted { base, at_base, to } => tilted(at_base, ratio / base, |k| k >= *to),
            Self::Normal { splits, to } => {
                let (mean, deviation) = moments(splits, ratio);
                special::normal_sf((real(*to) - 0.5 - mean) / deviation)
            }
        }
    }

    /// P(as many or fewer in B) at a ratio.
    fn at_most(&self, ratio: f64) -> f64 {
        match self {
            Self::Binomial { split } => {
                special::binomial_at_most(split.to, split.events, split.chances(ratio).1)
            }
            Self::Tilted { base, at_base, to } => tilted(at_base, ratio / base, |k| k <= *to),
            Self::Normal { splits, to } => {
                let (mean, deviation) = moments(splits, ratio);
                special::normal_sf((mean - real(*to) - 0.5) / deviation)
            }
        }
    }
}

/// The probability of the counts that are `wanted`, with each count's probability weighed by `factor`^count.
fn tilted(at_base: &Distribution, factor: f64, wanted: impl Fn(u64) -> bool) -> f64 {
    if factor <= 0.0 {
        return f64::from(u8::from(wanted(0)));
    }
    let step = factor.ln();
    let log = |(k, probability): (u64, f64)| (k, probability.ln() + real(k) * step);
    let most = at_base
        .iter()
        .map(log)
        .map(|(_, weight)| weight)
        .fold(f64::NEG_INFINITY, f64::max);
    let (mut part, mut all) = (0.0_f64, 0.0);
    for (k, weight) in at_base.iter().map(log) {
        let weight = (weight - most).exp();
        all += weight;
        if wanted(k) {
            part += weight;
        }
    }
    (part / all).min(1.0)
}

fn moments(splits: &[Split], ratio: f64) -> (f64, f64) {
    let (mut mean, mut variance) = (0.0, 0.0);
    for split in splits {
        let (p, q) = split.chances(ratio);
        mean += real(split.events) * p;
        variance += real(split.events) * p * q;
    }
    (mean, variance.sqrt())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use crate::reference::{close, values};

    fn strata(case: &Value) -> Vec<Stratum> {
        let side = |row: &Value, at: usize| Counted {
            events: row[at].as_u64().unwrap(),
            exposure: row[at + 1].as_f64().unwrap(),
        };
        let rows = case["strata"].as_array().unwrap();
        rows.iter()
            .map(|row| Stratum {
                from: side(row, 0),
                to: side(row, 2),
            })
            .collect()
    }

    #[test]
    fn comparisons_are_those_of_scipy() {
        for case in values("two_rates").into_iter().chain(values("stratified")) {
            let alpha = Alpha::of_confidence(case["confidence"].as_f64().unwrap()).unwrap();
            let found = compare(&strata(&case), case["asked"].as_f64().unwrap(), alpha).unwrap();
            assert!(found.exact, "{case}");
            close(found.interval.low, &case["low"], &case);
            close(found.interval.high, &case["high"], &case);
            close(found.p_above, &case["above"], &case);
            close(found.p_below, &case["below"], &case);
        }
    }

    #[test]
    fn many_events_are_compared_almost_exactly() {
        let half = |from_events, to_events, exposure| Stratum {
            from: Counted {
                events: from_events,
                exposure,
            },
            to: Counted {
                events: to_events,
                exposure: exposure * 2.0,
            },
        };
        // Strata of the same odds are one stratum, which is exact at any size.
        let apart = [half(1500, 3100, 1e5), half(800, 1700, 7e4)];
        let together = [half(2300, 4800, 1.7e5)];
        let apart = compare(&apart, 1.0, Alpha::FIVE_PERCENT).unwrap();
        let together = compare(&together, 1.0, Alpha::FIVE_PERCENT).unwrap();
        assert!(!apart.exact && together.exact);
        assert!(
            (apart.p_above - together.p_above).abs() < 1e-3,
            "{apart:?} {together:?}"
        );
        assert!((apart.interval.low - together.interval.low).abs() < 1e-3);
        assert!((apart.interval.high - together.interval.high).abs() < 1e-3);
    }

    #[test]
    fn a_build_with_more_of_a_bad_model_is_not_worse() {
        // Model 2 fails ten times as often; B runs mostly on it. Without strata B looks four times as bad.
        let strata = [
            Stratum {
                from: Counted {
                    events: 90,
                    exposure: 9000.0,
                },
                to: Counted {
                    events: 10,
                    exposure: 1000.0,
                },
            },
            Stratum {
                from: Counted {
                    events: 100,
                    exposure: 1000.0,
                },
                to: Counted {
                    events: 900,
                    exposure: 9000.0,
                },
            },
        ];
        let found = compare(&strata, 1.0, Alpha::FIVE_PERCENT).unwrap();
        assert!((found.ratio.unwrap() - 1.0).abs() < 1e-12);
        assert!(found.two_sided() > 0.5);
    }

    #[test]
    fn strata_of_one_side_say_nothing() {
        let alone = Stratum {
            from: Counted {
                events: 7,
                exposure: 10.0,
            },
            to: Counted::default(),
        };
        let found = compare(&[alone], 1.0, Alpha::FIVE_PERCENT).unwrap();
        assert_eq!((found.ratio, found.p_above, found.from_events), (None, 1.0, 0));
        for asked in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(compare(&[alone], asked, Alpha::FIVE_PERCENT), Err(Invalid::Ratio));
        }
    }

    fn stratum() -> impl Strategy<Value = Stratum> {
        let side = || (0u64..60, 1e-2..1e5).prop_map(|(events, exposure)| Counted { events, exposure });
        (side(), side()).prop_map(|(from, to)| Stratum { from, to })
    }

    proptest! {
        #[test]
        fn a_ratio_is_rejected_exactly_when_it_is_outside_the_interval(
            strata in prop::collection::vec(stratum(), 1..5), asked in 0.01..100.0,
        ) {
            let found = compare(&strata, asked, Alpha::FIVE_PERCENT).unwrap();
            prop_assert!(found.interval.low <= found.interval.high);
            prop_assume!((found.p_above - 0.025).abs() > 1e-9 && (found.p_below - 0.025).abs() > 1e-9);
            prop_assert_eq!(found.p_above < 0.025, asked < found.interval.low);
            prop_assert_eq!(found.p_below < 0.025, asked > found.interval.high);
        }

        #[test]
        fn exchanging_the_sides_turns_the_ratio_over(strata in prop::collection::vec(stratum(), 1..5)) {
            let turned: Vec<Stratum> =
                strata.iter().map(|stratum| Stratum { from: stratum.to, to: stratum.from }).collect();
            let one = compare(&strata, 1.0, Alpha::FIVE_PERCENT).unwrap();
            let other = compare(&turned, 1.0, Alpha::FIVE_PERCENT).unwrap();
            prop_assert!((one.p_above - other.p_below).abs() < 1e-9);
            if one.interval.high.is_finite() {
                prop_assert!((one.interval.high * other.interval.low - 1.0).abs() < 1e-6);
            }
        }
    }
}

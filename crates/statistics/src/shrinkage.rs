//! Which of many are really bad, and which had bad luck.

use crate::{Counted, Invalid, real, special};

/// Shape from which on all are taken to be alike: their rates differ by less than 1 %.
const SHAPE_MAX: f64 = 1e4;
/// Shape below which hardly one of them has events at all.
const SHAPE_MIN: f64 = 1e-4;

/// How rates differ from one to the other: Gamma with this mean and shape.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prior {
    /// Mean rate.
    pub mean: f64,
    /// 1 / (coefficient of variation)^2; infinite where the counts do not differ by more than chance.
    pub shape: f64,
}

/// What is known of one after its own events.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Posterior {
    /// Expected rate: between its own and the mean, the nearer to its own the longer it was watched.
    pub mean: f64,
    /// Probability that its rate is above the one that was asked about.
    pub p_above: f64,
}

/// How the rates of many differ, by the counts of all of them. None: no events.
///
/// Rates are taken to be Gamma(shape, shape / mean), so that counts are negative binomial; mean and shape are where the
/// likelihood of all counts is greatest: D. Clayton, J. Kaldor, Empirical Bayes estimates of age-standardized relative risks,
/// Biometrics 43 (1987) 671-681; the likelihood is theirs, solved by bisection of its two derivatives. Expected counts may
/// stand for exposures: rates are then relative to what was expected. The work is some 3000 divisions for each of them.
pub fn prior(counts: &[Counted]) -> Result<Option<Prior>, Invalid> {
    let mut used = Vec::new();
    for counted in counts {
        let Counted { events, exposure } = counted.check()?;
        if exposure > 0.0 {
            used.push((real(events), exposure));
        }
    }
    if used.iter().all(|(events, _)| *events == 0.0) {
        return Ok(None);
    }
    let highest = used
        .iter()
        .map(|(events, exposure)| events / exposure)
        .fold(0.0, f64::max);
    let rises = |shape: f64| slope(&used, shape, mean(&used, shape, highest)) > 0.0;
    let shape = if rises(SHAPE_MAX) {
        f64::INFINITY
    } else {
        // By its logarithm: it may be of any size.
        special::bisect(SHAPE_MIN.ln(), SHAPE_MAX.ln(), |log| rises(log.exp())).exp()
    };
    Ok(Some(Prior {
        mean: if shape.is_finite() {
            mean(&used, shape, highest)
        } else {
            let (events, exposure) = used
                .iter()
                .fold((0.0, 0.0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
            events / exposure
        },
        shape,
    }))
}

impl Prior {
    /// What is known of one of them, asked whether its rate is above `threshold`: Gamma(shape + events, shape / mean +
    /// exposure), the posterior of the Poisson rate.
    pub fn posterior(&self, counted: Counted, threshold: f64) -> Result<Posterior, Invalid> {
        let Counted { events, exposure } = counted.check()?;
        if !(threshold.is_finite() && threshold > 0.0) {
            return Err(Invalid::Ratio);
        }
        if self.shape.is_infinite() {
            return Ok(Posterior {
                mean: self.mean,
                p_above: f64::from(u8::from(self.mean > threshold)),
            });
        }
        let (shape, inverse_scale) = (self.shape + real(events), self.shape / self.mean + exposure);
        Ok(Posterior {
            mean: shape / inverse_scale,
            p_above: special::gamma_sf(shape, threshold * inverse_scale),
        })
    }
}

/// The mean that is likeliest with a shape.
fn mean(counts: &[(f64, f64)], shape: f64, highest: f64) -> f64 {
    special::bisect(0.0, highest, |mean| {
        let slope: f64 = counts
            .iter()
            .map(|(events, exposure)| (events - mean * exposure) / (shape + mean * exposure))
            .sum();
        slope > 0.0
    })
}

/// The derivative of the log likelihood by the shape.
fn slope(counts: &[(f64, f64)], shape: f64, mean: f64) -> f64 {
    let of_shape = special::digamma(shape);
    counts
        .iter()
        .map(|(events, exposure)| {
            let expected = mean * exposure;
            let own = if *events == 0.0 {
                0.0
            } else {
                special::digamma(events + shape) - of_shape
            };
            own - (expected / shape).ln_1p() + (expected - events) / (shape + expected)
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::{close, close_within, counts, numbers, values};

    #[test]
    fn priors_and_posteriors_are_those_of_scipy() {
        for case in values("shrinkage") {
            let units: Vec<Counted> = counts(&case["events"])
                .into_iter()
                .zip(numbers(&case["exposure"]))
                .map(|(events, exposure)| Counted { events, exposure })
                .collect();
            let found = prior(&units).unwrap().unwrap();
            // The likelihood is flat at its top: its derivatives vanish over some 1e-8 of the shape.
            close_within(found.mean, &case["mean"], &case, 1e-7);
            close_within(found.shape, &case["shape"], &case, 1e-6);
            let exactly = Prior {
                mean: case["mean"].as_f64().unwrap(),
                shape: case["shape"].as_f64().unwrap(),
            };
            let posterior = exactly.posterior(units[0], 2.0 * exactly.mean).unwrap();
            close(posterior.mean, &case["first_mean"], &case);
            close(posterior.p_above, &case["first_above_twice"], &case);
        }
    }

    #[test]
    fn one_fault_in_an_hour_is_not_a_bad_host_and_many_faults_are() {
        let mut fleet = vec![
            Counted {
                events: 1,
                exposure: 1000.0
            };
            200
        ];
        let unlucky = Counted {
            events: 1,
            exposure: 1.0,
        };
        let bad = Counted {
            events: 40,
            exposure: 1000.0,
        };
        fleet.extend([unlucky, bad]);
        let prior = prior(&fleet).unwrap().unwrap();
        let threshold = 3.0 * prior.mean;
        assert!(prior.posterior(unlucky, threshold).unwrap().p_above < 0.9);
        assert!(prior.posterior(bad, threshold).unwrap().p_above > 0.999);
    }

    #[test]
    fn counts_that_differ_less_than_chance_are_of_hosts_that_are_alike() {
        let alike = vec![
            Counted {
                events: 3,
                exposure: 10.0
            };
            50
        ];
        let prior = prior(&alike).unwrap().unwrap();
        assert!(prior.shape.is_infinite());
        assert!((prior.mean - 0.3).abs() < 1e-12);
        assert_eq!(
            super::prior(&[Counted {
                events: 0,
                exposure: 1.0
            }]),
            Ok(None)
        );
    }
}

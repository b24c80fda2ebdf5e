//! How long until the first fault.

use crate::{Alpha, Interval, Invalid, real, special};

/// One life: how long it was watched, and whether it ended with the event.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Life {
    /// Time from the beginning to the event, or to the end of the watch. Finite, not negative.
    pub time: f64,
    /// It ended with the event; otherwise nobody looked any longer.
    pub event: bool,
}

/// A step of a survival curve.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// When.
    pub time: f64,
    /// Lives under watch just before.
    pub at_risk: u64,
    /// Events at that time.
    pub events: u64,
    /// Part that lives on beyond it.
    pub survival: f64,
    /// Between which bounds the true part is.
    pub interval: Interval,
}

/// The survival curve: a step for each time with an event, in their order.
///
/// S(t) is the product of 1 - d / n over the times up to t with d events among n at risk: E. L. Kaplan, P. Meier,
/// Nonparametric estimation from incomplete observations, Journal of the American Statistical Association 53 (1958) 457-481.
/// Its bounds are S^exp(-z s) and S^exp(z s) with s = sqrt(sum of d / (n (n - d))) / ln S, from Greenwood's variance (1926) on
/// the scale of log(-log S), where they stay between 0 and 1 (J. D. Kalbfleisch, R. L. Prentice, The Statistical Analysis of
/// Failure Time Data, 1980, section 1.4). Where nobody is left they are 0 and 1: nothing is known.
///
/// Ending of the watch must have nothing to do with the event. Events at the time at which a watch ends came before it.
pub fn survival(lives: &[Life], alpha: Alpha) -> Result<Vec<Step>, Invalid> {
    if lives.iter().any(|life| !life.time.is_finite() || life.time < 0.0) {
        return Err(Invalid::Time);
    }
    let mut lives = lives.to_vec();
    lives.sort_by(|a, b| a.time.total_cmp(&b.time));
    let z = special::normal_above(alpha.one_side());
    let (mut at_risk, mut survival, mut greenwood) = (lives.len() as u64, 1.0, 0.0);
    let mut steps = Vec::new();
    for same in lives.chunk_by(|a, b| a.time.total_cmp(&b.time).is_eq()) {
        let events = same.iter().filter(|life| life.event).count() as u64;
        if events > 0 {
            survival *= real(at_risk - events) / real(at_risk);
            greenwood += real(events) / (real(at_risk) * real(at_risk - events));
            steps.push(Step {
                time: same[0].time,
                at_risk,
                events,
                survival,
                interval: bounds(survival, greenwood, z),
            });
        }
        at_risk -= same.len() as u64;
    }
    Ok(steps)
}

fn bounds(survival: f64, greenwood: f64, z: f64) -> Interval {
    if survival == 0.0 {
        return Interval { low: 0.0, high: 1.0 };
    }
    // ln S is negative: the power above one is the lower bound.
    let spread = z * greenwood.sqrt() / -survival.ln();
    Interval {
        low: survival.powf(spread.exp()),
        high: survival.powf((-spread).exp()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::reference::{close, numbers, values};

    #[test]
    fn curves_are_those_of_scipy() {
        for case in values("survival") {
            let lives: Vec<Life> = numbers(&case["time"])
                .into_iter()
                .zip(case["event"].as_array().unwrap())
                .map(|(time, event)| Life {
                    time,
                    event: event.as_bool().unwrap(),
                })
                .collect();
            let alpha = Alpha::of_confidence(case["confidence"].as_f64().unwrap()).unwrap();
            let found = survival(&lives, alpha).unwrap();
            let steps = case["steps"].as_array().unwrap();
            assert_eq!(found.len(), steps.len(), "{case}");
            for (step, expected) in found.iter().zip(steps) {
                close(step.time, &expected["time"], &case);
                close(step.survival, &expected["survival"], &case);
                close(step.interval.low, &expected["low"], &case);
                close(step.interval.high, &expected["high"], &case);
            }
        }
    }

    proptest! {
        #[test]
        fn curves_fall_between_their_bounds(lives in prop::collection::vec((0.0..100.0, any::<bool>()), 0..60)) {
            let lives: Vec<Life> = lives.into_iter().map(|(time, event)| Life { time, event }).collect();
            let steps = survival(&lives, Alpha::FIVE_PERCENT).unwrap();
            prop_assert!(steps.is_sorted_by(|a, b| a.time < b.time && a.survival > b.survival));
            let within = |step: &Step| step.interval.low <= step.survival && step.survival <= step.interval.high;
            prop_assert!(steps.iter().all(within));
        }
    }
}

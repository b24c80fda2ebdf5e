//! When to try again after a delivery failed.

use std::time::Duration;

use tonic::Code;

/// What a failure asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recovery {
    /// It passes by itself: try again soon, with growing pauses.
    Retry,
    /// Somebody must act. The records are kept and a slow retry finds out when it is done.
    Fatal {
        /// What to do, a sentence.
        advice: &'static str,
    },
}

impl Recovery {
    /// Judges the status with which a collector ended a stream.
    pub fn of(status: &tonic::Status) -> Self {
        let advice = match status.code() {
            Code::InvalidArgument => {
                "the collector refuses what this agent sends: update the older of the two"
            }
            Code::Unimplemented => "collector.url is no telemetry collector, or one too old: correct it",
            Code::Unauthenticated | Code::PermissionDenied => {
                "the collector does not accept this agent: give it access there"
            }
            Code::OutOfRange | Code::DataLoss => "the collector's data is damaged: see its log",
            // Everything else (unavailable, full, a stream out of step, a proxy that restarts) passes: a new stream
            // begins with what the collector says that it has.
            _ => return Self::Retry,
        };
        Self::Fatal { advice }
    }
}

/// The pauses between tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pauses {
    /// First pause.
    pub first: Duration,
    /// Longest pause.
    pub longest: Duration,
    /// Pause after a failure that somebody must mend.
    pub fatal: Duration,
}

impl Default for Pauses {
    /// 0.2 s: a restarting collector is back at once. 60 s: after a long outage everybody is heard within a minute, and
    /// 1000 waiting agents make 17 connections a second. 5 min: somebody must act, which takes that long.
    fn default() -> Self {
        Self {
            first: Duration::from_millis(200),
            longest: Duration::from_mins(1),
            fatal: Duration::from_mins(5),
        }
    }
}

/// Exponential back-off with full jitter on its upper half.
#[derive(Debug)]
pub struct Backoff {
    pauses: Pauses,
    failures: u32,
}

impl Backoff {
    /// No failure yet.
    pub fn new(pauses: Pauses) -> Self {
        Self { pauses, failures: 0 }
    }

    /// Something worked: the next failure is the first again.
    pub fn reset(&mut self) {
        self.failures = 0;
    }

    /// The pause after one more failure. `random` is in 0.0..1.0.
    pub fn next(&mut self, recovery: Recovery, random: f64) -> Duration {
        let full = match recovery {
            Recovery::Fatal { .. } => self.pauses.fatal,
            Recovery::Retry => {
                let factor = 1u32 << self.failures.min(20);
                self.failures = self.failures.saturating_add(1);
                self.pauses.first.saturating_mul(factor).min(self.pauses.longest)
            }
        };
        // Between half and all of it: agents that failed together come back apart, and never at once.
        full.mul_f64(0.5 + random.clamp(0.0, 1.0) / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn pauses_grow_to_the_longest_and_start_anew_after_success() {
        let mut backoff = Backoff::new(Pauses::default());
        let pauses: Vec<_> = (0..12)
            .map(|_| backoff.next(Recovery::Retry, 1.0).as_millis())
            .collect();
        assert_eq!(pauses[..4], [200, 400, 800, 1600]);
        assert_eq!(pauses[11], 60_000);
        backoff.reset();
        assert_eq!(backoff.next(Recovery::Retry, 1.0).as_millis(), 200);
    }

    #[test]
    fn a_refusal_is_tried_slowly_and_an_outage_soon() {
        let mut backoff = Backoff::new(Pauses::default());
        let refused = Recovery::of(&tonic::Status::invalid_argument("x"));
        assert!(matches!(refused, Recovery::Fatal { .. }));
        assert!(backoff.next(refused, 0.0) >= Duration::from_secs(150));
        for code in [
            Code::Unavailable,
            Code::ResourceExhausted,
            Code::FailedPrecondition,
            Code::Unknown,
        ] {
            assert_eq!(Recovery::of(&tonic::Status::new(code, "x")), Recovery::Retry);
        }
    }

    proptest! {
        #[test]
        fn pauses_stay_within_their_bounds(failures in 0usize..200, random in 0.0f64..1.0) {
            let mut backoff = Backoff::new(Pauses::default());
            for _ in 0..failures {
                backoff.next(Recovery::Retry, 0.5);
            }
            let pause = backoff.next(Recovery::Retry, random);
            prop_assert!(pause >= Duration::from_millis(100) && pause <= Duration::from_mins(1));
        }
    }
}

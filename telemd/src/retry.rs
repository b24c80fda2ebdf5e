//! When to try again after a delivery failed.

use std::time::Duration;

use proto::reasons;
use serde::{Deserialize, Serialize};
use tonic::Code;
use tonic_types::StatusExt as _;

/// Longest time that a collector can ask for to be left alone: an hour, in which its operator sees to it.
const LEFT_ALONE_MAX: Duration = Duration::from_hours(1);

/// What a failure asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recovery {
    /// It passes by itself: try again soon, with growing pauses.
    Retry,
    /// It passes by itself, and trying burdens nobody but this host: the pauses stay short.
    Soon,
    /// The collector asks to be left alone for so long.
    After(Duration),
    /// Somebody must act. The records are kept and a slow retry finds out when it is done.
    Fatal {
        /// What is the matter.
        refusal: Refusal,
        /// What to do, a sentence.
        advice: &'static str,
    },
}

/// Why nothing is delivered until somebody acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// The collector shut this agent out.
    Revoked,
    /// The collector wants a certificate that this host does not have.
    NotEnrolled,
    /// The certificate of this host is over for too long to be renewed.
    CertificateExpired,
    /// This host's clock is wrong.
    ClockWrong,
    /// The server is not believed.
    Untrusted,
    /// The configuration names what cannot be used.
    Configuration,
    /// The collector refuses for another reason.
    Refused,
}

impl Recovery {
    /// Judges the status with which a collector ended a stream.
    pub fn of(status: &tonic::Status) -> Self {
        if let Some(pause) = left_alone(status) {
            return Self::After(pause.min(LEFT_ALONE_MAX));
        }
        let details = status.get_error_details();
        let info = details.error_info().filter(|info| info.domain == reasons::DOMAIN);
        let (refusal, advice) = match (info.map(|info| info.reason.as_str()), status.code()) {
            (Some(reasons::AGENT_REVOKED), _) => (
                Refusal::Revoked,
                "the collector shut this host out: ask its operator (`backend agent allow ID` lets it in again)",
            ),
            (Some(reasons::CERTIFICATE_REQUIRED), _) => (
                Refusal::NotEnrolled,
                "the collector wants a certificate: enrol this host (`telemctl enroll`)",
            ),
            (Some(reasons::CERTIFICATE_EXPIRED), _) => (
                Refusal::CertificateExpired,
                "enrol this host again with a token for it (`backend token create --agent ID`, `telemctl enroll`)",
            ),
            (Some(reasons::AGENT_MISMATCH), _) => (
                Refusal::NotEnrolled,
                "the certificate is of another agent: enrol this host again (`telemctl enroll`)",
            ),
            (_, Code::InvalidArgument) => (
                Refusal::Refused,
                "the collector refuses what this agent sends: update the older of the two",
            ),
            (_, Code::Unimplemented) => (
                Refusal::Configuration,
                "collector.url is no telemetry collector, or one too old: correct it",
            ),
            (_, Code::Unauthenticated | Code::PermissionDenied) => (
                Refusal::Refused,
                "the collector does not accept this agent: give it access there",
            ),
            (_, Code::OutOfRange | Code::DataLoss) => {
                (Refusal::Refused, "the collector's data is damaged: see its log")
            }
            // Everything else (unavailable, full, a stream out of step, a proxy that restarts) passes: a new stream
            // begins with what the collector says that it has.
            _ => return Self::Retry,
        };
        Self::Fatal { refusal, advice }
    }
}

/// How long a server wants to be left alone: by `google.rpc.RetryInfo`, by gRPC's own trailer in milliseconds (gRFC A6), or
/// by Retry-After in seconds (RFC 9110, 10.2.3).
fn left_alone(status: &tonic::Status) -> Option<Duration> {
    let passes = [Code::ResourceExhausted, Code::Unavailable].contains(&status.code());
    let by_details = || status.get_details_retry_info()?.retry_delay;
    let number = |name: &str| -> Option<u64> {
        let text = status.metadata().get(name)?.to_str().ok()?;
        text.trim().parse().ok()
    };
    let by_trailer = || number("grpc-retry-pushback-ms").map(Duration::from_millis);
    let by_header = || number("retry-after").map(Duration::from_secs);
    passes
        .then(|| by_details().or_else(by_trailer).or_else(by_header))
        .flatten()
}

/// The pauses between tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pauses {
    /// First pause.
    pub first: Duration,
    /// Longest pause.
    pub longest: Duration,
    /// Longest pause while this host's own network is not up.
    pub soon: Duration,
    /// Pause after a failure that somebody must mend.
    pub fatal: Duration,
}

impl Default for Pauses {
    /// 0.2 s: a restarting collector is back at once. 60 s: after a long outage everybody is heard within a minute, and
    /// 1000 waiting agents make 17 connections a second. 5 s: a host that boots without DNS delivers seconds after it has
    /// it. 5 min: somebody must act, which takes that long.
    fn default() -> Self {
        Self {
            first: Duration::from_millis(200),
            longest: Duration::from_mins(1),
            soon: Duration::from_secs(5),
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
        let Pauses {
            first,
            longest,
            soon,
            fatal,
        } = self.pauses;
        let full = match recovery {
            // At least what was asked for, and agents that were sent away together come back apart.
            Recovery::After(pause) => return pause.mul_f64(1.0 + random.clamp(0.0, 1.0) / 4.0),
            // A clock is mostly set by itself, soon after the network is up.
            Recovery::Fatal {
                refusal: Refusal::ClockWrong,
                ..
            } => longest,
            Recovery::Fatal { .. } => fatal,
            Recovery::Retry | Recovery::Soon => {
                let factor = 1u32 << self.failures.min(20);
                self.failures = self.failures.saturating_add(1);
                let longest = if recovery == Recovery::Soon { soon } else { longest };
                first.saturating_mul(factor).min(longest)
            }
        };
        // Between half and all of it: agents that failed together come back apart, and never at once.
        full.mul_f64(0.5 + random.clamp(0.0, 1.0) / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;
    use tonic_types::ErrorDetails;

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

    #[test]
    fn a_host_without_a_network_is_back_within_seconds() {
        let mut backoff = Backoff::new(Pauses::default());
        let longest = (0..50).map(|_| backoff.next(Recovery::Soon, 1.0)).max();
        assert_eq!(longest, Some(Duration::from_secs(5)));
    }

    #[test]
    fn a_collector_that_asks_to_be_left_alone_is() {
        let mut details = ErrorDetails::new();
        details.set_retry_info(Some(Duration::from_secs(7)));
        let full = tonic::Status::with_error_details(Code::ResourceExhausted, "full", details);
        assert_eq!(Recovery::of(&full), Recovery::After(Duration::from_secs(7)));
        let mut header = tonic::Status::unavailable("later");
        header
            .metadata_mut()
            .insert("retry-after", "120".parse().unwrap());
        let asked = Recovery::of(&header);
        assert_eq!(asked, Recovery::After(Duration::from_mins(2)));
        header
            .metadata_mut()
            .insert("retry-after", "99999999".parse().unwrap());
        assert_eq!(Recovery::of(&header), Recovery::After(LEFT_ALONE_MAX));
        header
            .metadata_mut()
            .insert("retry-after", "soon".parse().unwrap());
        assert_eq!(Recovery::of(&header), Recovery::Retry);
        let mut backoff = Backoff::new(Pauses::default());
        assert!(backoff.next(asked, 0.0) >= Duration::from_mins(2));
        assert!(backoff.next(asked, 1.0) <= Duration::from_secs(150));
    }

    #[test]
    fn each_refusal_of_a_collector_is_a_state_of_its_own() {
        let states = [
            (reasons::AGENT_REVOKED, Refusal::Revoked),
            (reasons::CERTIFICATE_REQUIRED, Refusal::NotEnrolled),
            (reasons::CERTIFICATE_EXPIRED, Refusal::CertificateExpired),
            (reasons::AGENT_MISMATCH, Refusal::NotEnrolled),
            ("SOMETHING_NEW", Refusal::Refused),
        ];
        for (reason, expected) in states {
            let details = ErrorDetails::with_error_info(reason, reasons::DOMAIN, HashMap::new());
            let status = tonic::Status::with_error_details(Code::PermissionDenied, "no", details);
            let Recovery::Fatal { refusal, .. } = Recovery::of(&status) else {
                panic!("{reason} passes by itself");
            };
            assert_eq!(refusal, expected, "{reason}");
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

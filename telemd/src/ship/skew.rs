//! How far this host's clock is from a collector's, by the Date that every answer over HTTP carries (RFC 9110, 6.6.1).

use std::fmt;

use jiff::fmt::rfc2822::DateTimeParser;
use tonic::metadata::MetadataMap;

use crate::clock::Moment;

/// From here on a clock is wrong, seconds: more than answers take, less than the margins that certificates are made with.
const WRONG_S: i64 = 300;

/// How far the collector's clock is ahead of this host's, seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Skew(pub i64);

impl Skew {
    /// By an answer that came at `now`; `None`: it does not say when it was made.
    pub(super) fn of(answer: &MetadataMap, now: Moment) -> Option<Self> {
        let date = answer.get("date")?.to_str().ok()?;
        let theirs = DateTimeParser::new().parse_timestamp(date).ok()?.as_second();
        Some(Self(theirs.saturating_sub(unix_s(now))))
    }

    /// Whether this host's clock is wrong, if the collector's is right.
    pub fn is_wrong(self) -> bool {
        self.0.saturating_abs() >= WRONG_S
    }

    /// What the collector's clock shows at a moment of this host, seconds since the Unix epoch.
    pub(super) fn theirs(self, now: Moment) -> i64 {
        unix_s(now).saturating_add(self.0)
    }
}

fn unix_s(now: Moment) -> i64 {
    i64::try_from(now.unix_ns / 1_000_000_000).unwrap_or(i64::MAX)
}

impl fmt::Display for Skew {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let direction = if self.0 > 0 { "behind" } else { "ahead of" };
        let seconds = self.0.saturating_abs();
        let (count, unit) = match seconds {
            0..120 => (seconds, "s"),
            120..7_200 => (seconds / 60, "min"),
            7_200..172_800 => (seconds / 3_600, "h"),
            _ => (seconds / 86_400, "days"),
        };
        write!(
            f,
            "this host's clock is {count} {unit} {direction} the collector's"
        )
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn answer(date: &str) -> MetadataMap {
        let mut answer = MetadataMap::new();
        answer.insert("date", date.parse().unwrap());
        answer
    }

    fn at(unix_s: u64) -> Moment {
        Moment {
            unix_ns: unix_s * 1_000_000_000,
            ..Moment::default()
        }
    }

    #[test]
    fn a_clock_is_held_against_the_date_of_an_answer() {
        // 784111777 by `date -d 'Sun, 06 Nov 1994 08:49:37 GMT' +%s`; the date is RFC 9110's own example.
        let answer = answer("Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(Skew::of(&answer, at(784_111_777)), Some(Skew(0)));
        let behind = Skew::of(&answer, at(784_108_177)).unwrap();
        assert!(behind.is_wrong());
        assert_eq!(
            behind.to_string(),
            "this host's clock is 60 min behind the collector's"
        );
        assert_eq!(behind.theirs(at(784_108_177)), 784_111_777);
        assert!(!Skew(299).is_wrong() && Skew(-300).is_wrong());
    }

    proptest! {
        #[test]
        fn any_date_is_one_or_none(date in "[ -~]{0,64}", now in 0u64..10_000_000_000) {
            let _either = Skew::of(&answer(&date), at(now)).map(|skew| skew.to_string());
        }
    }
}

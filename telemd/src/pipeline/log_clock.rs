//! When the kernel printed a record of its log, by the clock of events.

use crate::clock::Moment;

/// The clocks go apart by one microsecond in so many, at most: NTP turns the clock of events by up to 500 ppm (`MAXFREQ` in
/// `include/linux/timex.h`), and an oscillator of its own may add as much again.
const DRIFT: i64 = 1_000;

/// Knows how far the clock of the kernel's log is behind that of events.
///
/// printk stamps a record with the scheduler's clock (`local_clock()` in `kernel/printk/printk.c`), which starts at another
/// moment than `CLOCK_MONOTONIC`, drifts from it, and as that one stops in suspend. A record is read at once as a rule: the
/// least time that lay between stamp and reading is the distance of the clocks, and one that is read later, because the
/// machine stalled or the log was flooded, still happened when it did.
#[derive(Debug, Default)]
pub(super) struct LogClock {
    known: Option<Distance>,
}

/// How far the clocks were apart, microseconds.
#[derive(Debug, Clone, Copy)]
struct Distance {
    us: i64,
    at_us: i64,
}

impl LogClock {
    /// When a record was printed that bears `printed_us` and was read `now`, microseconds since boot; never later than now.
    pub(super) fn at_us(&mut self, printed_us: u64, now: Moment) -> u64 {
        let awake_us = signed(now.since_boot_ns.saturating_sub(now.asleep_ns) / 1_000);
        let age_us = awake_us.saturating_sub(signed(printed_us));
        let us = self.known.map_or(age_us, |known| {
            let since_us = awake_us.saturating_sub(known.at_us);
            age_us.min(known.us.saturating_add(since_us / DRIFT))
        });
        self.known = Some(Distance { us, at_us: awake_us });
        // What has passed since it was printed.
        let ago_us = age_us.saturating_sub(us).unsigned_abs();
        (now.since_boot_ns / 1_000).saturating_sub(ago_us)
    }
}

fn signed(us: u64) -> i64 {
    i64::try_from(us).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND_US: u64 = 1_000_000;

    fn awake(us: u64) -> Moment {
        Moment {
            since_boot_ns: us * 1_000,
            ..Moment::default()
        }
    }

    #[test]
    fn a_record_that_is_read_late_happened_when_it_did() {
        let mut clock = LogClock::default();
        // The log's clock is 70 ms behind.
        assert_eq!(clock.at_us(10 * SECOND_US, awake(10_070_000)), 10_070_000);
        assert_eq!(clock.at_us(11 * SECOND_US, awake(14_070_000)), 11_074_000);
        // After a day nothing is known any more.
        let day = 86_400 * SECOND_US;
        assert_eq!(clock.at_us(day, awake(day + 3 * SECOND_US)), day + 3 * SECOND_US);
    }

    #[test]
    fn sleep_counts_for_events_and_not_for_the_log() {
        let mut clock = LogClock::default();
        let slept = |us: u64| Moment {
            asleep_ns: 3_600 * SECOND_US * 1_000,
            ..awake(us + 3_600 * SECOND_US)
        };
        assert_eq!(clock.at_us(5 * SECOND_US, awake(5 * SECOND_US)), 5 * SECOND_US);
        let at_us = clock.at_us(6 * SECOND_US, slept(8 * SECOND_US));
        assert_eq!(at_us, 3_606 * SECOND_US + 3_000);
    }

    proptest! {
        /// Whatever the stamps say: no record is younger than now or older than the one before.
        #[test]
        fn records_stay_in_order(
            steps in prop::collection::vec((0u64..10_000_000, 0u64..10_000_000), 1..50),
        ) {
            let (mut clock, mut printed, mut read, mut last) = (LogClock::default(), 0, 0, 0);
            for (between, late) in steps {
                printed += between;
                read = (printed + late).max(read);
                let at = clock.at_us(printed, awake(read));
                prop_assert!(last <= at && at <= read);
                last = at;
            }
        }

        /// Stamps of any value and clocks that go back are survived.
        #[test]
        fn no_stamp_is_too_much(stamps in prop::collection::vec((any::<u64>(), any::<u64>(), any::<u64>()), 1..20)) {
            let mut clock = LogClock::default();
            for (printed, since_boot_ns, asleep_ns) in stamps {
                let now = Moment { since_boot_ns, asleep_ns, unix_ns: 0 };
                prop_assert!(clock.at_us(printed, now) <= since_boot_ns / 1_000);
            }
        }
    }
}

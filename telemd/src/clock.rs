//! The host's clocks. Everything else takes a [`Moment`] as a parameter.

use rustix::time::{ClockId, clock_gettime};

/// One moment by the two clocks that records carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Moment {
    /// `CLOCK_REALTIME`, nanoseconds since the Unix epoch.
    pub unix_ns: u64,
    /// `CLOCK_BOOTTIME`, nanoseconds.
    pub since_boot_ns: u64,
    /// How much of that the host was suspended, in which the clock of the kernel's log stops, nanoseconds.
    pub asleep_ns: u64,
}

impl Moment {
    /// Now, by the host's clocks.
    pub fn now() -> Self {
        let since_boot_ns = read(ClockId::Boottime);
        Self {
            unix_ns: read(ClockId::Realtime),
            since_boot_ns,
            asleep_ns: since_boot_ns.saturating_sub(read(ClockId::Monotonic)),
        }
    }

    /// The moment that lies at `since_boot_ns`, told by the distance between the clocks now.
    ///
    /// A moment later than now (clocks of two CPUs differ by a little) becomes now.
    #[must_use]
    pub fn at_boot_ns(self, since_boot_ns: u64) -> Self {
        let age = self.since_boot_ns.saturating_sub(since_boot_ns);
        Self {
            unix_ns: self.unix_ns.saturating_sub(age),
            since_boot_ns: self.since_boot_ns.min(since_boot_ns),
            ..self
        }
    }

    /// Milliseconds since boot: the unit of storm control and other windows.
    pub fn since_boot_ms(self) -> u64 {
        self.since_boot_ns / 1_000_000
    }
}

fn read(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanoseconds = u64::try_from(time.tv_nsec).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_earlier_moment_is_as_far_back_on_both_clocks() {
        let now = Moment {
            unix_ns: 1_000,
            since_boot_ns: 500,
            asleep_ns: 100,
        };
        assert_eq!(
            now.at_boot_ns(400),
            Moment {
                unix_ns: 900,
                since_boot_ns: 400,
                asleep_ns: 100,
            }
        );
    }

    #[test]
    fn a_moment_in_the_future_is_now() {
        let now = Moment {
            unix_ns: 1_000,
            since_boot_ns: 500,
            asleep_ns: 100,
        };
        assert_eq!(now.at_boot_ns(600), now);
    }

    #[test]
    fn the_clocks_run() {
        let first = Moment::now();
        assert!(first.unix_ns > 0 && first.since_boot_ns > 0);
    }
}

//! Slows down whoever guesses passwords.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Wrong passwords that are nothing unusual.
const FREE: u32 = 5;
/// The longest wait after a wrong password: whoever is locked out by somebody else's guesses is not for long.
const LONGEST: Duration = Duration::from_secs(30);
/// After so long without a wrong password they are forgotten.
const FORGET: Duration = Duration::from_mins(15);
/// Names that are watched; beyond that those whose last wrong password is longest ago are forgotten.
const NAMES: usize = 4096;

/// Wrong passwords by name, since this collector started.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    names: Mutex<HashMap<String, Wrong>>,
}

#[derive(Debug, Clone, Copy)]
struct Wrong {
    times: u32,
    last: Instant,
}

impl Wrong {
    /// 1, 2, 4, ... seconds from the first that is unusual.
    fn pause(self) -> Duration {
        match self.times.checked_sub(FREE) {
            None => Duration::ZERO,
            Some(beyond) => LONGEST.min(Duration::from_secs(1 << beyond.min(5))),
        }
    }
}

impl Attempts {
    /// Seconds until a password for `name` may be tried, rounded up; 0: now.
    pub(super) fn wait(&self, name: &str) -> u64 {
        let names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let left = names.get(name).map_or(Duration::ZERO, |wrong| {
            wrong.pause().saturating_sub(wrong.last.elapsed())
        });
        left.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX)
    }

    pub(super) fn failed(&self, name: &str) {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        if names.len() >= NAMES {
            names.retain(|_, wrong| wrong.last.elapsed() < FORGET);
        }
        if names.len() >= NAMES
            && let Some(oldest) = names.iter().min_by_key(|(_, wrong)| wrong.last)
        {
            let oldest = oldest.0.clone();
            names.remove(&oldest);
        }
        let now = Instant::now();
        let wrong = names
            .entry(name.to_owned())
            .or_insert(Wrong { times: 0, last: now });
        if wrong.last.elapsed() >= FORGET {
            wrong.times = 0;
        }
        wrong.times = wrong.times.saturating_add(1);
        wrong.last = now;
    }

    pub(super) fn succeeded(&self, name: &str) {
        self.names
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guessing_gets_slower_and_a_right_password_ends_that() {
        let attempts = Attempts::default();
        for _ in 1..FREE {
            attempts.failed("ada");
            assert_eq!(attempts.wait("ada"), 0);
        }
        attempts.failed("ada");
        assert_eq!(attempts.wait("ada"), 1);
        assert_eq!(attempts.wait("grace"), 0);
        for _ in 0..100 {
            attempts.failed("ada");
        }
        assert_eq!(attempts.wait("ada"), LONGEST.as_secs());
        attempts.succeeded("ada");
        assert_eq!(attempts.wait("ada"), 0);
    }

    #[test]
    fn many_names_take_no_more_than_their_room() {
        let attempts = Attempts::default();
        for name in 0..2 * NAMES {
            attempts.failed(&name.to_string());
        }
        assert_eq!(attempts.names.lock().unwrap().len(), NAMES);
    }
}

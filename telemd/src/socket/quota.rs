//! How much each user may send, and how many connections one may have.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::bucket::{Bucket, Exceeded, Limit};
use crate::config::Quota;

/// Users whose quotas are known at the same time. Who comes when there is no room takes the place of the user who was
/// silent longest.
const USERS: usize = 1024;
/// Connections of one user at the same time: a fourth of all, so that one user cannot keep everybody else out.
pub(super) const CONNECTIONS: usize = super::CONNECTIONS / 4;

/// The quotas of all users: a bucket each, which is full at first and fills evenly over the window.
#[derive(Debug)]
pub(super) struct Quotas {
    limits: Quota,
    users: HashMap<u32, Bucket>,
}

impl Quotas {
    pub(super) fn new(limits: Quota) -> Self {
        Self {
            limits,
            users: HashMap::new(),
        }
    }

    /// Takes a record of `bytes` bytes from the quota of `uid`, if it has as much left at `now_ms`.
    pub(super) fn take(&mut self, uid: u32, bytes: usize, now_ms: u64) -> Result<(), Exceeded> {
        let limit = Limit {
            records: u64::from(self.limits.records),
            bytes: self.limits.bytes,
            window_ms: self.limits.window_s * 1_000,
        };
        if self.users.len() >= USERS && !self.users.contains_key(&uid) {
            self.forget_one();
        }
        let full = || Bucket::full(limit, now_ms);
        self.users
            .entry(uid)
            .or_insert_with(full)
            .take(limit, bytes, now_ms)
    }

    fn forget_one(&mut self) {
        let silent = self.users.iter().min_by_key(|(_, bucket)| bucket.asked_ms());
        if let Some(uid) = silent.map(|(uid, _)| *uid) {
            self.users.remove(&uid);
        }
    }
}

/// How many connections each user has.
#[derive(Debug, Default)]
pub(super) struct Guests(HashMap<u32, usize>);

impl Guests {
    /// Counts a connection. Answers whether its user has no more than [`CONNECTIONS`] now.
    pub(super) fn come(&mut self, uid: u32) -> bool {
        let open = self.0.entry(uid).or_default();
        *open += 1;
        *open <= CONNECTIONS
    }

    /// Forgets a connection that [`Self::come`] counted.
    pub(super) fn go(&mut self, uid: u32) {
        if let Entry::Occupied(mut open) = self.0.entry(uid) {
            match open.get() {
                0 | 1 => drop(open.remove()),
                _ => *open.get_mut() -= 1,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMITS: Quota = Quota {
        records: 10,
        bytes: 1000,
        window_s: 20,
    };

    #[test]
    fn a_user_has_the_quota_at_once_and_then_its_share_of_the_window() {
        let mut quotas = Quotas::new(LIMITS);
        for _ in 0..10 {
            quotas.take(1000, 10, 5).unwrap();
        }
        assert_eq!(quotas.take(1000, 10, 5), Err(Exceeded { retry_s: 2 }));
        assert_eq!(quotas.take(1000, 10, 2_004), Err(Exceeded { retry_s: 1 }));
        quotas.take(1000, 10, 2_005).unwrap();
        assert_eq!(quotas.take(1000, 10, 2_005), Err(Exceeded { retry_s: 2 }));
        // Others have theirs.
        quotas.take(1001, 10, 2_005).unwrap();
    }

    #[test]
    fn bytes_count_as_well_as_records() {
        let mut quotas = Quotas::new(LIMITS);
        quotas.take(1000, 900, 0).unwrap();
        assert_eq!(quotas.take(1000, 200, 0), Err(Exceeded { retry_s: 2 }));
        quotas.take(1000, 200, 2_000).unwrap();
    }

    #[test]
    fn a_clock_that_goes_back_gives_and_takes_nothing() {
        let mut quotas = Quotas::new(LIMITS);
        for _ in 0..10 {
            quotas.take(1000, 1, 5_000).unwrap();
        }
        quotas.take(1000, 1, 0).unwrap_err();
        quotas.take(1000, 1, 6_999).unwrap_err();
        quotas.take(1000, 1, 7_000).unwrap();
    }

    #[test]
    fn the_user_who_was_silent_longest_makes_room() {
        let mut quotas = Quotas::new(LIMITS);
        for uid in 0..1024 {
            quotas.take(uid, 1, u64::from(uid)).unwrap();
        }
        quotas.take(5000, 1, 2000).unwrap();
        assert_eq!(quotas.users.len(), USERS);
        assert!(!quotas.users.contains_key(&0) && quotas.users.contains_key(&1));
    }

    #[test]
    fn one_user_has_a_part_of_the_connections() {
        let mut guests = Guests::default();
        assert!((0..CONNECTIONS).all(|_| guests.come(1000)));
        assert!(!guests.come(1000));
        assert!(guests.come(1001));
        for _ in 0..=CONNECTIONS {
            guests.go(1000);
        }
        guests.go(1001);
        assert!(guests.0.is_empty());
    }

    proptest! {
        /// Whatever the times and sizes: in any span, no more than the quota and the span's share of it is taken.
        #[test]
        fn nobody_takes_more_than_a_quota_and_the_share_of_the_time(
            sends in prop::collection::vec((0u64..3_000, 0usize..400), 1..80),
        ) {
            let mut quotas = Quotas::new(LIMITS);
            let (mut now, mut records, mut bytes) = (0, 0, 0);
            for (pause, size) in sends {
                now += pause;
                if quotas.take(7, size, now).is_ok() {
                    records += 1;
                    bytes += size as u64;
                }
                prop_assert!(records * 20_000 <= 10 * (20_000 + now));
                prop_assert!(bytes * 20_000 <= 1000 * (20_000 + now));
            }
        }
    }
}

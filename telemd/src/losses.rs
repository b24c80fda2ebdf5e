//! What was lost and is not yet told.

use std::collections::{BTreeMap, HashMap};

use proto::v1::LossReason;

use crate::record::Lost;

/// Different losses that wait at the same time. Beyond it they are told without their title, then without their class:
/// the count is what must never be lost.
const ENTRIES: usize = 1024;

/// One loss: why, of what, how many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Why.
    pub reason: LossReason,
    /// Of what.
    pub of: Lost,
    /// How many. At least 1.
    pub count: u64,
}

/// The losses that are not yet durable as records.
#[derive(Debug, Default)]
pub struct Losses {
    /// By number of the reason, since the enum has no order.
    pending: BTreeMap<(i32, Lost), u64>,
    counters: HashMap<(i32, String), u64>,
}

impl Losses {
    /// Notes a loss.
    pub fn add(&mut self, reason: LossReason, of: Lost, count: u64) {
        if count == 0 {
            return;
        }
        let mut key = (i32::from(reason), of);
        if self.pending.len() >= ENTRIES && !self.pending.contains_key(&key) {
            key.1.title.clear();
            if !self.pending.contains_key(&key) {
                key.1.class.clear();
            }
        }
        let known = self.pending.entry(key).or_default();
        *known = known.saturating_add(count);
    }

    /// Notes what a counter of `hook` that only grows has counted since it was last seen. One that seems to have shrunk
    /// could not be read: what it had counted is known already.
    pub fn counter(&mut self, reason: LossReason, hook: &str, total: u64) {
        let seen = self
            .counters
            .entry((i32::from(reason), hook.to_owned()))
            .or_default();
        let delta = total.saturating_sub(*seen);
        *seen = total.max(*seen);
        let of = Lost {
            hook: hook.to_owned(),
            ..Lost::default()
        };
        self.add(reason, of, delta);
    }

    /// Forgets what a counter of `hook` has counted: it begins at 0 again.
    pub fn forget_counter(&mut self, reason: LossReason, hook: &str) {
        self.counters.remove(&(i32::from(reason), hook.to_owned()));
    }

    /// What is not yet told.
    pub fn pending(&self) -> Vec<Entry> {
        let entry = |((reason, of), count): (&(i32, Lost), &u64)| Entry {
            reason: LossReason::try_from(*reason).unwrap_or_default(),
            of: of.clone(),
            count: *count,
        };
        self.pending.iter().map(entry).collect()
    }

    /// Forgets what was told. More of the same that came in between stays.
    pub fn told(&mut self, entry: &Entry) {
        let key = (i32::from(entry.reason), entry.of.clone());
        if let Some(count) = self.pending.get_mut(&key) {
            *count = count.saturating_sub(entry.count);
            if *count == 0 {
                self.pending.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn titled(title: String) -> Lost {
        Lost {
            class: "kernel.oops".into(),
            title,
            ..Lost::default()
        }
    }

    #[test]
    fn counters_are_told_by_their_growth_and_stay_until_told() {
        let mut losses = Losses::default();
        losses.counter(LossReason::RingFull, "panic", 3);
        let first = losses.pending();
        assert_eq!((first[0].reason, first[0].count), (LossReason::RingFull, 3));
        losses.counter(LossReason::RingFull, "panic", 5);
        losses.told(&first[0]);
        let rest = losses.pending();
        assert_eq!(rest[0].count, 2);
        losses.told(&rest[0]);
        losses.counter(LossReason::RingFull, "panic", 5);
        assert!(losses.pending().is_empty());
    }

    #[test]
    fn a_counter_that_cannot_be_read_once_is_not_told_twice() {
        let mut losses = Losses::default();
        for total in [3, 0, 4] {
            losses.counter(LossReason::RingFull, "panic", total);
        }
        assert_eq!(losses.pending()[0].count, 4);
    }

    #[test]
    fn a_flood_of_different_losses_is_bounded_and_its_count_exact() {
        let mut losses = Losses::default();
        for n in 0..5_000 {
            losses.add(LossReason::Storm, titled(n.to_string()), 2);
        }
        let pending = losses.pending();
        assert!(pending.len() <= ENTRIES + 2);
        assert_eq!(pending.iter().map(|entry| entry.count).sum::<u64>(), 10_000);
    }
}

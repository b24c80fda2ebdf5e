//! What was lost and is not yet told.

use std::collections::{BTreeMap, HashMap};

use proto::v1::{LossCount, LossReason};

use crate::record::Lost;
use crate::sample::Sample;

/// Different losses that wait at the same time. Beyond it they are told without their title, then without their class:
/// the count is what must never be lost.
const ENTRIES: usize = 1024;
/// Sums that are told in a heartbeat. Beyond it they are told without their class, of which there may be one for each reason.
const TOTALS: usize = proto::limits::LOSS_COUNTS - REASONS;
/// More than there are reasons.
const REASONS: usize = 24;

/// One loss: why, of what, how many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Why.
    pub reason: LossReason,
    /// Of what.
    pub of: Lost,
    /// How many. At least 1.
    pub count: u64,
    /// Some of them, where they could be looked at.
    pub sample: Sample,
}

#[derive(Debug, Default)]
struct Pending {
    count: u64,
    sample: Sample,
}

/// The losses that are not yet durable as records.
#[derive(Debug, Default)]
pub struct Losses {
    /// By number of the reason, since the enum has no order.
    pending: BTreeMap<(i32, Lost), Pending>,
    counters: HashMap<(i32, String), u64>,
    /// Of all that was ever noted, by reason and class.
    totals: BTreeMap<(i32, String), u64>,
}

impl Losses {
    /// Notes a loss.
    pub fn add(&mut self, reason: LossReason, of: Lost, count: u64) {
        self.add_sampled(reason, of, count, Sample::default());
    }

    /// The same with some of what was lost.
    pub fn add_sampled(&mut self, reason: LossReason, of: Lost, count: u64, sample: Sample) {
        if count == 0 {
            return;
        }
        self.sum(reason, &of.class, count);
        let mut key = (i32::from(reason), of);
        if self.pending.len() >= ENTRIES && !self.pending.contains_key(&key) {
            key.1.title.clear();
            if !self.pending.contains_key(&key) {
                key.1.class.clear();
            }
        }
        let known = self.pending.entry(key).or_default();
        known.count = known.count.saturating_add(count);
        known.sample.merge(sample);
    }

    fn sum(&mut self, reason: LossReason, class: &str, count: u64) {
        let mut key = (i32::from(reason), class.to_owned());
        if self.totals.len() >= TOTALS && !self.totals.contains_key(&key) {
            key.1.clear();
        }
        let total = self.totals.entry(key).or_default();
        *total = total.saturating_add(count);
    }

    /// What was ever noted, by reason and class.
    pub fn totals(&self) -> Vec<LossCount> {
        let total = |((reason, class), count): (&(i32, String), &u64)| LossCount {
            reason: *reason,
            class: class.clone(),
            count: *count,
        };
        self.totals.iter().map(total).collect()
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
        let entry = |((reason, of), pending): (&(i32, Lost), &Pending)| Entry {
            reason: LossReason::try_from(*reason).unwrap_or_default(),
            of: of.clone(),
            count: pending.count,
            sample: pending.sample.clone(),
        };
        self.pending.iter().map(entry).collect()
    }

    /// Forgets what was told. More of the same that came in between stays.
    pub fn told(&mut self, entry: &Entry) {
        let key = (i32::from(entry.reason), entry.of.clone());
        if let Some(pending) = self.pending.get_mut(&key) {
            pending.count = pending.count.saturating_sub(entry.count);
            if pending.count == 0 {
                self.pending.remove(&key);
            } else if pending.sample == entry.sample {
                pending.sample = Sample::default();
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

    #[test]
    fn sums_go_on_after_they_were_told_and_are_bounded() {
        let mut losses = Losses::default();
        for n in 0..1_000 {
            let of = Lost {
                class: format!("program.{n}"),
                ..Lost::default()
            };
            losses.add(LossReason::RateLimit, of, 1);
            for entry in losses.pending() {
                losses.told(&entry);
            }
        }
        let totals = losses.totals();
        assert!(totals.len() <= proto::limits::LOSS_COUNTS);
        assert_eq!(totals.iter().map(|total| total.count).sum::<u64>(), 1_000);
    }
}

//! An account of sequences that were given up: how many records and events of each class.

use std::collections::BTreeMap;

use crate::Worth;

/// Classes that are told apart in one gap; further ones count as the class "".
pub(crate) const MAX_CLASSES: usize = 64;
/// Largest name of a class, bytes; of a longer one the beginning counts.
const MAX_CLASS_BYTES: usize = 64;

/// What was given up, by class. The sequences of a gap are taken to be in the order of the classes' names: so each part of
/// it has a class, and what is acknowledged of a gap says what is left.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    classes: BTreeMap<String, Count>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Count {
    /// At least 1.
    records: u64,
    events: u64,
}

/// The part of a gap that is of one class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) class: String,
    pub(crate) records: u64,
    pub(crate) events: u64,
}

impl Tally {
    /// Counts one record.
    pub(crate) fn add(&mut self, worth: &Worth) {
        let class = &worth.class[..worth.class.floor_char_boundary(MAX_CLASS_BYTES)];
        let one = Count {
            records: 1,
            events: worth.events,
        };
        self.count(class, one);
    }

    /// Counts what another gap counted.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (class, count) in &other.classes {
            self.count(class, *count);
        }
    }

    fn count(&mut self, class: &str, count: Count) {
        let is_full = self.classes.len() >= MAX_CLASSES - 1 && !self.classes.contains_key(class);
        let class = if is_full { "" } else { class };
        let known = self.classes.entry(class.to_owned()).or_default();
        known.records = known.records.saturating_add(count.records);
        known.events = known.events.saturating_add(count.events);
    }

    /// Sequences that it counts.
    pub(crate) fn records(&self) -> u64 {
        let records = self.classes.values().map(|count| count.records);
        records.fold(0, u64::saturating_add)
    }

    /// The part of one class that lies `skip` sequences from the beginning. Where a part is begun in the middle its
    /// events are shared out evenly.
    pub(crate) fn part(&self, skip: u64) -> Option<Part> {
        let mut passed = 0_u64;
        for (class, count) in &self.classes {
            let left = passed.saturating_add(count.records).saturating_sub(skip);
            if left > 0 {
                let records = left.min(count.records);
                return Some(Part {
                    class: class.clone(),
                    records,
                    events: share(count.events, records, count.records),
                });
            }
            passed = passed.saturating_add(count.records);
        }
        None
    }

    /// What is left after the first `skip` sequences.
    pub(crate) fn after(&self, skip: u64) -> Self {
        let (mut left, mut at) = (Self::default(), skip);
        while let Some(part) = self.part(at) {
            at = at.saturating_add(part.records);
            let count = Count {
                records: part.records,
                events: part.events,
            };
            left.classes.insert(part.class, count);
        }
        left
    }

    /// For each class 8 bytes of records, 8 bytes of events, one byte of its name's length, the name.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (class, count) in &self.classes {
            bytes.extend(count.records.to_le_bytes());
            bytes.extend(count.events.to_le_bytes());
            bytes.push(u8::try_from(class.len()).unwrap_or(0));
            bytes.extend(class.as_bytes());
        }
        bytes
    }

    /// `None` for bytes that no tally has.
    pub(crate) fn decode(mut bytes: &[u8]) -> Option<Self> {
        let mut tally = Self::default();
        while !bytes.is_empty() {
            let (records, rest) = bytes.split_first_chunk()?;
            let (events, rest) = rest.split_first_chunk()?;
            let (length, rest) = rest.split_first()?;
            let (class, rest) = rest.split_at_checked(usize::from(*length))?;
            let class = str::from_utf8(class).ok()?;
            let count = Count {
                records: u64::from_le_bytes(*records),
                events: u64::from_le_bytes(*events),
            };
            let is_new = tally.classes.insert(class.to_owned(), count).is_none();
            if count.records == 0 || !is_new || tally.classes.len() > MAX_CLASSES {
                return None;
            }
            bytes = rest;
        }
        (!tally.classes.is_empty()).then_some(tally)
    }
}

/// `part` of `whole` of the events.
fn share(events: u64, part: u64, whole: u64) -> u64 {
    let share = u128::from(events) * u128::from(part) / u128::from(whole.max(1));
    u64::try_from(share).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn worth(class: &str, events: u64) -> Worth {
        Worth {
            class: class.to_owned(),
            is_critical: false,
            events,
        }
    }

    fn tally(of: &[(&str, u64)]) -> Tally {
        let mut tally = Tally::default();
        for (class, events) in of {
            tally.add(&worth(class, *events));
        }
        tally
    }

    fn parts(tally: &Tally) -> Vec<(String, u64, u64)> {
        let (mut parts, mut at) = (Vec::new(), 0);
        while let Some(part) = tally.part(at) {
            at += part.records;
            parts.push((part.class, part.records, part.events));
        }
        parts
    }

    #[test]
    fn a_gap_has_a_part_for_each_class() {
        let tally = tally(&[("b", 1), ("a", 10), ("b", 1), ("a", 20)]);
        assert_eq!(tally.records(), 4);
        assert_eq!(parts(&tally), [("a".into(), 2, 30), ("b".into(), 2, 2)]);
        assert_eq!(parts(&tally.after(1)), [("a".into(), 1, 15), ("b".into(), 2, 2)]);
        assert_eq!(parts(&tally.after(2)), [("b".into(), 2, 2)]);
        assert_eq!(tally.after(4), Tally::default());
    }

    #[test]
    fn many_classes_and_long_names_stay_within_limits_and_all_is_counted() {
        let mut tally = Tally::default();
        for class in 0..1000 {
            tally.add(&worth(&format!("{class} {}", "ä".repeat(200)), 3));
        }
        assert_eq!(tally.records(), 1000);
        assert!(tally.encode().len() <= MAX_CLASSES * (17 + MAX_CLASS_BYTES));
        assert_eq!(parts(&tally).iter().map(|part| part.2).sum::<u64>(), 3000);
        assert_eq!(Tally::decode(&tally.encode()), Some(tally));
    }

    #[test]
    fn the_bytes_of_version_2_do_not_change() {
        assert_eq!(
            tally(&[("oom", 1), ("loss", 258)]).encode(),
            b"\x01\0\0\0\0\0\0\0\x02\x01\0\0\0\0\0\0\x04loss\x01\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x03oom"
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_tally_or_none(bytes in vec(any::<u8>(), 0..200)) {
            if let Some(tally) = Tally::decode(&bytes) {
                prop_assert_eq!(Tally::decode(&tally.encode()), Some(tally));
            }
        }
    }
}

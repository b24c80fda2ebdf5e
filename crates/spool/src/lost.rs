//! Which sequences are lost, and why.

use crate::GapReason;

/// Lost sequences that follow each other for one reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) first: u64,
    pub(crate) last: u64,
    pub(crate) reason: GapReason,
}

/// Disjoint ranges in order.
#[derive(Debug, Default)]
pub(crate) struct Lost {
    ranges: Vec<Range>,
}

impl Lost {
    /// Adds what of `first..=last` is not lost already. An empty range adds nothing.
    pub(crate) fn insert(&mut self, first: u64, last: u64, reason: GapReason) {
        let mut at = first;
        while at <= last {
            let index = self.ranges.partition_point(|range| range.last < at);
            match self.ranges.get(index).copied() {
                Some(known) if known.first <= at => at = known.last + 1,
                known => {
                    let end = known.map_or(last, |known| last.min(known.first - 1));
                    self.ranges.insert(
                        index,
                        Range {
                            first: at,
                            last: end,
                            reason,
                        },
                    );
                    at = end + 1;
                }
            }
        }
    }

    /// The range that `seq` is in.
    pub(crate) fn containing(&self, seq: u64) -> Option<Range> {
        self.from(seq).filter(|range| range.first <= seq)
    }

    /// The first lost sequence at or after `seq`.
    pub(crate) fn next(&self, seq: u64) -> Option<u64> {
        self.from(seq).map(|range| range.first.max(seq))
    }

    fn from(&self, seq: u64) -> Option<Range> {
        self.ranges
            .get(self.ranges.partition_point(|range| range.last < seq))
            .copied()
    }

    /// Forgets what lies wholly at or before `seq`.
    pub(crate) fn forget(&mut self, seq: u64) {
        let keep_from = self.ranges.partition_point(|range| range.last <= seq);
        self.ranges.drain(..keep_from);
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Range> + '_ {
        self.ranges.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranges(lost: &Lost) -> Vec<(u64, u64)> {
        lost.iter().map(|range| (range.first, range.last)).collect()
    }

    #[test]
    fn overlapping_ranges_are_stored_once() {
        let mut lost = Lost::default();
        lost.insert(5, 6, GapReason::Unreadable);
        lost.insert(9, 9, GapReason::Unreadable);
        lost.insert(3, 12, GapReason::Evicted);
        assert_eq!(ranges(&lost), [(3, 4), (5, 6), (7, 8), (9, 9), (10, 12)]);
        assert_eq!(
            lost.containing(8).map(|range| range.reason),
            Some(GapReason::Evicted)
        );
        assert_eq!(
            lost.containing(5).map(|range| range.reason),
            Some(GapReason::Unreadable)
        );
    }

    #[test]
    fn next_finds_the_first_lost_sequence_from_there() {
        let mut lost = Lost::default();
        lost.insert(4, 6, GapReason::Unreadable);
        assert_eq!(
            (lost.next(1), lost.next(5), lost.next(7)),
            (Some(4), Some(5), None)
        );
        lost.forget(5);
        assert_eq!(ranges(&lost), [(4, 6)]);
        lost.forget(6);
        assert_eq!(ranges(&lost), []);
    }
}

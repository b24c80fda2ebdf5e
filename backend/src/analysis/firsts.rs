//! When hosts had issues first.

use crate::store::{History, Seen};

/// The first time in the days that are looked at that a host had an issue.
#[derive(Clone, Copy, Debug)]
pub(super) struct First {
    /// The place of the issue, or of what it was merged into.
    pub(super) issue: usize,
    /// When and in what.
    pub(super) seen: Seen,
    /// The host had it before these days already.
    pub(super) had: bool,
}

/// Of each issue that a host had the first time. `looked_at` is of `Histories::looked_at`.
pub(super) fn firsts(host: &History, looked_at: &[Option<usize>]) -> Vec<First> {
    let first = |seen: &Seen| {
        looked_at[seen.issue as usize].map(|issue| First {
            issue,
            seen: *seen,
            had: false,
        })
    };
    let mut firsts: Vec<First> = host.seen.iter().filter_map(first).collect();
    firsts.sort_unstable_by_key(|first| (first.issue, first.seen.first_at));
    firsts.dedup_by_key(|first| first.issue);
    for had in &host.had {
        if let Ok(place) = firsts.binary_search_by_key(had, |first| first.issue) {
            firsts[place].had = true;
        }
    }
    firsts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::samples::{A41, MERGED, NOTE, OOPS, STALL, fleet, host, watch};

    #[test]
    fn merged_issues_are_one_and_what_was_there_before_is_known() {
        let one = host(
            &[],
            &[
                (OOPS, A41, 5),
                (MERGED, A41, 3),
                (STALL, A41, 4),
                (NOTE, A41, 1),
                (STALL, A41, 2),
            ],
        );
        let other = History {
            had: vec![OOPS as usize, NOTE as usize],
            ..host(&[], &[(OOPS, A41, 5), (STALL, A41, 6)])
        };
        let histories = fleet(vec![one, other]);
        let looked_at = histories.looked_at(&watch());
        let told = |number: usize| {
            let firsts = firsts(&histories.hosts[number], &looked_at);
            let told = firsts
                .iter()
                .map(|first| (first.issue, first.seen.day, first.had));
            told.collect::<Vec<_>>()
        };
        assert_eq!(told(0), [(0, 3, false), (1, 2, false)]);
        assert_eq!(told(1), [(0, 5, true), (1, 6, false)]);
    }
}

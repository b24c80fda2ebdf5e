//! What two groups of hosts come to.

use std::collections::HashMap;

use super::Asked;
use crate::{
    analysis::{
        days::HOUR,
        firsts::{First, firsts},
    },
    store::{Dimension, Histories, History, KnownIssue},
};

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Side {
    /// What is compared to.
    From,
    /// What is compared.
    To,
}

/// For how long hosts of one stratum were watched.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Watched<'a> {
    /// In which of the two.
    pub(super) side: Side,
    /// The model that they have in common with those of the other side, or the build.
    pub(super) stratum: &'a str,
    /// Hosts, each in one stratum of a side, however many it was in.
    pub(super) hosts: u64,
    /// Host-hours.
    pub(super) hours: f64,
}

/// Hosts of one stratum that had an issue first.
#[derive(Clone, Debug)]
pub(super) struct Affected<'a> {
    /// In which of the two.
    pub(super) side: Side,
    /// As in [`Watched`].
    pub(super) stratum: &'a str,
    /// The issue; None: any of those that are looked at.
    pub(super) issue: Option<&'a KnownIssue>,
    /// Hosts that had it for the first time, ever; where it is any, in the days that are looked at.
    pub(super) hosts: u64,
    /// Host-hours of the days after hosts had it first, wherever that was: they had nothing left to have first.
    pub(super) hours_after: f64,
}

/// What hosts have in common that are held against each other; a model has no other model beside it.
fn stratum(by: Dimension) -> Dimension {
    match by {
        Dimension::Build | Dimension::Kernel => Dimension::Model,
        Dimension::Model => Dimension::Build,
    }
}

/// A side, and the place of a stratum.
type Group = (Side, usize);

/// For how long two groups were watched, and how many of their hosts had which issue first.
pub(super) fn side_by_side<'a>(
    histories: &'a Histories,
    asked: &Asked,
) -> (Vec<Watched<'a>>, Vec<Affected<'a>>) {
    let looked_at = histories.looked_at(&asked.watch);
    let (names, stratum_of) = histories.names(stratum(asked.by));
    let side = |name: &str| match name {
        name if name == asked.to => Some(Side::To),
        name if name == asked.from => Some(Side::From),
        _ => None,
    };
    let systems = histories.systems.iter().zip(stratum_of);
    let groups: Vec<Option<Group>> = systems
        .map(|(system, stratum)| Some((side(system.name(asked.by))?, stratum)))
        .collect();
    let mut sums = Sums::default();
    for host in &histories.hosts {
        sums.add(host, &groups, &firsts(host, &looked_at));
    }
    let watched = sums
        .watched
        .into_iter()
        .map(|((side, stratum), (hosts, hours))| Watched {
            side,
            stratum: names[stratum],
            hosts,
            hours,
        });
    let affected = sums.affected.into_iter();
    let affected = affected.map(|(((side, stratum), issue), (hosts, hours_after))| Affected {
        side,
        stratum: names[stratum],
        issue: issue.map(|issue| &histories.issues[issue]),
        hosts,
        hours_after,
    });
    (watched.collect(), affected.collect())
}

/// Hosts and hours: of each group, and of each issue (None: of any) in each group.
#[derive(Debug, Default)]
struct Sums {
    watched: HashMap<Group, (u64, f64)>,
    affected: HashMap<(Group, Option<usize>), (u64, f64)>,
}

impl Sums {
    /// Adds a host. Where it had an issue first of all counts, for one of the two, for both or for neither: a host that had it before is
    /// not a new one.
    fn add(&mut self, host: &History, groups: &[Option<Group>], firsts: &[First]) {
        let days = days_by_group(host, groups);
        let mut counted = None;
        for of_group in days.chunk_by(|a, b| a.0 == b.0) {
            let (side, _) = of_group[0].0;
            let sum = self.watched.entry(of_group[0].0).or_default();
            // The groups of a side come one after the other.
            sum.0 += u64::from(counted.replace(side) != Some(side));
            sum.1 += of_group.iter().map(|(.., hours)| hours).sum::<f64>();
        }
        let first_of_any = firsts.iter().min_by_key(|first| first.seen.first_at);
        let of_any = first_of_any.map(|first| (None, first.seen, false));
        let of_each = firsts
            .iter()
            .map(|first| (Some(first.issue), first.seen, first.had));
        for (issue, seen, had) in of_each.chain(of_any) {
            if let Some(group) = groups[seen.system as usize].filter(|_| !had) {
                self.affected.entry((group, issue)).or_default().0 += 1;
                // It failed before its first heartbeat there.
                if issue.is_none() && days.iter().all(|((side, _), ..)| *side != group.0) {
                    self.watched.entry(group).or_default().0 += 1;
                }
            }
            for of_group in days.chunk_by(|a, b| a.0 == b.0) {
                let after = of_group.iter().filter(|(_, day, _)| had || *day > seen.day);
                let hours: f64 = after.map(|(.., hours)| hours).sum();
                if hours > 0.0 {
                    self.affected.entry((of_group[0].0, issue)).or_default().1 += hours;
                }
            }
        }
    }
}

/// For how many hours a host was watched on which day, by group.
fn days_by_group(host: &History, groups: &[Option<Group>]) -> Vec<(Group, u16, f64)> {
    let mut days: Vec<(Group, u16, f64)> = host
        .watched
        .iter()
        .filter_map(|watched| {
            let group = groups[watched.system as usize]?;
            Some((group, watched.day, watched.seconds / HOUR))
        })
        .collect();
    days.sort_unstable_by_key(|(group, day, _)| (*group, *day));
    days
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        analysis::samples::{A41, A42, B41, B42, OOPS, STALL, asked, fleet, host},
        store::History,
    };

    #[test]
    fn who_fails_before_the_first_heartbeat_of_a_build_is_a_host_of_it() {
        let histories = fleet(vec![
            host(&[(A41, 0..4)], &[(OOPS, A42, 4)]),
            host(&[(A41, 0..4), (A42, 4..10)], &[]),
        ]);
        let (mut watched, _) = side_by_side(&histories, &asked());
        watched.sort_by_key(|one| one.side);
        let told: Vec<_> = watched
            .iter()
            .map(|one| (one.side, one.hosts, one.hours))
            .collect();
        assert_eq!(told, [(Side::From, 2, 192.0), (Side::To, 2, 144.0)]);
    }

    #[test]
    fn a_first_fault_counts_where_it_came_and_no_hour_after_it() {
        let updated = host(
            &[(A41, 0..4), (A42, 4..10)],
            &[(OOPS, A41, 1), (OOPS, A42, 6), (STALL, A42, 7)],
        );
        let known = History {
            had: vec![OOPS as usize],
            ..host(&[(B42, 0..10)], &[(OOPS, B42, 9)])
        };
        let histories = fleet(vec![updated, known, host(&[(B41, 0..10)], &[])]);
        let (mut watched, mut affected) = side_by_side(&histories, &asked());
        watched.sort_by_key(|one| (one.side, one.stratum));
        let told: Vec<_> = watched
            .iter()
            .map(|one| (one.side, one.stratum, one.hosts, one.hours))
            .collect();
        assert_eq!(
            told,
            [
                (Side::From, "A", 1, 96.0),
                (Side::From, "B", 1, 240.0),
                (Side::To, "A", 1, 144.0),
                (Side::To, "B", 1, 240.0)
            ]
        );

        affected.sort_by_key(|one| (one.issue.map(|issue| issue.id), one.side, one.stratum));
        let of = |issue: Option<u32>| {
            let id = issue.map(|issue| histories.issues[issue as usize].id);
            let of_issue = affected
                .iter()
                .filter(|one| one.issue.map(|issue| issue.id) == id);
            let told = of_issue.map(|one| (one.side, one.stratum, one.hosts, one.hours_after));
            told.collect::<Vec<_>>()
        };
        assert_eq!(
            of(Some(OOPS)),
            [
                (Side::From, "A", 1, 48.0),
                (Side::To, "A", 0, 144.0),
                (Side::To, "B", 0, 240.0)
            ],
            "who had it before had nothing left to have first"
        );
        assert_eq!(of(Some(STALL)), [(Side::To, "A", 1, 48.0)]);
        assert_eq!(
            of(None),
            [
                (Side::From, "A", 1, 48.0),
                (Side::To, "A", 0, 144.0),
                (Side::To, "B", 1, 0.0)
            ],
            "of any it is the first in these days"
        );
    }
}

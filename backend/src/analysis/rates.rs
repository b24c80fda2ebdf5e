//! How often do hosts fail?

use serde::Serialize;
use statistics::{Alpha, Counted};
use utoipa::ToSchema;

use super::{
    AnalysisError, Bounds, alpha,
    days::{HOUR, LEAST_HOURS, PER_HOURS, hours},
    of_histories,
};
use crate::store::{Dimension, Histories, History, KnownIssue, Seen, Store, Watch};

/// Groups that are told at most: those that were watched longest, of classes the most frequent.
const GROUPS: usize = 500;

/// The rate of a group of hosts.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Rate {
    /// The build, kernel, model or class.
    pub name: String,
    /// Hosts that were watched.
    pub hosts: u64,
    /// Hours for which they were.
    pub host_hours: f64,
    /// Of these, hosts that had a fault.
    pub affected: u64,
    /// Days on which a host had a fault.
    pub fault_days: u64,
    /// Faults, which storms may have many of.
    pub faults: u64,
    /// Days with a fault in 1000 host-hours.
    pub rate: f64,
    /// Its bounds, which allow for hosts that have faults on several days.
    #[serde(flatten)]
    pub bounds: Bounds,
}

/// Rates by build, kernel or model, those that were watched longest first; at most 500.
pub async fn rates(
    store: &Store,
    by: Dimension,
    watch: &Watch,
    confidence: f64,
) -> Result<Vec<Rate>, AnalysisError> {
    let alpha = alpha(confidence)?;
    of_histories(store, watch, move |histories, watch| {
        let groups = groups(histories, by, watch).into_iter();
        groups.map(|group| group.rate(alpha)).collect()
    })
    .await
}

/// Rates of the whole fleet by class of fault, those first that hosts have on most days; at most 500.
pub async fn rates_by_class(
    store: &Store,
    watch: &Watch,
    confidence: f64,
) -> Result<Vec<Rate>, AnalysisError> {
    let alpha = alpha(confidence)?;
    of_histories(store, watch, move |histories, watch| {
        let classes = classes(histories, watch).into_iter();
        classes.map(|class| class.rate(alpha)).collect()
    })
    .await
}

/// Hosts of one build, kernel or model, or all hosts and faults of one class.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Group {
    /// What they have in common.
    pub(super) name: String,
    /// How many were watched.
    pub(super) hosts: u64,
    /// For how many hours together.
    hours: f64,
    /// Of these, hosts that had a fault.
    affected: u64,
    /// Days on which a host had a fault, of all hosts.
    host_days: u64,
    /// The squares of these days of each host, summed up.
    squares: u64,
    /// Faults.
    records: u64,
}

impl Group {
    fn rate(self, alpha: Alpha) -> Result<Rate, AnalysisError> {
        let rate = statistics::rate::rate(clustered(&self), alpha)?;
        Ok(Rate {
            name: self.name,
            hosts: self.hosts,
            host_hours: self.hours,
            affected: self.affected,
            fault_days: self.host_days,
            faults: self.records,
            rate: rate.estimate,
            bounds: rate.interval.into(),
        })
    }
}

fn groups(histories: &Histories, by: Dimension, watch: &Watch) -> Vec<Group> {
    let mut groups = watched(histories, by);
    let (_, group_of) = histories.names(by);
    // What a host had where it was not watched is divided by no hours. It need not have been watched on that day: faults are of the
    // day on which they came here, hours of the day on which they were.
    add_faults(&mut groups, histories, watch, |host, seen, _| {
        let group = group_of[seen.system as usize];
        let mut watched = host.watched.iter();
        watched
            .any(|one| group_of[one.system as usize] == group)
            .then_some(group)
    });
    groups.retain(|group| group.hosts > 0);
    groups.sort_by(|a, b| b.hours.total_cmp(&a.hours).then_with(|| a.name.cmp(&b.name)));
    groups.truncate(GROUPS);
    groups
}

/// How many hosts of each name were watched and for how long, in the order of [`Histories::names`]; without their faults.
pub(super) fn watched(histories: &Histories, by: Dimension) -> Vec<Group> {
    let (names, group_of) = histories.names(by);
    let group = |name: &str| Group {
        name: name.to_owned(),
        ..Group::default()
    };
    let mut groups: Vec<Group> = names.into_iter().map(group).collect();
    for host in &histories.hosts {
        let mut watched: Vec<usize> = Vec::new();
        for one in &host.watched {
            let group = group_of[one.system as usize];
            groups[group].hours += one.seconds / HOUR;
            if !watched.contains(&group) {
                watched.push(group);
                groups[group].hosts += 1;
            }
        }
    }
    groups
}

fn classes(histories: &Histories, watch: &Watch) -> Vec<Group> {
    let all = Group {
        hosts: histories.hosts.len() as u64,
        hours: hours(histories).into_iter().sum::<f64>().max(LEAST_HOURS),
        ..Group::default()
    };
    let mut names: Vec<&str> = histories
        .issues
        .iter()
        .map(|issue| issue.class.as_str())
        .collect();
    names.sort_unstable();
    names.dedup();
    let place = |issue: &KnownIssue| names.binary_search(&issue.class.as_str()).unwrap_or_default();
    let class_of: Vec<usize> = histories.issues.iter().map(place).collect();
    let mut classes = vec![all; names.len()];
    add_faults(&mut classes, histories, watch, |_, _, counts_for| {
        Some(class_of[counts_for])
    });
    for (class, name) in classes.iter_mut().zip(names) {
        name.clone_into(&mut class.name);
    }
    classes.retain(|class| class.affected > 0);
    classes.sort_by(|a, b| b.host_days.cmp(&a.host_days).then_with(|| a.name.cmp(&b.name)));
    classes.truncate(GROUPS);
    classes
}

/// Adds what hosts had to the groups that it is of; `group_of` is told the place of the issue that it counts for, and may say that it
/// is of none.
fn add_faults(
    groups: &mut [Group],
    histories: &Histories,
    watch: &Watch,
    group_of: impl Fn(&History, &Seen, usize) -> Option<usize>,
) {
    let looked_at = histories.looked_at(watch);
    for host in &histories.hosts {
        let mut days: Vec<(usize, u16)> = Vec::new();
        for seen in &host.seen {
            if let Some(counts_for) = looked_at[seen.issue as usize]
                && let Some(group) = group_of(host, seen, counts_for)
            {
                groups[group].records += seen.records;
                days.push((group, seen.day));
            }
        }
        days.sort_unstable();
        days.dedup();
        for of_group in days.chunk_by(|a, b| a.0 == b.0) {
            let (group, days) = (&mut groups[of_group[0].0], of_group.len() as u64);
            group.affected += 1;
            group.host_days += days;
            group.squares += days * days;
        }
    }
}

/// Days with a fault come in clusters, one for each host that has any. A sum of clusters of d days has the variance of a Poisson
/// count times E(d^2) / E(d), so that it says as much as a Poisson count that is smaller by this factor (the variance of a
/// compound Poisson sum: W. Feller, An Introduction to Probability Theory I, 3rd edition, XII.2).
fn clustered(group: &Group) -> Counted {
    if group.squares == 0 {
        return Counted {
            events: 0,
            exposure: group.hours / PER_HOURS,
        };
    }
    // n / (E(d^2) / E(d)) = n^2 / sum of d^2, rounded; between 1 and n.
    let events = (u128::from(group.host_days).pow(2) / u128::from(group.squares)).max(1);
    let events = u64::try_from(events).unwrap_or(group.host_days);
    Counted {
        events,
        exposure: group.hours / PER_HOURS * super::share(events, group.host_days),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::samples::{A41, A42, B42, NOTE, OOPS, STALL, fleet, host, watch};

    #[test]
    fn hosts_count_in_each_build_that_they_ran_and_days_once() {
        let histories = fleet(vec![
            host(
                &[(A41, 0..4), (A42, 4..10)],
                &[
                    (OOPS, A41, 1),
                    (STALL, A41, 1),
                    (OOPS, A41, 2),
                    (OOPS, A42, 4),
                    (NOTE, A42, 5),
                ],
            ),
            host(&[(B42, 0..10)], &[(STALL, B42, 9)]),
        ]);
        let group = |name: &str, hours, affected, host_days, squares, records| Group {
            name: name.to_owned(),
            hosts: affected,
            hours,
            affected,
            host_days,
            squares,
            records,
        };
        assert_eq!(
            groups(&histories, Dimension::Build, &watch()),
            [
                group("42", 16.0 * 24.0, 2, 2, 2, 10),
                group("41", 4.0 * 24.0, 1, 2, 4, 15)
            ]
        );
        let models = groups(&histories, Dimension::Model, &watch());
        assert_eq!(
            models,
            [group("A", 240.0, 1, 3, 9, 20), group("B", 240.0, 1, 1, 1, 5)],
            "as long watched are told by name"
        );
        let stalls = Watch {
            class: "kernel.rcu_stall".to_owned(),
            ..watch()
        };
        assert_eq!(groups(&histories, Dimension::Build, &stalls)[0].records, 5);
        assert_eq!(groups(&fleet(Vec::new()), Dimension::Build, &watch()), []);
    }

    #[test]
    fn what_hosts_had_in_a_build_in_which_they_were_not_watched_is_no_part_of_its_rate() {
        let elsewhere = || host(&[(A41, 0..4)], &[(OOPS, A42, 5)]);
        let late = host(&[(A42, 0..4)], &[(OOPS, A42, 6)]);
        let histories = fleet(vec![elsewhere(), elsewhere(), late]);
        let groups = groups(&histories, Dimension::Build, &watch());
        let told: Vec<_> = groups
            .iter()
            .map(|group| (group.name.as_str(), group.hosts, group.affected, group.host_days))
            .collect();
        assert_eq!(told, [("41", 2, 0, 0), ("42", 1, 1, 1)]);
    }

    #[test]
    fn classes_are_of_all_hosts() {
        let histories = fleet(vec![
            host(&[(A41, 0..10)], &[(OOPS, A41, 1), (OOPS, A41, 2), (NOTE, A41, 3)]),
            host(&[(B42, 0..10)], &[(STALL, B42, 9), (OOPS, B42, 9)]),
        ]);
        let class = |name: &str, affected, host_days, squares, records| Group {
            name: name.to_owned(),
            hosts: 2,
            hours: 480.0,
            affected,
            host_days,
            squares,
            records,
        };
        assert_eq!(
            classes(&histories, &watch()),
            [
                class("kernel.oops", 2, 3, 5, 15),
                class("kernel.rcu_stall", 1, 1, 1, 5)
            ],
            "a note is not severe enough"
        );
    }

    #[test]
    fn clusters_widen_the_bounds_and_leave_the_rate() {
        let group = |squares| Group {
            name: String::new(),
            hosts: 100,
            hours: 50_000.0,
            affected: 0,
            host_days: 60,
            squares,
            records: 0,
        };
        let alpha = statistics::Alpha::FIVE_PERCENT;
        let apart = statistics::rate::rate(clustered(&group(60)), alpha).unwrap();
        let together = statistics::rate::rate(clustered(&group(360)), alpha).unwrap();
        assert!((apart.estimate - 1.2).abs() < 1e-12 && (together.estimate - 1.2).abs() < 1e-12);
        assert!(together.interval.low < apart.interval.low && together.interval.high > apart.interval.high);
        let nothing = Group {
            host_days: 0,
            ..group(0)
        };
        assert_eq!(clustered(&nothing).events, 0);
    }
}

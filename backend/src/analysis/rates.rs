//! How often do hosts fail?

use serde::Serialize;
use statistics::Counted;
use utoipa::ToSchema;

use super::{AnalysisError, Bounds, alpha, days::HOUR, of_histories};
use crate::store::{Dimension, Histories, Store, Watch};

/// Hours that a rate is told for.
const PER_HOURS: f64 = 1000.0;
/// Groups that are told at most: those that were watched longest.
const GROUPS: usize = 500;

/// The rate of a group of hosts.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Rate {
    /// The build, kernel or model.
    pub name: String,
    /// Hosts that were watched.
    pub hosts: u64,
    /// Hours for which they were.
    pub host_hours: f64,
    /// Hosts that had a fault.
    pub affected: u64,
    /// Days on which a host had a fault.
    pub fault_days: u64,
    /// Faults, which storms may have many of.
    pub faults: u64,
    /// Days with a fault in 1000 host-hours.
    pub rate: f64,
    /// Its bounds, which allow for hosts that have faults on several days.
    pub rate_bounds: Bounds,
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
        let rate = |group: Group| {
            let rate = statistics::rate::rate(clustered(&group), alpha)?;
            Ok(Rate {
                name: group.name,
                hosts: group.hosts,
                host_hours: group.hours,
                affected: group.affected,
                fault_days: group.host_days,
                faults: group.records,
                rate: rate.estimate,
                rate_bounds: rate.interval.into(),
            })
        };
        groups(histories, by, watch).into_iter().map(rate).collect()
    })
    .await
}

/// Hosts of one build, kernel or model.
#[derive(Clone, Debug, Default, PartialEq)]
struct Group {
    /// What they have in common.
    name: String,
    /// How many were watched.
    hosts: u64,
    /// For how many hours together.
    hours: f64,
    /// Hosts that had a fault.
    affected: u64,
    /// Days on which a host had a fault, of all hosts.
    host_days: u64,
    /// The squares of these days of each host, summed up.
    squares: u64,
    /// Faults.
    records: u64,
}

fn groups(histories: &Histories, by: Dimension, watch: &Watch) -> Vec<Group> {
    let looked_at = histories.looked_at(watch);
    let (names, group_of) = histories.names(by);
    let mut groups = vec![Group::default(); names.len()];
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
        let mut days: Vec<(usize, u16)> = Vec::new();
        for seen in host
            .seen
            .iter()
            .filter(|seen| looked_at[seen.issue as usize].is_some())
        {
            let group = group_of[seen.system as usize];
            groups[group].records += seen.records;
            days.push((group, seen.day));
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
    for (group, name) in groups.iter_mut().zip(names) {
        name.clone_into(&mut group.name);
    }
    groups.retain(|group| group.hosts > 0);
    groups.sort_by(|a, b| b.hours.total_cmp(&a.hours).then_with(|| a.name.cmp(&b.name)));
    groups.truncate(GROUPS);
    groups
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

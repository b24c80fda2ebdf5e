//! Which issues are on the rise?

use std::collections::BTreeMap;

use serde::Serialize;
use statistics::{
    Counted,
    change::{Rise, rise},
    discovery,
};
use utoipa::ToSchema;

use super::{AnalysisError, days::hours, digits, finite, firsts::firsts, of_histories};
use crate::store::{Histories, KnownIssue, Store, Watch};

/// An issue that more hosts come to have than before.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Escalation {
    /// The issue, 32 hexadecimal digits.
    pub issue: String,
    /// Its class.
    pub class: String,
    /// Its title.
    pub title: String,
    /// For how many days it has been more; 1: since today.
    pub days: u64,
    /// How many times as often as before; left out where it was not there before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ratio: Option<f64>,
    /// At most so probable without a rise.
    pub p_value: f64,
    /// Expected part of false ones among those that are at least as sure.
    pub q_value: f64,
    /// Hosts that had it for the first time on each day, the oldest first.
    pub hosts: Vec<u64>,
}

/// Issues on the rise with q ≤ `false_part`, the surest first.
///
/// Counted are the hosts that had an issue for the first time, ever, on each day; what they are divided by is the host-hours of that day, so that a
/// growing fleet is no escalation.
pub async fn escalations(
    store: &Store,
    watch: &Watch,
    false_part: f64,
) -> Result<Vec<Escalation>, AnalysisError> {
    if !(0.0..=1.0).contains(&false_part) {
        return Err(statistics::Invalid::Probability.into());
    }
    of_histories(store, watch, move |histories, watch| {
        found(series(histories, watch), false_part)
    })
    .await
}

/// Days one after the other.
#[derive(Debug)]
struct Series<'a> {
    /// Host-hours of each day, the oldest first.
    hours: Vec<f64>,
    /// Issues that hosts had for the first time on these days, with how many did, day by day.
    issues: Vec<(&'a KnownIssue, Vec<u64>)>,
}

fn series<'a>(histories: &'a Histories, watch: &Watch) -> Series<'a> {
    let looked_at = histories.looked_at(watch);
    let mut hosts: BTreeMap<usize, Vec<u64>> = BTreeMap::new();
    for host in &histories.hosts {
        for first in firsts(host, &looked_at).iter().filter(|first| !first.had) {
            let days = hosts
                .entry(first.issue)
                .or_insert_with(|| vec![0; histories.days]);
            if let Some(day) = days.get_mut(usize::from(first.seen.day)) {
                *day += 1;
            }
        }
    }
    let issues = hosts
        .into_iter()
        .map(|(issue, hosts)| (&histories.issues[issue], hosts));
    Series {
        hours: hours(histories),
        issues: issues.collect(),
    }
}

fn found(series: Series<'_>, false_part: f64) -> Result<Vec<Escalation>, AnalysisError> {
    let mut all = Vec::new();
    for (issue, hosts) in series.issues {
        // Hosts that were not watched, by what is known, cannot have a rate.
        let counted = hosts.iter().zip(&series.hours).map(|(events, hours)| Counted {
            events: if *hours > 0.0 { *events } else { 0 },
            exposure: *hours,
        });
        if let Some(rise) = rise(&counted.collect::<Vec<_>>())? {
            all.push((issue, hosts, rise));
        }
    }
    let p_values: Vec<f64> = all.iter().map(|(.., rise)| rise.p_value).collect();
    let q_values = discovery::q_values(&p_values, discovery::Dependence::Positive)?;
    let escalation = |((issue, hosts, rise), q_value): ((&KnownIssue, Vec<u64>, Rise), f64)| Escalation {
        issue: digits(issue.id),
        class: issue.class.clone(),
        title: issue.title.clone(),
        days: (hosts.len() - rise.since) as u64,
        ratio: finite(rise.ratio),
        p_value: rise.p_value,
        q_value,
        hosts,
    };
    let sure = all.into_iter().zip(q_values).filter(|(_, q)| *q <= false_part);
    let mut found: Vec<Escalation> = sure.map(escalation).collect();
    found.sort_by(|a, b| {
        a.p_value
            .total_cmp(&b.p_value)
            .then_with(|| a.issue.cmp(&b.issue))
    });
    Ok(found)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::{
        analysis::samples::{A41, MERGED, NOTE, OOPS, STALL, fleet, host, watch},
        store::History,
    };

    #[test]
    fn hosts_count_on_the_day_on_which_they_had_an_issue_first() {
        let old = History {
            had: vec![OOPS as usize],
            ..host(&[], &[(OOPS, A41, 4), (STALL, A41, 4)])
        };
        let histories = fleet(vec![
            host(
                &[(A41, 3..10)],
                &[(OOPS, A41, 6), (MERGED, A41, 4), (NOTE, A41, 5)],
            ),
            host(&[(A41, 0..10)], &[(OOPS, A41, 4), (STALL, A41, 400)]),
            old,
        ]);
        let series = series(&histories, &watch());
        assert_eq!((series.hours[2], series.hours[3]), (24.0, 48.0));
        let told: Vec<(u128, &[u64])> = series
            .issues
            .iter()
            .map(|(issue, hosts)| (issue.id.as_u128(), hosts.as_slice()))
            .collect();
        assert_eq!(
            told,
            [
                (1, &[0, 0, 0, 0, 2, 0, 0, 0, 0, 0][..]),
                (2, &[0, 0, 0, 0, 1, 0, 0, 0, 0, 0][..])
            ]
        );
    }

    #[test]
    fn a_growing_fleet_is_no_escalation_and_a_growing_issue_is() {
        let issue = |number: u128| KnownIssue {
            id: Uuid::from_u128(number),
            counts_for: 0,
            class: "kernel.oops".to_owned(),
            title: number.to_string(),
            severity: 3,
        };
        let (usual, more, new) = (issue(1), issue(2), issue(3));
        let series = Series {
            hours: vec![100.0, 100.0, 100.0, 1000.0, 1000.0, 1000.0],
            issues: vec![
                (&usual, vec![2, 3, 2, 24, 25, 22]),
                (&more, vec![2, 3, 2, 24, 125, 122]),
                (&new, vec![0, 0, 0, 0, 0, 60]),
            ],
        };
        let found = found(series, 0.001).unwrap();
        let told: Vec<(&str, u64, bool)> = found
            .iter()
            .map(|one| (one.title.as_str(), one.days, one.ratio.is_some()))
            .collect();
        assert_eq!(told, [("3", 1, false), ("2", 2, true)], "{found:?}");
    }
}

//! Which issues are on the rise?

use serde::Serialize;
use statistics::{
    Counted,
    change::{Rise, rise},
    discovery,
};
use utoipa::ToSchema;

use super::{AnalysisError, digits, finite};
use crate::store::{Series, Store, Watch};

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
    let question = format!("escalations {watch:?} {false_part}");
    let found = async { found(store.series(watch).await?, false_part) };
    store.kept(question, found).await
}

fn found(series: Series, false_part: f64) -> Result<Vec<Escalation>, AnalysisError> {
    let mut all = Vec::new();
    for of_issue in series.issues {
        let days: Vec<Counted> = of_issue
            .hosts
            .iter()
            .zip(&series.hours)
            // Hosts that were not watched, by what is known, cannot have a rate.
            .map(|(events, hours)| Counted {
                events: if *hours > 0.0 { *events } else { 0 },
                exposure: *hours,
            })
            .collect();
        if let Some(rise) = rise(&days)? {
            all.push((of_issue, rise));
        }
    }
    let p_values: Vec<f64> = all.iter().map(|(_, rise)| rise.p_value).collect();
    let q_values = discovery::q_values(&p_values, discovery::Dependence::Positive)?;
    let mut found: Vec<Escalation> = all
        .into_iter()
        .zip(q_values)
        .filter(|(_, q)| *q <= false_part)
        .map(
            |(
                (
                    of_issue,
                    Rise {
                        since,
                        ratio,
                        p_value,
                    },
                ),
                q_value,
            )| Escalation {
                issue: digits(of_issue.issue),
                class: of_issue.class,
                title: of_issue.title,
                days: (of_issue.hosts.len() - since) as u64,
                ratio: finite(ratio),
                p_value,
                q_value,
                hosts: of_issue.hosts,
            },
        )
        .collect();
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
    use crate::store::SeriesOfIssue;

    #[test]
    fn a_growing_fleet_is_no_escalation_and_a_growing_issue_is() {
        let issue = |number: u128, hosts: [u64; 6]| SeriesOfIssue {
            issue: Uuid::from_u128(number),
            class: "kernel.oops".to_owned(),
            title: number.to_string(),
            hosts: hosts.to_vec(),
        };
        let series = Series {
            hours: vec![100.0, 100.0, 100.0, 1000.0, 1000.0, 1000.0],
            issues: vec![
                issue(1, [2, 3, 2, 24, 25, 22]),
                issue(2, [2, 3, 2, 24, 125, 122]),
                issue(3, [0, 0, 0, 0, 0, 60]),
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

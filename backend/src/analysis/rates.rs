//! How often do hosts fail?

use serde::Serialize;
use statistics::Counted;
use utoipa::ToSchema;

use super::{AnalysisError, Bounds, alpha};
use crate::store::{Dimension, Group, Store, Watch};

/// Hours that a rate is told for.
const PER_HOURS: f64 = 1000.0;

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
    let question = format!("rates {by:?} {watch:?}");
    let groups = store.kept(question, store.groups(by, watch)).await?;
    let rates = groups.into_iter().map(|group| {
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
    });
    rates.collect()
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

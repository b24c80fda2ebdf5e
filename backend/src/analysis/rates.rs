//! How often do hosts fail?

use serde::Serialize;
use statistics::Counted;

use super::{AnalysisError, Bounds, alpha};
use crate::store::{Dimension, Store, Watch};

/// Hours that a rate is told for.
const PER_HOURS: f64 = 1000.0;

/// The rate of a group of hosts.
#[derive(Clone, Debug, PartialEq, Serialize)]
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
    /// Its bounds: Poisson, exact.
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
    let groups = store.groups(by, watch).await?;
    let rates = groups.into_iter().map(|group| {
        let counted = Counted {
            events: group.host_days,
            exposure: group.hours / PER_HOURS,
        };
        let rate = statistics::rate::rate(counted, alpha)?;
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

//! A fleet day by day.

use serde::Serialize;
use statistics::Counted;
use utoipa::ToSchema;

use super::{AnalysisError, Bounds, alpha, of_histories, real};
use crate::store::{Histories, Store, Watch};

/// Seconds of an hour.
pub(super) const HOUR: f64 = 3600.0;
/// Hours for which a host with a fault was watched at least: its first heartbeat may not have come yet. One minute.
pub(super) const LEAST_HOURS: f64 = 1.0 / 60.0;
/// Hours that a rate is told for.
pub(super) const PER_HOURS: f64 = 1000.0;

/// A day of a fleet.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct FleetDay {
    /// The day (UTC), such as 2026-01-08.
    pub day: String,
    /// Hours for which hosts were watched.
    pub host_hours: f64,
    /// Hosts that had a fault.
    pub affected: u64,
    /// Of these in 1000 host-hours.
    pub rate: f64,
    /// Its bounds.
    #[serde(flatten)]
    pub bounds: Bounds,
}

/// The days that are looked at, the oldest first, today last. A host is affected once a day, so that these are Poisson counts.
pub async fn fleet_days(
    store: &Store,
    watch: &Watch,
    confidence: f64,
) -> Result<Vec<FleetDay>, AnalysisError> {
    let alpha = alpha(confidence)?;
    of_histories(store, watch, move |histories, watch| {
        let affected = affected(histories, watch).into_iter();
        let days = histories.dates().zip(hours(histories)).zip(affected);
        days.map(|((day, host_hours), affected)| {
            let counted = Counted {
                events: affected,
                exposure: host_hours.max(real(affected) * LEAST_HOURS) / PER_HOURS,
            };
            let rate = statistics::rate::rate(counted, alpha)?;
            Ok(FleetDay {
                day,
                host_hours,
                affected,
                rate: rate.estimate,
                bounds: rate.interval.into(),
            })
        })
        .collect()
    })
    .await
}

/// Host-hours of each day. A day that has not come yet, by a clock that is ahead, is none of them.
pub(super) fn hours(histories: &Histories) -> Vec<f64> {
    let mut hours = vec![0.0; histories.days];
    for watched in histories.hosts.iter().flat_map(|host| &host.watched) {
        if let Some(day) = hours.get_mut(usize::from(watched.day)) {
            *day += watched.seconds / HOUR;
        }
    }
    hours
}

/// Hosts that had a fault on each day.
fn affected(histories: &Histories, watch: &Watch) -> Vec<u64> {
    let looked_at = histories.looked_at(watch);
    let mut affected = vec![0; histories.days];
    let mut last_host = vec![None; histories.days];
    for (number, host) in histories.hosts.iter().enumerate() {
        for seen in host
            .seen
            .iter()
            .filter(|seen| looked_at[seen.issue as usize].is_some())
        {
            let place = usize::from(seen.day);
            if let (Some(day), Some(last)) = (affected.get_mut(place), last_host.get_mut(place))
                && last.replace(number) != Some(number)
            {
                *day += 1;
            }
        }
    }
    affected
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::samples::{A41, A42, NOTE, OOPS, STALL, fleet, host, watch};

    #[test]
    fn a_host_is_affected_once_a_day() {
        let histories = fleet(vec![
            host(
                &[(A41, 0..10)],
                &[(OOPS, A41, 2), (STALL, A41, 2), (OOPS, A41, 3)],
            ),
            host(&[(A42, 2..3)], &[(OOPS, A42, 2), (NOTE, A42, 4)]),
        ]);
        let affected = affected(&histories, &watch());
        assert_eq!(affected, [0, 0, 2, 1, 0, 0, 0, 0, 0, 0]);
        assert_eq!(hours(&histories)[1..3], [24.0, 48.0]);
    }

    #[test]
    fn a_clock_that_is_ahead_adds_no_day() {
        let histories = fleet(vec![host(&[(A41, 8..12)], &[(OOPS, A41, 400)])]);
        assert_eq!(
            hours(&histories),
            [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 24.0, 24.0]
        );
        assert_eq!(affected(&histories, &watch()), [0; 10]);
    }
}

//! A fleet day by day.

use super::{AnalysisError, of_histories};
use crate::store::{Histories, Store, Watch};

/// Seconds of an hour.
pub(super) const HOUR: f64 = 3600.0;

/// A day of a fleet, UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct FleetDay {
    /// Host-hours for which hosts were watched.
    pub hours: f64,
    /// Hosts that had a fault.
    pub affected: u64,
}

/// The days that are looked at, the oldest first, today last.
pub async fn fleet_days(store: &Store, watch: &Watch) -> Result<Vec<FleetDay>, AnalysisError> {
    of_histories(store, watch, move |histories, watch| Ok(days(histories, watch))).await
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

fn days(histories: &Histories, watch: &Watch) -> Vec<FleetDay> {
    let looked_at = histories.looked_at(watch);
    let hours = hours(histories).into_iter();
    let mut days: Vec<FleetDay> = hours.map(|hours| FleetDay { hours, affected: 0 }).collect();
    let mut last_host = vec![None; histories.days];
    for (number, host) in histories.hosts.iter().enumerate() {
        for seen in host
            .seen
            .iter()
            .filter(|seen| looked_at[seen.issue as usize].is_some())
        {
            let place = usize::from(seen.day);
            if let (Some(day), Some(last)) = (days.get_mut(place), last_host.get_mut(place))
                && last.replace(number) != Some(number)
            {
                day.affected += 1;
            }
        }
    }
    days
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
        let days = days(&histories, &watch());
        let affected: Vec<u64> = days.iter().map(|day| day.affected).collect();
        assert_eq!(affected, [0, 0, 2, 1, 0, 0, 0, 0, 0, 0]);
        assert_eq!((days[1].hours, days[2].hours), (24.0, 48.0));
    }

    #[test]
    fn a_clock_that_is_ahead_adds_no_day() {
        let histories = fleet(vec![host(&[(A41, 8..12)], &[(OOPS, A41, 400)])]);
        let days = days(&histories, &watch());
        let hours: Vec<f64> = days.iter().map(|day| day.hours).collect();
        assert_eq!(hours, [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 24.0, 24.0]);
        assert!(days.iter().all(|day| day.affected == 0));
    }
}

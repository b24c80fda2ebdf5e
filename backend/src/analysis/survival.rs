//! How long are hosts without a fault?

use serde::Serialize;
use statistics::survival::{Life, Step};
use utoipa::ToSchema;

use super::{AnalysisError, Bounds, alpha, days::HOUR, named, of_histories};
use crate::store::{Dimension, Histories, Store, Watch};

/// Steps that are told: curves of large fleets are thinned to about so many.
const STEPS: usize = 200;

/// The survival curve of a build, kernel or model.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Survival {
    /// Which.
    pub name: String,
    /// Hosts.
    pub hosts: u64,
    /// Of these, hosts that had a fault.
    pub affected: u64,
    /// The curve, from 1 on.
    pub steps: Vec<SurvivalStep>,
}

/// A step of it.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct SurvivalStep {
    /// After so many hours under watch.
    pub hours: f64,
    /// Hosts that were still watched and had no fault just before.
    pub at_risk: u64,
    /// Part of the hosts that have no fault yet.
    pub survival: f64,
    /// Its bounds.
    #[serde(flatten)]
    pub bounds: Bounds,
}

/// How long hosts are without a fault in a build, kernel or model: the curve of Kaplan and Meier over the hours for which they
/// were watched in it. Hosts that had it before the days that are looked at begin there.
pub async fn survival(
    store: &Store,
    by: Dimension,
    name: &str,
    watch: &Watch,
    confidence: f64,
) -> Result<Survival, AnalysisError> {
    let alpha = alpha(confidence)?;
    named::check(store, by, name, watch).await?;
    let name = name.to_owned();
    of_histories(store, watch, move |histories, watch| {
        let lives = lives(histories, by, &name, watch);
        let steps = statistics::survival::survival(&lives, alpha)?;
        Ok(Survival {
            name,
            hosts: lives.len() as u64,
            affected: lives.iter().filter(|life| life.event).count() as u64,
            steps: thinned(&steps),
        })
    })
    .await
}

/// How long each host was watched in it until the end of the day of its first fault, or at all.
fn lives(histories: &Histories, by: Dimension, name: &str, watch: &Watch) -> Vec<Life> {
    let looked_at = histories.looked_at(watch);
    let named = histories.systems.iter().map(|system| system.name(by) == name);
    let named: Vec<bool> = named.collect();
    let is_in = |system: u32| named[system as usize];
    let mut lives = Vec::new();
    for host in &histories.hosts {
        let faults = host.seen.iter();
        let faults = faults.filter(|seen| looked_at[seen.issue as usize].is_some() && is_in(seen.system));
        let first = faults.map(|seen| seen.day).min();
        let mut watched = host
            .watched
            .iter()
            .filter(|watched| is_in(watched.system))
            .peekable();
        if watched.peek().is_some() {
            let until = watched.filter(|watched| first.is_none_or(|first| watched.day <= first));
            lives.push(Life {
                time: until.map(|watched| watched.seconds).sum::<f64>() / HOUR,
                event: first.is_some(),
            });
        }
    }
    lives
}

fn thinned(steps: &[Step]) -> Vec<SurvivalStep> {
    let every = steps.len().div_ceil(STEPS).max(1);
    let last = steps.len().saturating_sub(1);
    let told = steps
        .iter()
        .enumerate()
        .filter(|(place, _)| place % every == 0 || *place == last)
        .map(|(_, step)| SurvivalStep {
            hours: step.time,
            at_risk: step.at_risk,
            survival: step.survival,
            bounds: step.interval.into(),
        });
    told.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::samples::{A41, A42, B42, NOTE, OOPS, fleet, host, watch};

    #[test]
    fn a_life_ends_with_the_day_of_the_first_fault_in_the_build() {
        let histories = fleet(vec![
            host(
                &[(A41, 0..4), (A42, 4..10)],
                &[(OOPS, A41, 1), (OOPS, A42, 6), (OOPS, A42, 8)],
            ),
            host(&[(B42, 2..10)], &[(NOTE, B42, 3)]),
            host(&[(A41, 0..10)], &[(OOPS, A42, 3)]),
        ]);
        let told: Vec<(f64, bool)> = lives(&histories, Dimension::Build, "42", &watch())
            .iter()
            .map(|life| (life.time, life.event))
            .collect();
        assert_eq!(told, [(72.0, true), (192.0, false)]);
    }
}

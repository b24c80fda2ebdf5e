//! How long are hosts without a fault?

use serde::Serialize;
use statistics::survival::Life;
use utoipa::ToSchema;

use super::{AnalysisError, Bounds, alpha};
use crate::store::{Dimension, Store, Watch};

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
    pub survival_bounds: Bounds,
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
    let lives: Vec<Life> = store
        .lives(by, name, watch)
        .await?
        .into_iter()
        .map(|life| Life {
            time: life.hours,
            event: life.fault,
        })
        .collect();
    let steps = statistics::survival::survival(&lives, alpha)?;
    let every = steps.len().div_ceil(STEPS).max(1);
    let last = steps.len().saturating_sub(1);
    Ok(Survival {
        name: name.to_owned(),
        hosts: lives.len() as u64,
        affected: lives.iter().filter(|life| life.event).count() as u64,
        steps: steps
            .iter()
            .enumerate()
            .filter(|(place, _)| place % every == 0 || *place == last)
            .map(|(_, step)| SurvivalStep {
                hours: step.time,
                at_risk: step.at_risk,
                survival: step.survival,
                survival_bounds: step.interval.into(),
            })
            .collect(),
    })
}

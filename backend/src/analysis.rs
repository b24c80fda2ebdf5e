//! What is stored, put to the tests of `statistics`: rates, comparisons, escalations, survival, what is unusual.
//!
//! The store gives the histories of hosts, [`statistics`] the formulas; here is what is counted, which findings are judged
//! together, and how an answer reads. Counted are hosts, or days of hosts, because faults of one host are not independent of
//! each other. `docs/statistics.md` explains it to those who act on it. Answers are [`serde::Serialize`]: their fields are
//! those of the REST API.

mod compare;
mod days;
mod escalation;
mod firsts;
mod health;
mod named;
mod newest;
mod outliers;
mod rates;
#[cfg(test)]
mod samples;
mod survival;
mod unusual;
mod upkeep;
pub(crate) mod usual;

pub use compare::{Asked, Comparison, ComparisonOfIssue, RateRatio, SideSum, Verdict, compare};
pub use days::{FleetDay, fleet_days};
pub use escalation::{Escalation, escalations};
pub use health::{BAD_SCORE, Sign, score};
pub use newest::compare_newest;
pub use outliers::{Outlier, Outliers, outliers};
pub use rates::{Rate, rates, rates_by_class};
pub use survival::{Survival, SurvivalStep, survival};
pub use unusual::{Unusual, UnusualFact, unusual};
pub use upkeep::{keep_up, keep_up_once};

use std::{num::NonZero, sync::LazyLock, thread};

use statistics::{Alpha, Interval, Invalid};
use tokio::{
    sync::Semaphore,
    task::{self, JoinError},
};
use uuid::Uuid;

use crate::store::{Histories, Store, StoreError, Watch};

/// An analysis that was not made.
#[derive(Debug, thiserror::Error)]
pub enum AnalysisError {
    /// The store failed, or refused what was asked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The numbers that were asked with cannot be computed with.
    #[error("{0}")]
    Invalid(#[from] Invalid),
    /// What was asked for is not there, or makes no sense.
    #[error("{0}")]
    Asked(String),
    /// The collector stops, or has a defect.
    #[error("it was not added up to its end")]
    Stopped(#[from] JoinError),
}

/// As many threads add up as there are processors.
static ADDING: LazyLock<Semaphore> =
    LazyLock::new(|| Semaphore::new(thread::available_parallelism().map_or(1, NonZero::get)));

/// Makes something of the histories of all hosts: on a thread of its own, because of 100,000 hosts it takes a part of a second.
async fn of_histories<T: Send + 'static>(
    store: &Store,
    watch: &Watch,
    make: impl FnOnce(&Histories, &Watch) -> Result<T, AnalysisError> + Send + 'static,
) -> Result<T, AnalysisError> {
    watch.check()?;
    let (watch, histories) = (watch.clone(), store.histories(watch.days).await?);
    // It is never closed.
    let _turn = ADDING.acquire().await;
    task::spawn_blocking(move || make(&histories, &watch)).await?
}

/// The bounds of an estimate. JSON has no infinity: an upper bound that is infinite is left out.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, utoipa::ToSchema)]
pub struct Bounds {
    /// The lower one.
    pub low: f64,
    /// The upper one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub high: Option<f64>,
}

impl From<Interval> for Bounds {
    fn from(interval: Interval) -> Self {
        Self {
            low: interval.low,
            high: finite(interval.high),
        }
    }
}

fn finite(number: f64) -> Option<f64> {
    number.is_finite().then_some(number)
}

/// An issue as the API names it.
fn digits(issue: Uuid) -> String {
    issue.simple().to_string()
}

fn alpha(confidence: f64) -> Result<Alpha, Invalid> {
    Alpha::of_confidence(confidence)
}

/// A count as a number to compute with; exact up to 2^53.
#[expect(clippy::cast_precision_loss, reason = "no fleet has 2^53 hosts")]
fn real(count: u64) -> f64 {
    count as f64
}

/// `2.5 times`; None: infinitely many.
pub(crate) fn times(ratio: Option<f64>) -> String {
    ratio.map_or("many times".to_owned(), |ratio| format!("{ratio:.1} times"))
}

/// A part of a whole; of nothing it is nothing.
pub(crate) fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { real(part) / real(whole) }
}

//! What the analysis is made of: `sightings` and `exposure_daily`, never records.

mod facts;
mod histories;
mod read;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use facts::{Fact, Facts};
pub use histories::{Histories, History, KnownIssue, Seen, System, Watched};

use super::{Store, StoreError, clean, count, filter};

/// Days that can be looked back.
const DAYS: u32 = 366;

/// What hosts are told apart by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Dimension {
    /// The build of the system.
    #[default]
    Build,
    /// The kernel's release.
    Kernel,
    /// The hardware model.
    Model,
}

impl Dimension {
    /// The column of `hosts`.
    pub(super) fn column(self) -> &'static str {
        match self {
            Self::Build => "os_build",
            Self::Kernel => "kernel_release",
            Self::Model => "product",
        }
    }

    /// The word for one.
    pub(crate) fn noun(self) -> &'static str {
        match self {
            Self::Build => "build",
            Self::Kernel => "kernel",
            Self::Model => "model",
        }
    }
}

/// Which faults are looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watch {
    /// Of so many days (UTC), of which today is the last; 1 to 366.
    pub days: u32,
    /// At least so bad, 1 to 4.
    pub min_severity: i16,
    /// Of this class, or of those with this prefix where it ends in a dot; empty: of all.
    pub class: String,
    /// Only this issue.
    pub issue: Option<Uuid>,
}

impl Watch {
    /// Refuses what makes no sense.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        check_days(self.days)?;
        if !(1..=4).contains(&self.min_severity) {
            return refused("min_severity is a number from 1 to 4");
        }
        Ok(())
    }

    /// Whether an issue is looked at, by itself: what it is merged into may be of another class.
    fn is_of(&self, known: &KnownIssue, all: &[KnownIssue]) -> bool {
        let of_issue =
            |issue| known.id == issue || all.get(known.counts_for).is_some_and(|into| into.id == issue);
        filter::class_is_of(&known.class, &self.class)
            && known.severity >= self.min_severity
            && !known.class.starts_with("telemetry.")
            && self.issue.is_none_or(of_issue)
    }
}

impl Store {
    /// Whether a host tells now that it has this.
    pub(crate) async fn is_told(&self, by: Dimension, name: &str) -> Result<bool, StoreError> {
        let client = self.client().await?;
        let sql = format!("SELECT EXISTS (SELECT FROM hosts WHERE {} = $1)", by.column());
        let statement = client.prepare_cached(&sql).await?;
        Ok(client.query_one(&statement, &[&clean(name)]).await?.get(0))
    }
}

pub(super) fn check_days(days: u32) -> Result<(), StoreError> {
    if (1..=DAYS).contains(&days) {
        return Ok(());
    }
    refused("days is a number from 1 to 366")
}

fn refused(why: &str) -> Result<(), StoreError> {
    Err(StoreError::InvalidFilter(why.to_owned()))
}

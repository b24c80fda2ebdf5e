//! Sums for the analysis: of `sightings` and `exposure_daily`, never of records.
//!
//! What is counted is hosts, or days of hosts, because faults of one host are not independent of each other.

mod compare;
mod hosts;
mod series;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use compare::{Affected, Side, Watched};
pub use hosts::{Cell, Fact, Facts};
pub use series::{Group, Life, Series, SeriesOfIssue};

use super::{
    StoreError, count,
    filter::{self, Parameters},
};

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
    /// The column that `sightings`, `exposure_daily` and `hosts` have.
    pub(super) fn column(self) -> &'static str {
        match self {
            Self::Build => "os_build",
            Self::Kernel => "kernel_release",
            Self::Model => "product",
        }
    }
}

/// Which faults are looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watch {
    /// Of so many days up to now; 1 to 366.
    pub days: u32,
    /// At least so bad, 1 to 4.
    pub min_severity: i16,
    /// Of this class, or of those with this prefix where it ends in a dot; empty: of all.
    pub class: String,
    /// Only this issue.
    pub issue: Option<Uuid>,
}

impl Watch {
    fn check(&self) -> Result<(), StoreError> {
        let wrong = |what: &str| Err(StoreError::InvalidFilter(what.to_owned()));
        if !(1..=DAYS).contains(&self.days) {
            return wrong("days is a number from 1 to 366");
        }
        if !(1..=4).contains(&self.min_severity) {
            return wrong("min_severity is a number from 1 to 4");
        }
        if self.class.contains('\0') {
            return wrong("class has no NUL");
        }
        Ok(())
    }

    /// The start of the time that is looked at, as SQL: computed once, not for every row.
    fn since(&self, parameters: &mut Parameters) -> String {
        let days = parameters.bind(f64::from(self.days) * 86_400.0);
        format!("(SELECT date_trunc('day', now() - make_interval(secs => {days}), 'UTC'))")
    }

    /// The conditions on `triage t` that its issue is looked at.
    fn of_issues(&self, parameters: &mut Parameters) -> String {
        let severity = parameters.bind(self.min_severity);
        let class = filter::of_class("t.class", &self.class, parameters)
            .map_or_else(String::new, |condition| format!(" AND {condition}"));
        let issue = self.issue.map_or_else(String::new, |issue| {
            let issue = parameters.bind(issue);
            format!(" AND (t.issue = {issue} OR t.merged_into = {issue})")
        });
        format!("t.severity >= {severity} AND t.class NOT LIKE 'telemetry.%'{class}{issue}")
    }

    /// The query of the sightings that are looked at, those of merged issues as ones of what they were merged into.
    fn seen(&self, parameters: &mut Parameters) -> String {
        let since = self.since(parameters);
        let of_issues = self.of_issues(parameters);
        format!(
            "SELECT s.agent_id, s.day, coalesce(t.merged_into, t.issue) AS issue, s.os_build, s.kernel_release, s.product,
                    s.first_at, s.records
             FROM sightings s JOIN triage t ON t.issue = s.issue
             WHERE s.day >= {since} AND {of_issues}"
        )
    }
}

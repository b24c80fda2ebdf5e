//! What hosts had, day by day, and for how long they were watched: what all statistics of the same days are made of.

use std::collections::HashMap;

use uuid::Uuid;

use super::{Dimension, Watch};
use crate::store::time;

/// All hosts in the days up to now. Places are those in [`Self::systems`] and [`Self::issues`].
#[derive(Debug, Default)]
pub struct Histories {
    /// How many days there are; day 0 is the oldest one, the last one is today (UTC).
    pub days: usize,
    /// When day 0 began, in microseconds of the Unix epoch.
    pub since: i64,
    /// What hosts ran.
    pub systems: Vec<System>,
    /// What hosts had, and what that was merged into.
    pub issues: Vec<KnownIssue>,
    /// The hosts that were watched, in the order of their ids.
    pub hosts: Vec<History>,
}

/// What a host ran.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct System {
    /// The build.
    pub build: String,
    /// The kernel's release.
    pub kernel: String,
    /// The hardware model.
    pub model: String,
}

/// What is known of an issue.
#[derive(Clone, Debug)]
pub struct KnownIssue {
    /// Its id.
    pub id: Uuid,
    /// The place of the issue that it counts for: its own, or that of what it was merged into.
    pub counts_for: usize,
    /// Its class.
    pub class: String,
    /// Its title.
    pub title: String,
    /// Its severity, 1 to 4.
    pub severity: i16,
}

/// One host.
#[derive(Debug, Default)]
pub struct History {
    /// Its agent.
    pub agent_id: Uuid,
    /// What it had.
    pub seen: Vec<Seen>,
    /// For how long it was watched.
    pub watched: Vec<Watched>,
    /// The places of issues that count, which it had before these days already, in whatever counts for them.
    pub had: Vec<usize>,
}

/// An issue on a host on a day in a system.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    /// The place of the issue.
    pub issue: u32,
    /// The place of the system.
    pub system: u32,
    /// The day.
    pub day: u16,
    /// When it came first on that day, in microseconds of the Unix epoch.
    pub first_at: i64,
    /// How often it came.
    pub records: u64,
}

/// A host on a day in a system.
#[derive(Clone, Copy, Debug)]
pub struct Watched {
    /// The place of the system.
    pub system: u32,
    /// The day.
    pub day: u16,
    /// For how long.
    pub seconds: f64,
}

impl System {
    /// What it is called, told apart by that.
    pub fn name(&self, by: Dimension) -> &str {
        match by {
            Dimension::Build => &self.build,
            Dimension::Kernel => &self.kernel,
            Dimension::Model => &self.model,
        }
    }
}

impl Histories {
    /// The dates of the days, from day 0 on.
    pub fn dates(&self) -> impl Iterator<Item = String> {
        time::Micros(self.since).dates(self.days)
    }

    /// The issue that each one counts for, where it is looked at.
    pub fn looked_at(&self, watch: &Watch) -> Vec<Option<usize>> {
        let counts_for = |known: &KnownIssue| watch.is_of(known, &self.issues).then_some(known.counts_for);
        self.issues.iter().map(counts_for).collect()
    }

    /// What the systems are called, each name once, and the place of each system's name among them.
    pub fn names(&self, by: Dimension) -> (Vec<&str>, Vec<usize>) {
        let (mut names, mut known) = (Vec::new(), HashMap::new());
        let place_of = |system| {
            let name = System::name(system, by);
            *known.entry(name).or_insert_with(|| {
                names.push(name);
                names.len() - 1
            })
        };
        let places = self.systems.iter().map(place_of).collect();
        (names, places)
    }
}

//! Small fleets that the tests of the sums look at.

use uuid::Uuid;

use super::Asked;
use crate::store::{Dimension, Histories, History, KnownIssue, Seen, System, Watch, Watched};

/// Builds 41 and 42 on model A, then both on model B.
pub(super) const A41: u32 = 0;
pub(super) const A42: u32 = 1;
pub(super) const B41: u32 = 2;
pub(super) const B42: u32 = 3;
/// Issues, the last of which was merged into the first one, and one that is not severe.
pub(super) const OOPS: u32 = 0;
pub(super) const STALL: u32 = 1;
pub(super) const NOTE: u32 = 2;
pub(super) const MERGED: u32 = 3;

/// Ten days of hosts.
pub(super) fn fleet(hosts: Vec<History>) -> Histories {
    let system = |(build, model): (&str, &str)| System {
        build: build.to_owned(),
        kernel: "6.12".to_owned(),
        model: model.to_owned(),
    };
    let issue = |(number, counts_for, class, severity): (u128, usize, &str, i16)| KnownIssue {
        id: Uuid::from_u128(number),
        counts_for,
        class: class.to_owned(),
        title: format!("{class} {number}"),
        severity,
    };
    Histories {
        days: 10,
        since: 0,
        systems: [("41", "A"), ("42", "A"), ("41", "B"), ("42", "B")]
            .map(system)
            .into(),
        issues: [
            (1, 0, "kernel.oops", 3),
            (2, 1, "kernel.rcu_stall", 2),
            (3, 2, "kernel.oops", 1),
            (4, 0, "kernel.warning", 2),
        ]
        .map(issue)
        .into(),
        hosts,
    }
}

/// A host that was watched for all of these days in these systems, and had each of these issues on a day in one.
pub(super) fn host(watched: &[(u32, std::ops::Range<u16>)], seen: &[(u32, u32, u16)]) -> History {
    let days = watched.iter().flat_map(|(system, days)| {
        days.clone().map(|day| Watched {
            system: *system,
            day,
            seconds: 86_400.0,
        })
    });
    let seen = seen.iter().map(|(issue, system, day)| Seen {
        issue: *issue,
        system: *system,
        day: *day,
        first_at: i64::from(*day),
        records: 5,
    });
    History {
        watched: days.collect(),
        seen: seen.collect(),
        ..History::default()
    }
}

/// Build 41 against build 42.
pub(super) fn asked() -> Asked {
    Asked {
        by: Dimension::Build,
        from: "41".to_owned(),
        to: "42".to_owned(),
        max_ratio: 1.5,
        confidence: 0.95,
        watch: watch(),
    }
}

/// All that is of medium severity.
pub(super) fn watch() -> Watch {
    Watch {
        days: 9,
        min_severity: 2,
        class: String::new(),
        issue: None,
    }
}

//! What tallies add to each table, as columns for `unnest`: a row for each key, in the order of keys, so that transactions
//! lock in one order.

use std::collections::{BTreeMap, HashMap, btree_map::Entry};

use uuid::Uuid;

use super::{
    super::{rows::Level, time::Micros},
    tally::{Kind, Seen, Tally},
};

/// All that is in tallies, with the agents.
fn kinds<'a>(tallies: &[&'a Tally]) -> impl Iterator<Item = (Uuid, &'a Kind<'static>, &'a Seen)> {
    tallies.iter().flat_map(|tally| {
        let (agent_id, _) = tally.sender;
        tally.kinds.iter().map(move |(kind, seen)| (agent_id, kind, seen))
    })
}

/// A sum over kinds.
struct Sum<'a> {
    latest: &'a Kind<'static>,
    seen: Seen,
    severity: i16,
}

impl<'a> Sum<'a> {
    fn of(kind: &'a Kind<'static>, seen: &Seen) -> Self {
        Self {
            latest: kind,
            seen: *seen,
            severity: kind.severity,
        }
    }

    fn add(&mut self, kind: &'a Kind<'static>, seen: &Seen) {
        if seen.last >= self.seen.last {
            self.latest = kind;
        }
        self.seen.add(*seen);
        self.severity = self.severity.max(kind.severity);
    }
}

/// What is added to `fingerprints`.
#[derive(Debug, Default)]
pub(super) struct Fingerprints<'a> {
    pub(super) agent_id: Vec<Uuid>,
    pub(super) fingerprint: Vec<Uuid>,
    pub(super) first_seen: Vec<Micros>,
    pub(super) last_seen: Vec<Micros>,
    pub(super) level: Vec<i16>,
    pub(super) version: Vec<i64>,
    pub(super) issue: Vec<Uuid>,
    pub(super) class: Vec<&'a str>,
    pub(super) title: Vec<&'a str>,
    pub(super) severity: Vec<i16>,
    pub(super) occurrences: Vec<i64>,
}

impl<'a> Fingerprints<'a> {
    pub(super) fn of(tallies: &[&'a Tally]) -> Self {
        let mut sums: HashMap<(Uuid, Uuid), (&'a Level, Sum<'a>)> = HashMap::new();
        for (agent_id, kind, seen) in kinds(tallies) {
            for level in kind.levels.iter() {
                sums.entry((agent_id, level.fingerprint))
                    .and_modify(|(_, sum)| sum.add(kind, seen))
                    .or_insert_with(|| (level, Sum::of(kind, seen)));
            }
        }
        let mut sums: Vec<_> = sums.into_iter().collect();
        sums.sort_unstable_by_key(|(key, _)| *key);
        let mut columns = Self::default();
        for ((agent_id, fingerprint), (level, sum)) in sums {
            columns.agent_id.push(agent_id);
            columns.fingerprint.push(fingerprint);
            columns.first_seen.push(sum.seen.first);
            columns.last_seen.push(sum.seen.last);
            columns.level.push(level.number);
            columns.version.push(level.version);
            // Of a split issue there may be records without anything finer: it stays its own.
            columns.issue.push(match sum.latest.issue {
                Some(issue) if sum.latest.coarse != Some(fingerprint) => issue,
                _ => fingerprint,
            });
            columns.class.push(&sum.latest.class);
            columns.title.push(&sum.latest.title);
            columns.severity.push(sum.severity);
            columns.occurrences.push(sum.seen.records);
        }
        columns
    }
}

/// What is added to the issues.
#[derive(Debug, Default)]
pub(super) struct Issues<'a> {
    pub(super) issue: Vec<Uuid>,
    /// The issue that it was split from, or itself.
    pub(super) coarse: Vec<Uuid>,
    pub(super) class: Vec<&'a str>,
    pub(super) title: Vec<&'a str>,
    pub(super) severity: Vec<i16>,
    pub(super) first_seen: Vec<Micros>,
    pub(super) last_seen: Vec<Micros>,
    pub(super) hour: Vec<Micros>,
    pub(super) occurrences: Vec<i64>,
}

impl<'a> Issues<'a> {
    pub(super) fn of(tallies: &[&'a Tally]) -> Self {
        let mut sums: BTreeMap<Uuid, Sum<'a>> = BTreeMap::new();
        for (_, kind, seen) in kinds(tallies) {
            let Some(issue) = kind.issue else { continue };
            sums.entry(issue)
                .and_modify(|sum| sum.add(kind, seen))
                .or_insert_with(|| Sum::of(kind, seen));
        }
        let mut columns = Self::default();
        for (issue, sum) in sums {
            columns.issue.push(issue);
            columns.coarse.push(sum.latest.coarse.unwrap_or(issue));
            columns.class.push(&sum.latest.class);
            columns.title.push(&sum.latest.title);
            columns.severity.push(sum.severity);
            columns.first_seen.push(sum.seen.first);
            columns.last_seen.push(sum.seen.last);
            columns.hour.push(sum.seen.last.hour());
            columns.occurrences.push(sum.seen.records);
        }
        columns
    }
}

/// What is added to `rollups`.
#[derive(Debug, Default)]
pub(super) struct Rollups<'a> {
    pub(super) agent_id: Vec<Uuid>,
    pub(super) hour: Vec<Micros>,
    pub(super) class: Vec<&'a str>,
    pub(super) kernel_release: Vec<&'a str>,
    pub(super) severity: Vec<i16>,
    pub(super) records: Vec<i64>,
}

impl<'a> Rollups<'a> {
    pub(super) fn of(tallies: &[&'a Tally]) -> Self {
        let mut sums: BTreeMap<(Uuid, Micros, &str, &str, i16), i64> = BTreeMap::new();
        for (agent_id, kind, seen) in kinds(tallies) {
            let key = (
                agent_id,
                kind.hour,
                &*kind.class,
                &*kind.kernel_release,
                kind.severity,
            );
            *sums.entry(key).or_default() += seen.records;
        }
        let mut columns = Self::default();
        for ((agent_id, hour, class, kernel_release, severity), records) in sums {
            columns.agent_id.push(agent_id);
            columns.hour.push(hour);
            columns.class.push(class);
            columns.kernel_release.push(kernel_release);
            columns.severity.push(severity);
            columns.records.push(records);
        }
        columns
    }
}

/// What is added to `sightings`: which host had which issue on which day, and in what.
#[derive(Debug, Default)]
pub(super) struct Sightings<'a> {
    pub(super) agent_id: Vec<Uuid>,
    pub(super) day: Vec<Micros>,
    pub(super) issue: Vec<Uuid>,
    pub(super) kernel_release: Vec<&'a str>,
    pub(super) first_at: Vec<Micros>,
    pub(super) records: Vec<i64>,
}

impl<'a> Sightings<'a> {
    pub(super) fn of(tallies: &[&'a Tally]) -> Self {
        let mut sums: BTreeMap<(Uuid, Micros, Uuid, &str), Seen> = BTreeMap::new();
        for (agent_id, kind, seen) in kinds(tallies) {
            let Some(issue) = kind.issue else { continue };
            match sums.entry((agent_id, kind.hour.day(), issue, &*kind.kernel_release)) {
                Entry::Occupied(mut known) => known.get_mut().add(*seen),
                Entry::Vacant(new) => {
                    new.insert(*seen);
                }
            }
        }
        let mut columns = Self::default();
        for ((agent_id, day, issue, kernel_release), seen) in sums {
            columns.agent_id.push(agent_id);
            columns.day.push(day);
            columns.issue.push(issue);
            columns.kernel_release.push(kernel_release);
            columns.first_at.push(seen.first);
            columns.records.push(seen.records);
        }
        columns
    }
}

//! What stored records add up to, before it is in the database.

use std::{
    borrow::Cow,
    collections::{HashMap, hash_map::Entry},
    hash::{Hash, Hasher},
};

use uuid::Uuid;

use super::super::{
    plan::Plan,
    rows::{Level, Row},
    time::Micros,
};

/// Agent and epoch.
pub(super) type Sender = (Uuid, Uuid);

/// What the records of one sender add up to, from one sequence to another.
#[derive(Clone, Debug)]
pub struct Tally {
    pub(super) sender: Sender,
    /// Those up to here are not in it.
    pub(super) from: i64,
    /// Those up to here are.
    pub(super) to: i64,
    /// `received_at` of the last.
    pub(super) at: Micros,
    pub(super) kinds: HashMap<Kind<'static>, Seen>,
}

/// Records that count for the same rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Kind<'a> {
    /// Start of the hour (UTC) of `received_at`.
    pub(super) hour: Micros,
    pub(super) class: Cow<'a, str>,
    /// Empty of records without an issue: nothing that has a title counts them.
    pub(super) title: Cow<'a, str>,
    pub(super) kernel_release: Cow<'a, str>,
    pub(super) severity: i16,
    /// What they are grouped by.
    pub(super) issue: Option<Uuid>,
    /// What they would be grouped by if nobody had split that.
    pub(super) coarse: Option<Uuid>,
    /// None of records without an issue: housekeeping is grouped by nothing.
    pub(super) levels: Cow<'a, [Level]>,
}

/// How often, and when.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    pub(super) first: Micros,
    pub(super) last: Micros,
    pub(super) records: i64,
}

impl Seen {
    pub(super) fn add(&mut self, more: Self) {
        self.first = self.first.min(more.first);
        self.last = self.last.max(more.last);
        self.records += more.records;
    }
}

impl Tally {
    /// One of each sender that a transaction stores something of.
    pub(in super::super) fn of(plan: &Plan<'_>) -> Vec<Self> {
        let mut kinds: Vec<HashMap<Kind<'_>, i64>> = Vec::new();
        kinds.resize_with(plan.marks.len(), HashMap::new);
        for part in &plan.parts {
            let at = plan.marks[part.mark].now;
            for row in part.rows {
                *kinds[part.mark]
                    .entry(Kind::of(row, plan.issue(row), at))
                    .or_default() += 1;
            }
        }
        let moved = plan.marks.iter().zip(kinds).filter(|(mark, _)| mark.moved);
        let tallies = moved.map(|(mark, kinds)| {
            let seen = |records| Seen {
                first: mark.now,
                last: mark.now,
                records,
            };
            Self {
                sender: (mark.agent_id, mark.epoch),
                from: mark.was,
                to: mark.stored_seq,
                at: mark.now,
                kinds: kinds
                    .into_iter()
                    .map(|(kind, records)| (kind.into_owned(), seen(records)))
                    .collect(),
            }
        });
        tallies.collect()
    }

    /// Nothing yet, of a sender that is counted up to `from`.
    pub(super) fn after(sender: Sender, from: i64, at: Micros) -> Self {
        Self {
            sender,
            from,
            to: from,
            at,
            kinds: HashMap::new(),
        }
    }

    /// Adds a record to it, or records of a kind.
    pub(super) fn add(&mut self, kind: Kind<'static>, seen: Seen) {
        match self.kinds.entry(kind) {
            Entry::Occupied(mut known) => known.get_mut().add(seen),
            Entry::Vacant(new) => {
                new.insert(seen);
            }
        }
    }

    /// Makes one of two of a sender. One that does not begin where the first ends is left out: what it has is found in the
    /// records when the next is counted.
    pub(crate) fn join(&mut self, next: Self) {
        if next.from != self.to {
            return;
        }
        (self.to, self.at) = (next.to, next.at);
        for (kind, seen) in next.kinds {
            self.add(kind, seen);
        }
    }

    /// The agent and epoch that it is of.
    pub(crate) fn sender(&self) -> (Uuid, Uuid) {
        self.sender
    }

    /// Kinds of records in it: what it takes of memory.
    pub(crate) fn kinds(&self) -> usize {
        self.kinds.len()
    }
}

/// Of what tells most of them apart: each record is hashed, and titles are long.
impl Hash for Kind<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.issue.hash(state);
        match self.levels.last() {
            Some(finest) => finest.fingerprint.hash(state),
            None => self.class.hash(state),
        }
        self.kernel_release.hash(state);
    }
}

impl<'a> Kind<'a> {
    pub(super) fn of(row: &'a Row, issue: Option<Uuid>, at: Micros) -> Self {
        let grouped = issue.is_some();
        Self {
            hour: at.hour(),
            class: Cow::Borrowed(&row.class),
            title: Cow::Borrowed(if grouped { &row.title } else { "" }),
            kernel_release: Cow::Borrowed(&row.kernel_release),
            severity: row.severity,
            issue,
            coarse: row.issue,
            levels: Cow::Borrowed(if grouped { &row.levels } else { &[] }),
        }
    }

    pub(super) fn into_owned(self) -> Kind<'static> {
        Kind {
            hour: self.hour,
            class: self.class.into_owned().into(),
            title: self.title.into_owned().into(),
            kernel_release: self.kernel_release.into_owned().into(),
            severity: self.severity,
            issue: self.issue,
            coarse: self.coarse,
            levels: self.levels.into_owned().into(),
        }
    }
}

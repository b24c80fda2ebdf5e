//! Why the out-of-memory killer killed, from the hook that fires before the one of the victim.

use std::collections::VecDeque;

use probe_user::{Context, OomCause, OomConstraint};
use proto::v1::{OomConstraint as WireConstraint, OomKill};

use super::twins::remember;
use crate::places::Places;

/// Kills whose victims have not followed yet; the kernel does one at a time (`mm/oom_kill.c`: `oom_lock`).
const CAUSES: usize = 8;
/// The victim follows within this time, nanoseconds: in between the kernel prints the state of its memory and all
/// tasks, which takes seconds on a serial console.
const CAUSE_NS: u64 = 30_000_000_000;

/// Reasons of kills, newest last.
#[derive(Debug, Default)]
pub(super) struct Causes(VecDeque<(Context, OomCause)>);

impl Causes {
    pub(super) fn remember(&mut self, context: Context, cause: OomCause) {
        remember(&mut self.0, CAUSES, (context, cause));
    }

    /// The reason of the kill that the task of `context` is about, and its stack. It may have several victims.
    pub(super) fn of(&self, context: &Context) -> Option<(&Vec<u64>, &OomCause)> {
        let is_it = |known: &Context| {
            let age = context.since_boot_ns.checked_sub(known.since_boot_ns);
            known.pid == context.pid && age.is_some_and(|age| age <= CAUSE_NS)
        };
        let (known, cause) = self.0.iter().rev().find(|(known, _)| is_it(known))?;
        Some((&known.stack, cause))
    }
}

/// The reason, for the wire. What is said of the chosen task is not said of the others that die with it
/// (`memory.oom.group`).
pub(super) fn why(cause: &OomCause, victim: u32, places: &mut Places, now_ns: u64) -> OomKill {
    let is_chosen = cause.victim.is_none_or(|chosen| chosen == victim);
    let constraint = match cause.constraint {
        None => WireConstraint::Unspecified,
        Some(OomConstraint::None) => WireConstraint::None,
        Some(OomConstraint::Cpuset) => WireConstraint::Cpuset,
        Some(OomConstraint::MemoryPolicy) => WireConstraint::MemoryPolicy,
        Some(OomConstraint::Cgroup) => WireConstraint::Memcg,
    };
    OomKill {
        constraint: constraint.into(),
        limit_cgroup: places.memory_cgroup(cause.limit_cgroup, now_ns),
        victim_cgroup: places.cgroup(cause.victim_cgroup.filter(|_| is_chosen), now_ns),
        order: cause.order,
        gfp_mask: cause.gfp_mask,
        total_pages: cause.total_pages,
        points: cause.points.filter(|_| is_chosen),
        ..OomKill::default()
    }
}

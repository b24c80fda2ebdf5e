//! Hooks that are not attached where they should be.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::store::{Finding, HookGroup, HookSum, HookSums};

/// What a rule wants to know.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    /// A hook is missing on at least so many hosts of a group.
    pub(super) hosts: u32,
    /// It is on at least this share of them.
    pub(super) min_share: f64,
    /// Only these hooks, whatever others have; empty: those that most hosts of other groups have.
    pub(super) hooks: &'a [String],
}

/// A hook that is missing in a group.
struct Missing<'a> {
    hook: &'a str,
    on: u64,
    of: u64,
    /// What most of those hosts say, if anything.
    reason: Option<&'a str>,
}

/// One finding a group, those in which a hook is missing on most hosts first.
pub(super) fn missing(sums: &HookSums, wanted: Wanted<'_>) -> Vec<Finding> {
    let everywhere = totals(sums);
    let mut found: Vec<_> = sums
        .iter()
        .filter_map(|(name, group)| {
            let missing = if wanted.hooks.is_empty() {
                beside_others(group, &everywhere)
            } else {
                wanted.hooks.iter().map(|hook| named(group, hook)).collect()
            };
            let mut missing: Vec<_> = missing
                .into_iter()
                .filter(|hook| wanted.is_met_by(hook))
                .collect();
            missing.sort_by_key(|hook| Reverse(hook.on));
            let [first, others @ ..] = missing.as_slice() else {
                return None;
            };
            Some((first.on, told(name, first, others.len())))
        })
        .collect();
    found.sort_by_key(|(hosts, _)| Reverse(*hosts));
    found.into_iter().map(|(_, finding)| finding).collect()
}

impl Wanted<'_> {
    #[expect(clippy::cast_precision_loss, reason = "there are fewer hosts than 2^52")]
    fn is_met_by(&self, hook: &Missing<'_>) -> bool {
        hook.on >= u64::from(self.hosts.max(1)) && hook.on as f64 >= self.min_share * hook.of as f64
    }
}

/// On how many hosts each hook is attached, and is not.
fn totals(sums: &HookSums) -> BTreeMap<&str, (u64, u64)> {
    let mut totals = BTreeMap::<&str, (u64, u64)>::new();
    for (hook, sum) in sums.values().flat_map(|group| &group.hooks) {
        let (attached, missing) = totals.entry(hook).or_default();
        *attached += sum.attached;
        *missing += sum.missing;
    }
    totals
}

/// The hooks of a group that most hosts outside it have, of those that know them.
fn beside_others<'a>(group: &'a HookGroup, everywhere: &BTreeMap<&str, (u64, u64)>) -> Vec<Missing<'a>> {
    let have_it = |hook: &str, sum: &HookSum| {
        let (attached, missing) = everywhere[hook];
        attached - sum.attached > missing - sum.missing
    };
    group
        .hooks
        .iter()
        .filter(|(hook, sum)| have_it(hook, sum))
        .map(|(hook, sum)| Missing {
            hook,
            on: sum.missing,
            of: sum.attached + sum.missing,
            reason: reason(sum),
        })
        .collect()
}

/// A hook that all hosts of a group should have, also those that do not know it.
fn named<'a>(group: &'a HookGroup, hook: &'a str) -> Missing<'a> {
    let sum = group.hooks.get(hook);
    Missing {
        hook,
        on: group.hosts.saturating_sub(sum.map_or(0, |sum| sum.attached)),
        of: group.hosts,
        reason: sum.and_then(reason),
    }
}

fn reason(sum: &HookSum) -> Option<&str> {
    let most = sum.reasons.iter().max_by_key(|(_, hosts)| **hosts);
    most.map(|(reason, _)| reason.as_str())
        .filter(|reason| !reason.is_empty())
}

fn told(group: &str, first: &Missing<'_>, others: usize) -> Finding {
    let reason = first
        .reason
        .map_or_else(String::new, |reason| format!(": {reason}"));
    let more = match others {
        0 => String::new(),
        1 => "; another hook is missing as well".to_owned(),
        _ => format!("; {others} other hooks are missing as well"),
    };
    Finding {
        object: group.to_owned(),
        severity: 2,
        summary: format!(
            "{} is not attached on {} of {} hosts of {group}{reason}{more}",
            first.hook, first.on, first.of
        ),
        path: "/probes".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proto::v1::HookState;

    use super::*;

    const ANY: Wanted<'_> = Wanted {
        hosts: 2,
        min_share: 0.5,
        hooks: &[],
    };

    /// So many hosts of a group, each with a hook that is attached or is not.
    fn told_by(sums: &mut HookSums, group: &str, hosts: u32, hook: &str, attached: bool) {
        let state = HookState {
            name: hook.to_owned(),
            attach: if attached { "tp_btf" } else { "" }.to_owned(),
            reason: "no tracepoint".to_owned(),
            ..HookState::default()
        };
        for _ in 0..hosts {
            sums.entry(group.to_owned())
                .or_default()
                .add(std::slice::from_ref(&state));
        }
    }

    fn objects(sums: &HookSums, wanted: Wanted<'_>) -> Vec<String> {
        let found = missing(sums, wanted);
        found.into_iter().map(|finding| finding.object).collect()
    }

    #[test]
    fn a_group_misses_what_most_hosts_outside_it_have() {
        let mut sums = HookSums::new();
        told_by(&mut sums, "new", 3, "mce", false);
        told_by(&mut sums, "new", 1, "mce", true);
        assert!(missing(&sums, ANY).is_empty(), "there are no others");
        told_by(&mut sums, "old", 4, "mce", false);
        told_by(&mut sums, "old", 4, "mce", true);
        assert!(missing(&sums, ANY).is_empty(), "half of the others are not most");
        told_by(&mut sums, "old", 1, "mce", true);
        let found = missing(&sums, ANY);
        assert_eq!(
            found[0].summary,
            "mce is not attached on 3 of 4 hosts of new: no tracepoint"
        );
        assert_eq!(found.len(), 1);
    }

    #[test]
    fn so_many_hosts_and_so_large_a_share_of_them_are_told() {
        let mut sums = HookSums::new();
        told_by(&mut sums, "others", 9, "mce", true);
        told_by(&mut sums, "few", 1, "mce", false);
        told_by(&mut sums, "small share", 2, "mce", false);
        told_by(&mut sums, "small share", 3, "mce", true);
        told_by(&mut sums, "both", 2, "mce", false);
        told_by(&mut sums, "both", 2, "mce", true);
        assert_eq!(objects(&sums, ANY), ["both"]);
        let all = Wanted {
            hosts: 0,
            min_share: 0.0,
            ..ANY
        };
        assert_eq!(objects(&sums, all), ["both", "small share", "few"]);
    }

    #[test]
    fn a_hook_with_a_name_is_missing_wherever_it_is_not_attached() {
        let mut sums = HookSums::new();
        told_by(&mut sums, "a", 2, "mce", false);
        told_by(&mut sums, "b", 2, "oom", true);
        let hooks = ["mce".to_owned()];
        let wanted = Wanted { hooks: &hooks, ..ANY };
        let found: Vec<_> = missing(&sums, wanted)
            .into_iter()
            .map(|finding| finding.summary)
            .collect();
        assert_eq!(
            found,
            [
                "mce is not attached on 2 of 2 hosts of a: no tracepoint",
                "mce is not attached on 2 of 2 hosts of b",
            ]
        );
    }

    #[test]
    fn hooks_of_one_group_are_told_together() {
        let mut sums = HookSums::new();
        for hook in ["mce", "oom", "warn"] {
            told_by(&mut sums, "old", 5, hook, true);
            told_by(&mut sums, "new", 2, hook, false);
        }
        told_by(&mut sums, "new", 1, "oom", false);
        let found = missing(&sums, ANY);
        assert_eq!(found.len(), 1);
        assert_eq!(
            found[0].summary,
            "oom is not attached on 3 of 3 hosts of new: no tracepoint; 2 other hooks are missing as well"
        );
    }
}

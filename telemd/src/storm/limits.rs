//! How much of each hook's records is kept.

use std::collections::HashMap;

use probe_user::catalogue::{HOOKS, Storm};
use probe_user::user_probe::UserProbe;

const MINUTE_MS: u64 = 60_000;

/// How much of one class and title is kept in full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// So many occurrences ...
    pub first: u32,
    /// ... in a window of so many milliseconds; `u64::MAX`: as long as the agent runs.
    pub window_ms: u64,
}

/// The limits of the hooks that have their own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Limits(HashMap<String, Limit>);

impl Limits {
    /// Those of the catalogue and of the host's own probes.
    pub fn new<'a>(probes: impl IntoIterator<Item = &'a UserProbe>) -> Self {
        let hooks = HOOKS
            .iter()
            .filter_map(|spec| Some((spec.name.to_owned(), of(spec.storm)?)));
        let probes = probes.into_iter().map(|probe| {
            let limit = Limit {
                first: probe.rate,
                window_ms: MINUTE_MS,
            };
            (probe.hook.clone(), limit)
        });
        Self(hooks.chain(probes).collect())
    }

    /// The limit of a hook; `None` when it has none of its own.
    pub fn of(&self, hook: &str) -> Option<Limit> {
        self.0.get(hook).copied()
    }
}

fn of(policy: Storm) -> Option<Limit> {
    match policy {
        Storm::Configured => None,
        Storm::PerMinute(first) => Some(Limit {
            first,
            window_ms: MINUTE_MS,
        }),
        Storm::OncePerBoot => Some(Limit {
            first: 1,
            window_ms: u64::MAX,
        }),
    }
}

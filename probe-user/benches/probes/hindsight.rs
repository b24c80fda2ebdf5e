//! What the programs of hindsight cost. They are not caused but called, by `BPF_PROG_TEST_RUN`: the kernel's statistics count
//! these calls too, and no machine has to be brought into distress.

use std::collections::HashMap;
use std::error::Error;
use std::os::fd::{AsRawFd as _, OwnedFd};

use probe_user::cost::{Counting, Usage, usages};
use probe_user::hindsight::Wanted;
use probe_user::{Options, Probes, hook};

use crate::bpf;

/// Calls of each program in a round.
const CALLS: u32 = 10_000;
/// The best of so many rounds counts.
const ROUNDS: u32 = 10;

/// A program's cost.
pub(crate) struct Cost {
    /// Its row, `hindsight.` and the tracepoint.
    what: String,
    /// Nanoseconds a call, by the kernel's statistics.
    ns: u64,
}

impl Cost {
    pub(crate) fn row(&self) -> String {
        format!(
            "{:<44} {:>5} ns/event by the kernel's statistics",
            self.what, self.ns
        )
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::json!({ "what": self.what, "ns_per_event": self.ns })
    }
}

/// Calls each beginning and its end in turn, and the program of interrupts.
pub(crate) fn measure() -> Result<Vec<Cost>, Box<dyn Error>> {
    let mut probes = Probes::attach(&Options {
        disable: hook::ALL.iter().map(|name| (*name).to_owned()).collect(),
        hindsight: Some(Wanted::default()),
        ..Options::default()
    })?;
    let states = probes.states().into_iter();
    let programs: Vec<(String, u32)> = states
        .filter_map(|state| Some((state.hook.to_string(), state.program?)))
        .collect();
    let ids: Vec<u32> = programs.iter().map(|(_, id)| *id).collect();
    let descriptors: Vec<OwnedFd> = ids.iter().map(|id| bpf::program(*id)).collect::<Result<_, _>>()?;
    let mut best: HashMap<u32, u64> = HashMap::new();
    for _ in 0..ROUNDS {
        for (id, usage) in round(&ids, &descriptors)? {
            let least = best.entry(id).or_insert(u64::MAX);
            *least = usage.ns_per_run().min(*least);
        }
    }
    let costs = programs.into_iter().map(|(what, id)| Cost {
        what,
        ns: best.get(&id).copied().unwrap_or(0),
    });
    Ok(costs.collect())
}

/// What each program did in a round.
fn round(ids: &[u32], descriptors: &[OwnedFd]) -> Result<Vec<(u32, Usage)>, Box<dyn Error>> {
    let _counting = Counting::begin()?;
    let before = usages(ids)?;
    for _ in 0..CALLS {
        for descriptor in descriptors {
            bpf::test_run(descriptor.as_raw_fd())?;
        }
    }
    let after = usages(ids)?.into_iter();
    Ok(after
        .map(|(id, usage)| (id, usage.since(before.get(&id).copied().unwrap_or_default())))
        .collect())
}

//! What the agent's programs cost, measured over some seconds.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

use probe_user::cost::{CostError, Counting, Usage, usages};
use serde::Serialize;
use telemd::status::HookStatus;

/// Shorter waits are not told.
const PATIENCE_S: u64 = 2;

/// What a hook's program did while it was measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Cost {
    pub(crate) hook: String,
    /// Calls.
    pub(crate) runs: u64,
    /// Mean time of a call, nanoseconds; `null` when there was none.
    pub(crate) ns_per_run: Option<u64>,
    pub(crate) runs_per_s: f64,
    /// Share of one core, percent.
    pub(crate) core_percent: f64,
    /// Calls that the kernel left out.
    pub(crate) missed: u64,
}

impl Cost {
    fn new(hook: &str, usage: Usage, seconds: u64) -> Self {
        Self {
            hook: hook.to_owned(),
            runs: usage.runs,
            ns_per_run: (usage.runs > 0).then(|| usage.ns_per_run()),
            runs_per_s: float(usage.runs) / float(seconds),
            core_percent: float(usage.time_ns) / float(seconds) / 1e7,
            missed: usage.missed,
        }
    }

    /// The table's columns: nanoseconds and calls a second, 8 and 9 characters wide.
    pub(crate) fn columns(&self) -> String {
        let ns = self.ns_per_run.map_or("-".to_owned(), |ns| ns.to_string());
        format!("{ns:>8}  {:>9.1}", self.runs_per_s)
    }
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
pub(crate) fn float(number: u64) -> f64 {
    number as f64
}

/// Measures the programs of the hooks that are attached. Takes so many seconds, and root.
pub(crate) fn measure(
    hooks: &[HookStatus],
    seconds: u64,
    each_second: impl FnMut(),
) -> Result<Vec<Cost>, CostError> {
    let programs: Vec<u32> = hooks.iter().filter_map(|hook| hook.program).collect();
    let _counting = Counting::begin()?;
    let before = usages(&programs)?;
    wait(seconds, each_second);
    let after = usages(&programs)?;
    let cost = |hook: &HookStatus| {
        let id = hook.program?;
        let usage = after
            .get(&id)?
            .since(before.get(&id).copied().unwrap_or_default());
        Some(Cost::new(&hook.name, usage, seconds))
    };
    Ok(hooks.iter().filter_map(cost).collect())
}

/// Waits, says so, and calls `each_second`.
pub(crate) fn wait(seconds: u64, mut each_second: impl FnMut()) {
    let told = seconds > PATIENCE_S;
    let terminal = io::stderr().is_terminal();
    if told && !terminal {
        telemd::cli::complain(&format!("measuring for {seconds} s ..."));
    }
    for left in (1..=seconds).rev() {
        if told && terminal {
            let _closed = write!(io::stderr(), "\r\x1b[Kmeasuring, {left} s left");
        }
        std::thread::sleep(Duration::from_secs(1));
        each_second();
    }
    if told && terminal {
        let _closed = write!(io::stderr(), "\r\x1b[K");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_of_the_time_that_was_measured() {
        let usage = Usage {
            runs: 400,
            time_ns: 40_000_000,
            missed: 2,
        };
        let cost = Cost::new("x", usage, 4);
        assert_eq!(
            (cost.ns_per_run, cost.runs_per_s, cost.missed),
            (Some(100_000), 100.0, 2)
        );
        assert!((cost.core_percent - 1.0).abs() < 1e-9);
        assert_eq!(cost.columns(), "  100000      100.0");
        assert_eq!(
            Cost::new("x", Usage::default(), 4).columns(),
            "       -        0.0"
        );
    }
}

//! One guest goes through scenarios; each of them gets a cell of the matrix.

mod life;

use std::{path::Path, time::Duration};

use serde::Serialize;

use self::life::Life;
use super::{
    boot::Boot,
    collector::{Collector, Stored},
    kernels::Kernel,
    places::Places,
    scenario::Scenario,
};
use crate::progress;

/// A guest that has died in so many scenarios is not booted again.
const DEATHS: u32 = 3;

/// How a scenario ended on a kernel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "verdict", content = "reason")]
pub(crate) enum Verdict {
    /// Every record arrived, exactly once, and the books balance.
    Passed,
    /// The kernel cannot do it, for this reason.
    Impossible(String),
    /// Something is missing, there twice or not as it should be.
    Failed(String),
}

/// One cell of the matrix.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    /// The scenario.
    pub(crate) scenario: &'static Scenario,
    /// How it ended.
    pub(crate) verdict: Verdict,
    /// Titles of the records, with class and hook.
    pub(crate) records: Vec<Stored>,
    /// How long it took.
    pub(crate) took: Duration,
}

/// A guest to boot.
#[derive(Debug)]
pub(super) struct Trial<'a> {
    /// The kernel.
    pub(super) kernel: &'a Kernel,
    /// How it boots.
    pub(super) boot: Boot,
    /// What it goes through, in this order.
    pub(super) scenarios: Vec<&'static Scenario>,
}

/// What the scenarios need beside the guest.
#[derive(Clone, Copy, Debug)]
pub(super) struct Surroundings<'a> {
    /// The folder with the agent.
    pub(super) programs: &'a Path,
    /// Where the records go.
    pub(super) collector: &'a Collector,
}

impl Trial<'_> {
    /// The name of the guest's host.
    pub(super) fn hostname(&self) -> String {
        let series = self.kernel.series.name().replace('.', "-");
        match self.boot {
            Boot::Plain => format!("guest-{series}"),
            boot => format!("guest-{series}-{}", boot.name()),
        }
    }

    /// Goes through all scenarios, at one of `places`. A guest that dies is booted again for those that are left.
    pub(super) fn run(&self, surroundings: Surroundings<'_>, places: &Places) -> Vec<Cell> {
        let mut left = self.scenarios.as_slice();
        let mut cells = Vec::new();
        for death in 0..DEATHS {
            let host = match death {
                0 => self.hostname(),
                _ => format!("{}-{}", self.hostname(), death + 1),
            };
            let place = places.take();
            let end = match Life::begin(self, surroundings, &host) {
                Ok(mut life) => {
                    let end = life.go_through(&mut left);
                    drop(place);
                    cells.append(&mut life.close());
                    end
                }
                Err(error) => Err(error),
            };
            let Err(error) = end else { break };
            progress::say(format!("{host}: {error:#}"));
            let last = death + 1 == DEATHS;
            let failed = if last { left.len() } else { left.len().min(1) };
            let (dead, rest) = left.split_at(failed);
            cells.extend(dead.iter().map(|scenario| Cell::failed(scenario, &error)));
            left = rest;
            if left.is_empty() {
                break;
            }
        }
        cells
    }
}

impl Cell {
    fn failed(scenario: &'static Scenario, error: &anyhow::Error) -> Self {
        let text = format!("{error:#}");
        Self {
            scenario,
            verdict: Verdict::Failed(text.lines().next().unwrap_or_default().to_owned()),
            records: Vec::new(),
            took: Duration::ZERO,
        }
    }
}

//! Kernels by scenarios: which guests there are, some at a time, and how it went.

use std::{
    fmt::Write as _,
    path::Path,
    sync::{Mutex, PoisonError},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use serde::Serialize;

use super::{
    boot::Boot,
    collector::Collector,
    kernels::Kernel,
    places::Places,
    scenario::Scenario,
    trial::{Cell, Surroundings, Trial, Verdict},
};
use crate::progress;

/// What a kernel did in each scenario.
#[derive(Debug)]
pub(crate) struct Column<'a> {
    /// The kernel.
    pub(crate) kernel: &'a Kernel,
    /// In the order of the scenarios.
    pub(crate) cells: Vec<Cell>,
}

/// Goes through `scenarios` on every kernel with `guests` guests at work at a time.
pub(crate) fn run<'a>(
    kernels: &'a [Kernel],
    scenarios: &[&'static Scenario],
    surroundings: Surroundings<'_>,
    guests: usize,
) -> Vec<Column<'a>> {
    let trials = Mutex::new(trials(kernels, scenarios).into_iter());
    let cells = Mutex::new(Vec::new());
    let places = Places::new(guests);
    thread::scope(|scope| {
        // For each guest at work another one that waits for late records.
        for _ in 0..guests.max(1) * 2 {
            scope.spawn(|| {
                loop {
                    let next = trials.lock().unwrap_or_else(PoisonError::into_inner).next();
                    let Some(trial) = next else { break };
                    let done = trial.run(surroundings, &places);
                    let done = done.into_iter().map(|cell| (trial.kernel.series, cell));
                    cells.lock().unwrap_or_else(PoisonError::into_inner).extend(done);
                }
            });
        }
    });
    let cells = cells.into_inner().unwrap_or_else(PoisonError::into_inner);
    kernels
        .iter()
        .map(|kernel| Column {
            kernel,
            cells: scenarios
                .iter()
                .filter_map(|scenario| {
                    let of = |(series, cell): &&(_, Cell)| {
                        *series == kernel.series && cell.scenario.name == scenario.name
                    };
                    cells.iter().find(of).map(|(_, cell)| cell.clone())
                })
                .collect(),
        })
        .collect()
}

/// The guests that are needed, the longest first: one for each kernel and kind of boot.
fn trials<'a>(kernels: &'a [Kernel], scenarios: &[&'static Scenario]) -> Vec<Trial<'a>> {
    let mut trials = Vec::new();
    for boot in Boot::ALL {
        for kernel in kernels {
            let scenarios: Vec<&'static Scenario> = scenarios
                .iter()
                .copied()
                .filter(|scenario| scenario.boot == boot)
                .collect();
            if !scenarios.is_empty() {
                trials.push(Trial {
                    kernel,
                    boot,
                    scenarios,
                });
            }
        }
    }
    trials
}

/// Prints the matrix: a row for each scenario, a column for each kernel, then the reasons.
pub(crate) fn print(columns: &[Column<'_>]) {
    let mut legend = Legend::default();
    let mut head = format!("{:24}", "");
    for column in columns {
        _ = write!(head, "{:>10}", column.kernel.series.name());
    }
    progress::result(head.trim_end());
    for scenario in scenarios_of(columns) {
        let mut line = format!("{:24}", scenario.name);
        for column in columns {
            let word = column
                .cells
                .iter()
                .find(|cell| cell.scenario.name == scenario.name)
                .map_or_else(String::new, |cell| legend.word(cell));
            _ = write!(line, "{word:>10}");
        }
        progress::result(line.trim_end());
    }
    for (number, reason) in legend.reasons.iter().enumerate() {
        progress::result(format!("{:>4}  {reason}", number + 1));
    }
}

/// Every scenario of the columns, in order.
pub(crate) fn scenarios_of(columns: &[Column<'_>]) -> Vec<&'static Scenario> {
    let mut scenarios: Vec<&'static Scenario> = Vec::new();
    for cell in columns.iter().flat_map(|column| &column.cells) {
        if scenarios
            .iter()
            .all(|scenario| scenario.name != cell.scenario.name)
        {
            scenarios.push(cell.scenario);
        }
    }
    scenarios
}

/// Reasons by number, each once.
#[derive(Debug, Default)]
pub(crate) struct Legend {
    /// The reasons; the first has number 1.
    pub(crate) reasons: Vec<String>,
}

impl Legend {
    /// What a cell says: `ok`, or the number of its reason, with `FAIL` when something is wrong.
    pub(crate) fn word(&mut self, cell: &Cell) -> String {
        match &cell.verdict {
            Verdict::Passed => "ok".to_owned(),
            Verdict::Impossible(reason) => self.number(reason).to_string(),
            Verdict::Failed(reason) => format!("FAIL {}", self.number(reason)),
        }
    }

    fn number(&mut self, reason: &str) -> usize {
        if let Some(index) = self.reasons.iter().position(|known| known == reason) {
            return index + 1;
        }
        self.reasons.push(reason.to_owned());
        self.reasons.len()
    }
}

/// An error that counts the cells that failed, when there are any.
pub(crate) fn verdict(columns: &[Column<'_>]) -> Result<()> {
    let is_failed = |cell: &&Cell| matches!(cell.verdict, Verdict::Failed(_));
    let failed = columns
        .iter()
        .flat_map(|column| &column.cells)
        .filter(is_failed)
        .count();
    if failed > 0 {
        bail!("{failed} cells of the matrix failed: the reasons are below it");
    }
    Ok(())
}

/// One cell as JSON.
#[derive(Debug, Serialize)]
struct JsonCell<'a> {
    kernel: &'static str,
    release: &'a str,
    scenario: &'static str,
    #[serde(flatten)]
    verdict: &'a Verdict,
    seconds: f64,
    records: Vec<JsonRecord<'a>>,
}

/// A record of a cell as JSON.
#[derive(Debug, Serialize)]
struct JsonRecord<'a> {
    class: &'a str,
    title: &'a str,
    hook: &'a str,
}

/// Writes the matrix to a file: an array with an object for each cell.
pub(crate) fn write_json(columns: &[Column<'_>], file: &Path) -> Result<()> {
    let cells: Vec<JsonCell<'_>> = columns
        .iter()
        .flat_map(|column| column.cells.iter().map(|cell| (column.kernel, cell)))
        .map(|(kernel, cell)| JsonCell {
            kernel: kernel.series.name(),
            release: &kernel.release,
            scenario: cell.scenario.name,
            verdict: &cell.verdict,
            seconds: rounded(cell.took),
            records: cell
                .records
                .iter()
                .map(|record| JsonRecord {
                    class: &record.class,
                    title: &record.title,
                    hook: &record.hook,
                })
                .collect(),
        })
        .collect();
    let text = serde_json::to_string_pretty(&cells).context("the matrix as JSON")?;
    std::fs::write(file, text + "\n").with_context(|| format!("write {}", file.display()))
}

fn rounded(took: Duration) -> f64 {
    (took.as_secs_f64() * 10.0).round() / 10.0
}

/// The collector of a matrix, with what else its guests need.
pub(crate) const fn surroundings<'a>(programs: &'a Path, collector: &'a Collector) -> Surroundings<'a> {
    Surroundings { programs, collector }
}

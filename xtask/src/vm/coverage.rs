//! `docs/coverage.md`: what was seen on which kernel, written from a run of the whole matrix.

use std::{fmt::Write as _, fs};

use anyhow::{Context as _, Result};

use super::{
    matrix::{self, Column, Legend},
    trial::Cell,
};
use crate::paths;

const HEAD: &str = "\
# Coverage: what is caught on which kernel

Written by `cargo xtask vm --kernel all all`, from the run: change the scenarios, not this file. Each cell is a fault that was
caused in a guest with that kernel, and its record as a collector stored it: right class, title and fields, exactly once,
with the books balanced. A number is why a kernel cannot have it, FAIL what went wrong.
";

/// Writes the document.
pub(crate) fn write(columns: &[Column<'_>]) -> Result<()> {
    let file = paths::workspace().join("docs/coverage.md");
    fs::write(&file, document(columns)).with_context(|| format!("write {}", file.display()))
}

fn document(columns: &[Column<'_>]) -> String {
    let mut legend = Legend::default();
    let mut text = format!("{HEAD}\n| scenario |");
    for column in columns {
        _ = write!(text, " {} |", column.kernel.series);
    }
    text.push_str("\n| --- |");
    text.push_str(&" --- |".repeat(columns.len()));
    text.push('\n');
    for scenario in matrix::scenarios_of(columns) {
        _ = write!(text, "| `{scenario}`: {} |", scenario.what);
        for column in columns {
            let cell = column
                .cells
                .iter()
                .find(|cell| cell.scenario.name == scenario.name);
            let word = cell.map_or_else(String::new, |cell| word(&mut legend, cell));
            _ = write!(text, " {word} |");
        }
        text.push('\n');
    }
    if !legend.reasons.is_empty() {
        text.push('\n');
    }
    for (number, reason) in legend.reasons.iter().enumerate() {
        _ = writeln!(text, "{}. {reason}", number + 1);
    }
    text.push_str("\nThe kernels:\n\n");
    for column in columns {
        let kernel = column.kernel;
        _ = writeln!(
            text,
            "- {}: Linux {}, {}",
            kernel.series, kernel.release, kernel.package
        );
    }
    text
}

/// What was seen: the hooks that told.
fn word(legend: &mut Legend, cell: &Cell) -> String {
    let word = legend.word(cell);
    if word != "ok" {
        return word;
    }
    let mut hooks: Vec<&str> = cell.records.iter().map(|record| record.hook.as_str()).collect();
    hooks.sort_unstable();
    hooks.dedup();
    match hooks.join(", ").trim() {
        "" => word,
        hooks => format!("ok: {hooks}"),
    }
}

//! Real reports of guests, as they are and in every form that kernels and tools give them.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod assembling;
mod forms;
mod layout;
mod limits;
mod samples;
mod variants;

use faults::fingerprint::{Fingerprint, of_report};
use faults::{Assembled, Assembler, KernelReport, Limits, LogReport, log, parse};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

static SAMPLES: LazyLock<Vec<(String, String)>> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let read = |path: PathBuf| {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        (name, std::fs::read_to_string(path).unwrap())
    };
    files.into_iter().map(read).collect()
});

/// Samples of one report, which is told by its text alone. What several reports are may depend on the silence between.
static SINGLE: LazyLock<Vec<(String, String)>> = LazyLock::new(|| {
    let is_single = |(_, sample): &&(String, String)| reports(sample.as_bytes()).len() == 1;
    SAMPLES.iter().filter(is_single).cloned().collect()
});

fn assemble(bytes: &[u8]) -> Vec<Assembled> {
    let mut assembler = Assembler::new(Limits::default());
    let mut reports = Vec::new();
    for line in log::lines(bytes) {
        assembler.push(line.as_line(), &mut reports);
    }
    assembler.flush(&mut reports);
    assert!(!assembler.is_collecting());
    reports.sort_by_key(|report| report.first_at_us);
    reports
}

fn reports(bytes: &[u8]) -> Vec<KernelReport> {
    assemble(bytes)
        .iter()
        .filter_map(|report| parse(&report.text))
        .collect()
}

/// What must not depend on how a log was written down.
fn identities(bytes: &[u8]) -> Vec<(String, Vec<Fingerprint>)> {
    reports(bytes)
        .iter()
        .map(|report| (report.title.clone(), of_report(report)))
        .collect()
}

/// Everything that is known of a report. Its text is in the log.
fn json(found: &LogReport) -> Value {
    let mut value = serde_json::to_value(found).unwrap();
    let fields = value.as_object_mut().unwrap();
    fields.remove("text");
    fields.remove("lines");
    let fingerprints = of_report(&found.report).into_iter();
    let fingerprints: serde_json::Map<String, Value> = fingerprints
        .map(|fingerprint| {
            (
                fingerprint.level.as_str().to_owned(),
                fingerprint.to_string().into(),
            )
        })
        .collect();
    fields.insert("fingerprints".to_owned(), fingerprints.into());
    value
}

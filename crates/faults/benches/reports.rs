//! How fast logs become reports, on one core: `cargo bench -p faults [-- FOLDER]`.
//!
//! The logs are the samples of the tests, or the files of `FOLDER`.

#![expect(clippy::print_stdout, reason = "a command line program")]
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use faults::{Assembler, Limits, fingerprint, log, parse};
use std::error::Error;
use std::path::Path;
use std::time::{Duration, Instant};

/// Each measurement runs for so long.
const RUN: Duration = Duration::from_secs(3);

fn main() -> Result<(), Box<dyn Error>> {
    let samples = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/samples");
    let folder = std::env::args()
        .skip(1)
        .find(|argument| !argument.starts_with('-'));
    let folder = folder.as_deref().unwrap_or(samples);
    let logs = read(Path::new(folder))?;
    let texts: Vec<String> = logs.iter().flat_map(|log| assemble(log)).collect();
    let parsed = |text: &String| parse(text).map(|report| fingerprint::of_report(&report).len());
    measure("parse and fingerprint", texts.len(), bytes(&texts), || {
        texts.iter().filter_map(parsed).sum()
    });
    measure("lines to report texts", texts.len(), bytes(&logs), || {
        logs.iter().map(|log| assemble(log).len()).sum()
    });
    Ok(())
}

fn read(folder: &Path) -> Result<Vec<Vec<u8>>, Box<dyn Error>> {
    let mut logs = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        logs.push(std::fs::read(entry?.path())?);
    }
    Ok(logs)
}

fn assemble(log: &[u8]) -> Vec<String> {
    let mut assembler = Assembler::new(Limits::default());
    let mut reports = Vec::new();
    for line in log::lines(log) {
        assembler.push(line.as_line(), &mut reports);
    }
    assembler.flush(&mut reports);
    reports.into_iter().map(|report| report.text).collect()
}

fn bytes<T: AsRef<[u8]>>(all: &[T]) -> usize {
    all.iter().map(|one| one.as_ref().len()).sum()
}

/// Rates of the best round: what else runs on the machine only makes rounds longer.
fn measure(what: &str, reports: usize, bytes: usize, mut run: impl FnMut() -> usize) {
    let start = Instant::now();
    let (mut best, mut sum) = (Duration::MAX, 0_usize);
    while start.elapsed() < RUN {
        let round = Instant::now();
        sum = sum.wrapping_add(run());
        best = best.min(round.elapsed());
    }
    let per_second = |amount: usize| amount as u128 * 1_000_000_000 / best.as_nanos().max(1);
    let (reports_s, megabytes_s) = (per_second(reports), per_second(bytes) / 1_000_000);
    println!(
        "{what}: {reports_s} reports/s, {megabytes_s} MB/s ({reports} reports, {bytes} bytes, check {})",
        sum % 2
    );
}

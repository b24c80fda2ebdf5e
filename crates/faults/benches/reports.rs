//! How fast logs become reports, on one core: `cargo bench -p faults [-- FOLDER]`.
//!
//! The logs are the samples of the tests, or the files of `FOLDER`; the long ones are made up.

#![expect(clippy::print_stdout, reason = "a command line program")]
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use faults::{Reader, fingerprint, parse};
use std::error::Error;
use std::fmt::Write;
use std::path::Path;
use std::time::{Duration, Instant};

/// Each measurement runs for so long.
const RUN: Duration = Duration::from_secs(3);
/// Bytes of a long log, and of the pieces in which it is read.
const LONG: usize = 100 << 20;
const PIECE: usize = 64 << 10;

fn main() -> Result<(), Box<dyn Error>> {
    let samples = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/samples");
    let folder = std::env::args()
        .skip(1)
        .find(|argument| !argument.starts_with('-'));
    let folder = folder.as_deref().unwrap_or(samples);
    let logs = read(Path::new(folder))?;
    let texts: Vec<String> = logs
        .iter()
        .flat_map(|log| faults::reports(log))
        .map(|found| found.text)
        .collect();
    let parsed = |text: &String| parse(text).map(|report| fingerprint::of_report(&report).len());
    measure("parse and fingerprint", texts.len(), bytes(&texts), || {
        texts.iter().filter_map(parsed).sum()
    });
    measure("logs to reports", texts.len(), bytes(&logs), || {
        logs.iter().map(|log| faults::reports(log).len()).sum()
    });
    let ordinary = long(|at, log| {
        let _written = writeln!(
            log,
            "[{at:>8}.{:06}] usb {}-1: new high-speed device number {at}",
            at * 77 % 1_000_000,
            at % 4
        );
        let _written = writeln!(
            log,
            "[{at:>8}.{:06}] audit: type=1400 audit({at}.1:{at}): apparmor=\"ALLOWED\" operation=\"open\"",
            at * 78 % 1_000_000
        );
    });
    measure(
        "an ordinary log, streamed",
        stream(&ordinary),
        ordinary.len(),
        || stream(&ordinary),
    );
    let failing = long(|at, log| {
        let _written = writeln!(
            log,
            "[{at:>8}.000001] I/O error, dev sda, sector {at} op 0x0:(READ) flags 0x80700 phys_seg 1 prio class 2"
        );
    });
    measure(
        "a log of I/O errors, streamed",
        stream(&failing),
        failing.len(),
        || stream(&failing),
    );
    Ok(())
}

/// A log of [`LONG`] bytes from lines that `write` makes of a counter.
fn long(write: impl Fn(u64, &mut String)) -> Vec<u8> {
    let mut log = String::with_capacity(LONG + PIECE);
    let mut at = 0;
    while log.len() < LONG {
        write(at, &mut log);
        at += 1;
    }
    log.into_bytes()
}

fn stream(log: &[u8]) -> usize {
    let mut reader = Reader::new();
    let mut reports = Vec::new();
    for piece in log.chunks(PIECE) {
        reader.push(piece, &mut reports);
    }
    reader.finish(&mut reports);
    reports.len()
}

fn read(folder: &Path) -> Result<Vec<Vec<u8>>, Box<dyn Error>> {
    let mut logs = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        logs.push(std::fs::read(entry?.path())?);
    }
    Ok(logs)
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

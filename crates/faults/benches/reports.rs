//! How fast logs become reports, on one core: `cargo bench -p faults [-- FOLDER] [-- --json]`.
//!
//! The logs are the samples of the tests, or the files of `FOLDER`; the long ones are made of them and of what machines
//! print all day. The limit in the last column is finding the line ends of the same bytes in the same run: figures of a
//! shared machine drift, what is left of the limit less so.

#![expect(clippy::print_stdout, reason = "a command line program")]
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use faults::{Reader, fingerprint, parse};
use std::error::Error;
use std::fmt::Write;
use std::path::Path;
use std::time::{Duration, Instant};

/// Each measurement runs for so long.
const RUN: Duration = Duration::from_secs(2);
/// Bytes of a long log, and of the pieces in which it is read. A tenth of it is measured too: twice the time for twice
/// the bytes.
const LONG: usize = 100 << 20;
const PIECE: usize = 64 << 10;
/// What is typical for a report, bytes.
const TYPICAL: std::ops::Range<usize> = 3 << 10..5 << 10;

/// The rates of one thing.
struct Measured {
    what: &'static str,
    reports: usize,
    bytes: usize,
    /// The best round: what else runs on the machine only makes rounds longer.
    best: Duration,
    /// The best round of finding the line ends.
    limit: Duration,
}

impl Measured {
    fn per_second(amount: usize, time: Duration) -> u128 {
        amount as u128 * 1_000_000_000 / time.as_nanos().max(1)
    }

    fn row(&self) -> String {
        format!(
            "{:<40} {:>10} reports/s {:>7} MB/s   limit {:>6} MB/s   ({} reports, {} bytes)",
            self.what,
            Self::per_second(self.reports, self.best),
            Self::per_second(self.bytes, self.best) / 1_000_000,
            Self::per_second(self.bytes, self.limit) / 1_000_000,
            self.reports,
            self.bytes
        )
    }

    fn json(&self) -> serde_json::Value {
        let rate = |amount, time| u64::try_from(Self::per_second(amount, time)).unwrap_or(u64::MAX);
        serde_json::json!({
            "what": self.what,
            "reports": self.reports,
            "bytes": self.bytes,
            "reports_per_s": rate(self.reports, self.best),
            "bytes_per_s": rate(self.bytes, self.best),
            "limit_bytes_per_s": rate(self.bytes, self.limit),
        })
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let samples = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/samples");
    let is_json = std::env::args().any(|argument| argument == "--json");
    let folder = std::env::args()
        .skip(1)
        .find(|argument| !argument.starts_with('-'));
    let logs = read(Path::new(folder.as_deref().unwrap_or(samples)))?;
    let mut all = of_reports(&logs);
    all.extend(of_long_logs(&logs));
    if is_json {
        println!(
            "{}",
            all.iter().map(Measured::json).collect::<serde_json::Value>()
        );
    } else {
        for measured in &all {
            println!("{}", measured.row());
        }
    }
    Ok(())
}

/// Reports and the logs that have them, each whole.
fn of_reports(logs: &[Vec<u8>]) -> Vec<Measured> {
    let texts: Vec<String> = logs
        .iter()
        .flat_map(|log| faults::reports(log))
        .map(|found| found.text)
        .collect();
    let typical: Vec<String> = texts
        .iter()
        .filter(|text| TYPICAL.contains(&text.len()))
        .cloned()
        .collect();
    let parse_all = |texts: &[String]| {
        let parsed = |text: &String| parse(text).map(|report| fingerprint::of_report(&report).len());
        texts.iter().filter_map(parsed).sum()
    };
    vec![
        measure(
            "parse, fingerprint: reports of 3-5 KiB",
            typical.len(),
            &typical,
            || parse_all(&typical),
        ),
        measure("parse, fingerprint: all reports", texts.len(), &texts, || {
            parse_all(&texts)
        }),
        measure("logs to reports", texts.len(), logs, || {
            logs.iter().map(|log| faults::reports(log).len()).sum()
        }),
    ]
}

/// Logs of [`LONG`] bytes and of a tenth of that, in pieces.
fn of_long_logs(logs: &[Vec<u8>]) -> Vec<Measured> {
    let mut all = Vec::new();
    let mut streamed = |what: [&'static str; 2], log: &[u8]| {
        for (what, log) in what.into_iter().zip([log.get(..LONG / 10).unwrap_or(log), log]) {
            all.push(measure(what, stream(log), &[log], || stream(log)));
        }
    };
    let daily = long(|at, log| log.push_str(&ordinary(at)));
    streamed(["an ordinary log, 10 MiB", "an ordinary log, 100 MiB"], &daily);
    let failing = long(|at, log| {
        let _written = writeln!(
            log,
            "[{at:>8}.000001] I/O error, dev sda, sector {at} op 0x0:(READ) flags 0x80700 phys_seg 1 prio class 2"
        );
    });
    streamed(
        ["a log of I/O errors, 10 MiB", "a log of I/O errors, 100 MiB"],
        &failing,
    );
    let mixed = long(|at, log| {
        log.push_str(&ordinary(at));
        if at % 500 == 0 {
            let report = logs.get(usize::try_from(at / 500).unwrap_or(0) % logs.len().max(1));
            log.push_str(
                &report.map_or_else(String::new, |report| String::from_utf8_lossy(report).into_owned()),
            );
        }
    });
    streamed(
        [
            "ordinary lines and reports, 10 MiB",
            "ordinary lines and reports, 100 MiB",
        ],
        &mixed,
    );
    all
}

/// Two lines that machines print all day.
fn ordinary(at: u64) -> String {
    format!(
        "[{at:>8}.{:06}] usb {}-1: new high-speed device number {at}\n\
         [{at:>8}.{:06}] audit: type=1400 audit({at}.1:{at}): apparmor=\"ALLOWED\" operation=\"open\"\n",
        at * 77 % 1_000_000,
        at % 4,
        at * 78 % 1_000_000
    )
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
    let (mut reports, mut found) = (Vec::new(), 0);
    for piece in log.chunks(PIECE) {
        reader.push(piece, &mut reports);
        found += reports.len();
        reports.clear();
    }
    reader.finish(&mut reports);
    found + reports.len()
}

fn read(folder: &Path) -> Result<Vec<Vec<u8>>, Box<dyn Error>> {
    let mut logs = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        logs.push(std::fs::read(entry?.path())?);
    }
    Ok(logs)
}

fn measure<T: AsRef<[u8]>>(
    what: &'static str,
    reports: usize,
    input: &[T],
    run: impl FnMut() -> usize,
) -> Measured {
    let line_ends = |one: &T| memchr::memchr_iter(b'\n', one.as_ref()).count();
    Measured {
        what,
        reports,
        bytes: input.iter().map(|one| one.as_ref().len()).sum(),
        best: best(RUN, run),
        limit: best(RUN / 10, || input.iter().map(line_ends).sum()),
    }
}

/// The best of the rounds that fit into a time.
fn best(time: Duration, mut run: impl FnMut() -> usize) -> Duration {
    let start = Instant::now();
    let mut best = Duration::MAX;
    while start.elapsed() < time {
        let round = Instant::now();
        std::hint::black_box(run());
        best = best.min(round.elapsed());
    }
    best
}

//! Durable records a second with group commit, beside plain write and fdatasync of the same bytes in the same run, and
//! how fast a full spool is recovered: `cargo bench -p spool`.
//!
//! `SPOOL_BENCH_DIR` chooses the file system; the temporary folder is used otherwise.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "this measures the wall clock, and says so"
)]

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use spool::{Chunk, Options, Spool};

const RECORD_BYTES: usize = 1024;
/// Records of one group commit, as a storm queues them behind a running sync.
const GROUP: usize = 256;
const RUN: Duration = Duration::from_secs(3);
/// Size of the spool that is recovered.
const RECOVERED_BYTES: u64 = 1 << 30;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> Result<()> {
    let dir = match std::env::var_os("SPOOL_BENCH_DIR") {
        Some(dir) => tempfile::tempdir_in(dir)?,
        None => tempfile::tempdir()?,
    };
    let record: Vec<u8> = (0..RECORD_BYTES)
        .map(|at| u8::try_from(at % 251))
        .collect::<std::result::Result<_, _>>()?;
    let grouped = spool_rate(&dir.path().join("grouped"), &record, GROUP)?;
    let plain_grouped = plain_rate(&dir.path().join("plain-grouped"), &record, GROUP)?;
    let (single, plain_single) = (
        spool_rate(&dir.path().join("single"), &record, 1)?,
        plain_rate(&dir.path().join("plain-single"), &record, 1)?,
    );
    report(&format!("{GROUP} records a sync"), &grouped, &plain_grouped);
    report("1 record a sync", &single, &plain_single);
    recovery(&dir.path().join("recovered"), &record)
}

struct Rate {
    records_per_s: f64,
    p50: Duration,
    p99: Duration,
}

fn report(what: &str, spool: &Rate, plain: &Rate) {
    for (name, rate) in [("spool", spool), ("write + fdatasync", plain)] {
        println!(
            "{what}, {name}: {:.0} durable records/s, p50 {:.3} ms, p99 {:.3} ms to durable",
            rate.records_per_s,
            rate.p50.as_secs_f64() * 1e3,
            rate.p99.as_secs_f64() * 1e3,
        );
    }
    println!(
        "{what}: {:.2} of plain",
        spool.records_per_s / plain.records_per_s
    );
}

/// Repeats a commit of `group` records until the time is over.
fn measure(group: usize, mut commit: impl FnMut() -> Result<()>) -> Result<Rate> {
    let (start, mut took) = (Instant::now(), Vec::new());
    while start.elapsed() < RUN {
        let began = Instant::now();
        commit()?;
        took.push(began.elapsed());
    }
    let elapsed = start.elapsed().as_secs_f64();
    took.sort_unstable();
    let records = u32::try_from(took.len() * group)?;
    Ok(Rate {
        records_per_s: f64::from(records) / elapsed,
        p50: took[took.len() / 2],
        p99: took[took.len() * 99 / 100],
    })
}

fn spool_rate(dir: &Path, record: &[u8], group: usize) -> Result<Rate> {
    let mut spool = Spool::open(dir, Options::default(), [7; 16])?.spool;
    measure(group, || {
        for _ in 0..group {
            spool.append(record)?;
        }
        spool.sync()?;
        Ok(())
    })
}

fn plain_rate(path: &Path, record: &[u8], group: usize) -> Result<Rate> {
    let mut file = File::create(path)?;
    let batch = record.repeat(group);
    measure(group, || {
        file.write_all(&batch)?;
        file.sync_data()?;
        Ok(())
    })
}

fn recovery(dir: &Path, record: &[u8]) -> Result<()> {
    let options = Options {
        max_bytes: 2 * RECOVERED_BYTES,
        ..Options::default()
    };
    let mut spool = Spool::open(dir, options, [7; 16])?.spool;
    let mut written = 0;
    while written < RECOVERED_BYTES {
        spool.append(record)?;
        written += record.len() as u64;
    }
    let durable = spool.sync()?;
    drop(spool);
    let began = Instant::now();
    let mut opened = Spool::open(dir, options, [8; 16])?;
    let took = began.elapsed();
    if opened.spool.durable_seq() != durable || !opened.damage.is_empty() {
        return Err(format!("recovered {} of {durable} records", opened.spool.durable_seq()).into());
    }
    println!("1 GiB recovered in {:.2} s", took.as_secs_f64());
    let (began, mut next) = (Instant::now(), 1);
    while let Chunk::Records { first_seq, records } = opened.spool.read(next, 1024, 1 << 20)? {
        next = first_seq + records.len() as u64;
    }
    let per_s = u32::try_from(durable)?;
    println!(
        "{:.0} records/s read",
        f64::from(per_s) / began.elapsed().as_secs_f64()
    );
    Ok(())
}

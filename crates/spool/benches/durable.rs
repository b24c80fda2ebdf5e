//! How fast records become durable, beside what limits that on this machine: `cargo bench -p spool [-- --json]`.
//!
//! Plain `write` and `fdatasync` of the same bytes in the same run say what the disk gives; redb, an embedded database,
//! what a general store makes of it. `SPOOL_BENCH_DIR` chooses the file system; the temporary folder is used otherwise.
#![expect(clippy::print_stdout, reason = "a command line program")]
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread;
use std::time::{Duration, Instant};

use redb::{Database, TableDefinition};
use serde_json::{Value, json};
use spool::{Chunk, Options, Spool};

const RECORD_BYTES: usize = 1024;
/// Records of one group commit, as a storm queues them behind a running sync.
const GROUP: usize = 256;
/// Producers that each wait until their record is durable before they make the next.
const PRODUCERS: [usize; 3] = [1, 16, 128];
/// Each rate is measured for so long.
const RUN: Duration = Duration::from_secs(3);
/// Size of the spool that is recovered.
const RECOVERED_BYTES: u64 = 1 << 30;
/// Size of the spool that gives up as much as it takes in.
const FULL_BYTES: u64 = 64 << 20;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> Result<()> {
    let dir = match std::env::var_os("SPOOL_BENCH_DIR") {
        Some(dir) => tempfile::tempdir_in(dir)?,
        None => tempfile::tempdir()?,
    };
    let at = |name: &str| dir.path().join(name);
    let record: Vec<u8> = (0..RECORD_BYTES)
        .map(|at| u8::try_from(at % 251))
        .collect::<std::result::Result<_, _>>()?;
    let mut figures = Vec::new();
    for group in [GROUP, 1] {
        let beside = [
            ("spool", spool_rate(&at("spool"), &record, group)?),
            ("write, fdatasync", plain_rate(&at("plain"), &record, group)?),
            ("redb", redb_rate(&at("redb"), &record, group)?),
        ];
        for (what, rate) in beside {
            figures.push(rate.figure(format!("{what}, {group} a commit")));
        }
    }
    for producers in PRODUCERS {
        let rate = produced(&at("produced"), &record, producers)?;
        figures.push(rate.figure(format!("spool, {producers} producers")));
    }
    figures.push(full_rate(&at("full"), &record)?.figure(format!("a full spool, {GROUP} a commit")));
    let times = recovery(&at("recovered"), &record)?;
    if std::env::args().any(|argument| argument == "--json") {
        let rates: Value = figures.iter().map(Figure::json).collect();
        println!("{}", json!({ "rates": rates, "recovery": times.json() }));
    } else {
        for figure in &figures {
            println!("{}", figure.row());
        }
        println!("{}", times.rows());
    }
    Ok(())
}

/// Times that commits took, from the first record's queueing to its being durable.
struct Rate {
    records: usize,
    elapsed: Duration,
    took: Vec<Duration>,
}

struct Figure {
    what: String,
    records_per_s: f64,
    p50_ms: f64,
    p99_ms: f64,
}

impl Rate {
    fn figure(mut self, what: String) -> Figure {
        self.took.sort_unstable();
        let ms = |share: usize| {
            let at = self.took.len() * share / 100;
            self.took.get(at).map_or(0.0, |took| took.as_secs_f64() * 1e3)
        };
        let records = u32::try_from(self.records).unwrap_or(u32::MAX);
        Figure {
            what,
            records_per_s: f64::from(records) / self.elapsed.as_secs_f64(),
            p50_ms: ms(50),
            p99_ms: ms(99),
        }
    }
}

impl Figure {
    fn row(&self) -> String {
        format!(
            "{:<32} {:>9.0} durable records/s   p50 {:>7.3} ms   p99 {:>7.3} ms",
            self.what, self.records_per_s, self.p50_ms, self.p99_ms
        )
    }

    fn json(&self) -> Value {
        json!({
            "what": self.what,
            "records_per_s": self.records_per_s.round(),
            "p50_ms": self.p50_ms,
            "p99_ms": self.p99_ms,
        })
    }
}

/// Repeats a commit of `group` records until the time is over.
fn measure(group: usize, mut commit: impl FnMut() -> Result<()>) -> Result<Rate> {
    let (start, mut took) = (Instant::now(), Vec::new());
    while start.elapsed() < RUN {
        let began = Instant::now();
        commit()?;
        took.push(began.elapsed());
    }
    Ok(Rate {
        records: took.len() * group,
        elapsed: start.elapsed(),
        took,
    })
}

fn spool_rate(dir: &Path, record: &[u8], group: usize) -> Result<Rate> {
    rate_with(dir, Options::default(), record, group)
}

/// The rate of a spool that has to give up a segment for each that it begins.
fn full_rate(dir: &Path, record: &[u8]) -> Result<Rate> {
    let options = Options {
        max_bytes: FULL_BYTES,
        ..Options::default()
    };
    let mut spool = Spool::open(dir, options, [7; 16])?.spool;
    while spool.bytes() + options.segment_bytes <= FULL_BYTES {
        spool.append(record)?;
    }
    spool.sync()?;
    drop(spool);
    rate_with(dir, options, record, GROUP)
}

fn rate_with(dir: &Path, options: Options, record: &[u8], group: usize) -> Result<Rate> {
    let mut spool = Spool::open(dir, options, [7; 16])?.spool;
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

fn redb_rate(path: &Path, record: &[u8], group: usize) -> Result<Rate> {
    const RECORDS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("records");
    let database = Database::create(path)?;
    let mut seq = 0;
    measure(group, || {
        // Durable when it returns: the default of redb.
        let transaction = database.begin_write()?;
        {
            let mut table = transaction.open_table(RECORDS)?;
            for _ in 0..group {
                seq += 1;
                table.insert(seq, record)?;
            }
        }
        transaction.commit()?;
        Ok(())
    })
}

/// Whoever waits for a record.
type Waiting = SyncSender<()>;

/// Producers in threads of their own and one that owns the spool: it appends what there is, syncs once, and answers.
fn produced(dir: &Path, record: &[u8], producers: usize) -> Result<Rate> {
    let mut spool = Spool::open(dir, Options::default(), [7; 16])?.spool;
    let (asks, queue) = mpsc::sync_channel::<Waiting>(producers);
    let start = Instant::now();
    let took = thread::scope(|scope| -> Result<Vec<Duration>> {
        let threads: Vec<_> = (0..producers)
            .map(|_| {
                let asks = asks.clone();
                scope.spawn(move || produce(&asks))
            })
            .collect();
        drop(asks);
        commit_groups(&mut spool, record, &queue)?;
        let took = threads
            .into_iter()
            .filter_map(|thread| thread.join().ok())
            .flatten();
        Ok(took.collect())
    })?;
    Ok(Rate {
        records: took.len(),
        elapsed: start.elapsed(),
        took,
    })
}

/// Hands over one record after the other, each when the one before is durable.
fn produce(asks: &SyncSender<Waiting>) -> Vec<Duration> {
    let (start, mut took) = (Instant::now(), Vec::new());
    while start.elapsed() < RUN {
        let began = Instant::now();
        let (answer, durable) = mpsc::sync_channel(1);
        if asks.send(answer).is_err() || durable.recv().is_err() {
            break;
        }
        took.push(began.elapsed());
    }
    took
}

fn commit_groups(spool: &mut Spool, record: &[u8], queue: &Receiver<Waiting>) -> Result<()> {
    while let Ok(first) = queue.recv() {
        let group: Vec<Waiting> = std::iter::once(first).chain(queue.try_iter()).collect();
        for _ in &group {
            spool.append(record)?;
        }
        spool.sync()?;
        for waiting in group {
            waiting.send(())?;
        }
    }
    Ok(())
}

/// Of a spool of 1 GiB.
struct Recovery {
    opened: Duration,
    read: Duration,
    records: u64,
}

impl Recovery {
    fn rows(&self) -> String {
        let records = u32::try_from(self.records).unwrap_or(u32::MAX);
        format!(
            "{:<32} {:>9.2} s\n{:<32} {:>9.0} records/s",
            "1 GiB recovered in",
            self.opened.as_secs_f64(),
            "1 GiB read back at",
            f64::from(records) / self.read.as_secs_f64()
        )
    }

    fn json(&self) -> Value {
        json!({
            "records": self.records,
            "opened_s": self.opened.as_secs_f64(),
            "read_s": self.read.as_secs_f64(),
        })
    }
}

fn recovery(dir: &Path, record: &[u8]) -> Result<Recovery> {
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
    let (began, mut next) = (Instant::now(), 1);
    while let Chunk::Records { first_seq, records } = opened.spool.read(next, 1024, 1 << 20)? {
        next = first_seq + records.len() as u64;
    }
    Ok(Recovery {
        opened: took,
        read: began.elapsed(),
        records: durable,
    })
}

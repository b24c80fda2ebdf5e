//! How many records a second are stored, beside plain `COPY BINARY` of the same rows: `cargo bench -p backend [-- --json]`.
//!
//! A whole collector with its private PostgreSQL, as `backend serve` runs it, takes records in over gRPC from agents in
//! this process, which send what `telemd` does: a stream each, zstd, batches of 512 KiB, four in flight. In turns with
//! that, two connections copy the rows that were stored into a table with the same columns and indexes, and into one
//! without any index, 1000 rows a commit: what PostgreSQL gives on this machine, in the same minute. At the end the
//! agents send at half the rate that was measured, and the time from a batch's due moment to its answer counts.
//!
//! `INGEST_BENCH_DIR` chooses the file system; the temporary folder is used otherwise.
#![expect(clippy::print_stdout, reason = "a command line program")]
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

mod agents;
mod collector;
mod cpu;
mod phases;
mod plain;
mod records;

use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::{Value, json};

use agents::Agents;
use collector::Collector;
use cpu::Cpu;
use phases::Phases;
use plain::Plain;

/// Turns of each of the three. Their rates are summed up, so that what else the machine does meets all of them.
const TURNS: u32 = 4;
/// How long a turn is.
const TURN: Duration = Duration::from_secs(5);
/// How long half the load lasts.
const HALF: Duration = Duration::from_secs(15);

#[tokio::main]
async fn main() -> Result<()> {
    let collector = Collector::start().await?;
    let mut agents = Agents::connect(collector.grpc).await?;
    // Once without a watch: partitions, plans and caches are warm then, and there are rows to copy.
    agents.flood(TURN).await?;
    let indexed = Plain::prepare(&collector.database, "plain_indexed", "INCLUDING ALL").await?;
    let bare = Plain::prepare(&collector.database, "plain_bare", "").await?;
    let mut rates = [Rate::default(); 3];
    let collector_pid = collector.pid()?;
    for _ in 0..TURNS {
        rates[0].add(collector_pid, agents.flood(TURN)).await?;
        rates[1].add(collector_pid, indexed.copy(TURN)).await?;
        rates[2].add(collector_pid, bare.copy(TURN)).await?;
    }
    let before = Phases::now(collector.http).await?;
    let half = agents.pace(rates[0].per_s() / 2.0, HALF).await?;
    let half_phases_ms = Phases::now(collector.http).await?.since(before);
    let [stored, indexed, bare] = rates;
    let figures = Figures {
        stored,
        indexed,
        bare,
        p50_ms: half.ms(50),
        p99_ms: half.ms(99),
        half_phases_ms,
        peak_rss_kib: collector.peak_rss_kib()?,
        record_bytes: records::mean_bytes(),
    };
    collector.stop().await?;
    if std::env::args().any(|argument| argument == "--json") {
        println!("{}", figures.json());
    } else {
        println!("{}", figures.rows());
    }
    Ok(())
}

/// Records, and the time that they took, by the clock and of processors.
#[derive(Clone, Copy, Default)]
struct Rate {
    records: f64,
    seconds: f64,
    cpu: Cpu,
}

impl Rate {
    async fn add(&mut self, collector: u32, turn: impl Future<Output = Result<u32>>) -> Result<()> {
        let (start, before) = (Instant::now(), Cpu::now(collector)?);
        self.records += f64::from(turn.await?);
        self.seconds += start.elapsed().as_secs_f64();
        self.cpu += Cpu::now(collector)? - before;
        Ok(())
    }

    fn per_s(self) -> f64 {
        self.records / self.seconds
    }

    /// Processor time of a record, microseconds.
    fn us(self, seconds: f64) -> f64 {
        seconds * 1e6 / self.records
    }
}

struct Figures {
    stored: Rate,
    indexed: Rate,
    bare: Rate,
    p50_ms: f64,
    p99_ms: f64,
    /// As [`Phases::since`] has them.
    half_phases_ms: [f64; 4],
    peak_rss_kib: u32,
    record_bytes: usize,
}

impl Figures {
    fn rows(&self) -> String {
        let rate = |what: &str, rate: Rate| {
            format!(
                "{what:<44} {:>9.0} records/s   stored is {:.2} of it   PostgreSQL {:.1}, loader {:.1} us\n",
                rate.per_s(),
                self.stored.per_s() / rate.per_s(),
                rate.us(rate.cpu.postgres),
                rate.us(rate.cpu.loader),
            )
        };
        let Cpu {
            collector,
            postgres,
            loader,
        } = self.stored.cpu;
        let [wait, write, commit, whole] = self.half_phases_ms;
        [
            format!(
                "{:<44} {:>9.0} records/s of {} bytes\n",
                "stored by the collector",
                self.stored.per_s(),
                self.record_bytes
            ),
            format!(
                "{:<44} collector {:.1}, PostgreSQL {:.1}, agents {:.1} us of CPU a record\n",
                "  of that",
                self.stored.us(collector),
                self.stored.us(postgres),
                self.stored.us(loader)
            ),
            rate("COPY BINARY, the same indexes", self.indexed),
            rate("COPY BINARY, no index", self.bare),
            format!(
                "{:<44} p50 {:>7.1} ms   p99 {:>7.1} ms\n",
                "acknowledged at half that rate", self.p50_ms, self.p99_ms
            ),
            format!(
                "{:<44} waiting {wait:.1}, writing {write:.1}, committing {commit:.1}, in all {whole:.1} ms\n",
                "  of that, means in the collector"
            ),
            format!(
                "{:<44} {:>9.1} MiB",
                "most memory of the collector, resident",
                f64::from(self.peak_rss_kib) / 1024.0
            ),
        ]
        .concat()
    }

    fn json(&self) -> Value {
        let Self {
            stored,
            indexed,
            bare,
            half_phases_ms: [wait, write, commit, whole],
            ..
        } = self;
        json!({
            "records_per_s": stored.per_s().round(),
            "record_bytes": self.record_bytes,
            "collector_cpu_us": stored.us(stored.cpu.collector),
            "postgres_cpu_us": stored.us(stored.cpu.postgres),
            "agents_cpu_us": stored.us(stored.cpu.loader),
            "copy_indexed_per_s": indexed.per_s().round(),
            "copy_indexed_postgres_cpu_us": indexed.us(indexed.cpu.postgres),
            "copy_bare_per_s": bare.per_s().round(),
            "copy_bare_postgres_cpu_us": bare.us(bare.cpu.postgres),
            "of_copy_indexed": stored.per_s() / indexed.per_s(),
            "of_copy_bare": stored.per_s() / bare.per_s(),
            "half_load_p50_ms": self.p50_ms,
            "half_load_p99_ms": self.p99_ms,
            "half_load_mean_ms": { "waiting": wait, "writing": write, "committing": commit, "in_all": whole },
            "peak_rss_bytes": u64::from(self.peak_rss_kib) * 1024,
        })
    }
}

/// Times that something took, in order of size once it is asked.
struct Times(Vec<Duration>);

impl Times {
    fn new(mut took: Vec<Duration>) -> Self {
        took.sort_unstable();
        Self(took)
    }

    fn ms(&self, percent: usize) -> f64 {
        let at = self.0.len() * percent / 100;
        self.0.get(at).map_or(0.0, |took| took.as_secs_f64() * 1e3)
    }
}

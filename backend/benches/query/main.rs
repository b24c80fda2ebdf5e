//! How soon every call of the API is answered, or every page: `cargo bench -p backend --bench query [-- --records N --pages --json]`.
//!
//! A private PostgreSQL is filled with records of ten days, which took the collector's way for a part and are copied within
//! the database for the rest. Then each call is made two hundred times, as the router answers it; what a client's connection adds
//! is not in it. What statistics are made of is read anew each time, where `backend serve` keeps it for half a minute. Where a bar is
//! missed, it says which large tables the call goes through from beginning to end.
//!
//! `QUERY_BENCH_DIR` chooses the file system; the temporary folder is used otherwise.
#![expect(clippy::print_stdout, reason = "a command line program")]
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

mod calls;
mod fill;
mod scans;

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use axum::{
    Router,
    body::{Body, to_bytes},
    http::Request,
};
use backend::{
    access::{Access, Anonymous},
    embedded::Cluster,
    http::{self, Started},
    metrics::Metrics,
    store::{KEPT, Store},
    symbols::Symbols,
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use calls::Call;
use scans::Scans;

/// Records where nobody says how many.
const RECORDS: u64 = 1_000_000;
/// How often each call is made, after it was made a few times without a watch.
const TIMES: usize = 200;
const WARM: usize = 5;
/// Bytes of an answer.
const ANSWER_BYTES: usize = 64 * 1024 * 1024;

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::read()?;
    let dir = match std::env::var_os("QUERY_BENCH_DIR") {
        Some(dir) => tempfile::tempdir_in(dir)?,
        None => tempfile::tempdir()?,
    };
    // The user `postgres` has to get at it where the bench runs as root.
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(dir.path(), open)?;
    let cluster = Cluster::start(dir.path(), None).await?;
    let store = Store::new(&cluster.url())?.keeping(KEPT);
    store.migrate().await?;
    let known = fill::fill(&store, &cluster.url(), arguments.records).await?;
    let access = Access::new(store.clone(), Anonymous::Admin);
    let symbols = Symbols::none(store.clone());
    let router = http::router(
        store.clone(),
        symbols,
        access,
        Metrics::new(),
        Started::default(),
        CancellationToken::new(),
    );

    let scans = Scans::connect(&cluster.url()).await?;
    let mut figures = Vec::new();
    let calls = if arguments.pages {
        calls::pages(&router, &known).await?
    } else {
        calls::all(&router, &known).await?
    };
    for call in calls {
        let mut figure = measure(&router, &store, call).await?;
        if !figure.is_within() {
            figure.scanned = scans.of(&router, &figure.call.address).await?;
        }
        if !arguments.json {
            println!("{}", figure.row());
        }
        figures.push(figure);
    }
    if arguments.json {
        let calls: Vec<Value> = figures.iter().map(Figure::json).collect();
        println!("{}", json!({ "records": arguments.records, "calls": calls }));
    }
    cluster.stop().await;
    let missed = figures.iter().filter(|figure| !figure.is_within()).count();
    ensure!(missed == 0, "{missed} of {} calls take too long", figures.len());
    Ok(())
}

struct Arguments {
    records: u64,
    /// The pages instead of the API.
    pages: bool,
    json: bool,
}

impl Arguments {
    fn read() -> Result<Self> {
        let mut read = Self {
            records: RECORDS,
            pages: false,
            json: false,
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--records" => read.records = arguments.next().context("--records NUMBER")?.parse()?,
                "--pages" => read.pages = true,
                "--json" => read.json = true,
                // What cargo says to each benchmark.
                "--bench" => {}
                other => bail!("{other} is not known: --records NUMBER, --pages, --json"),
            }
        }
        Ok(read)
    }
}

/// How soon a call was answered.
struct Figure {
    call: Call,
    /// Sorted.
    taken: Vec<Duration>,
    /// Where it takes too long: the large tables that it goes through.
    scanned: Vec<String>,
}

impl Figure {
    fn ms(&self, percent: usize) -> f64 {
        // The nearest rank.
        let at = (self.taken.len() * percent).div_ceil(100).saturating_sub(1);
        self.taken
            .get(at)
            .map_or(0.0, |taken| taken.as_secs_f64() * 1000.0)
    }

    fn is_within(&self) -> bool {
        self.ms(99) < self.call.bar_ms
    }

    fn row(&self) -> String {
        let verdict = match (self.is_within(), self.scanned.join(", ")) {
            (true, _) => String::new(),
            (false, none) if none.is_empty() => "   TOO LONG".to_owned(),
            (false, scanned) => format!("   TOO LONG: goes through {scanned}"),
        };
        format!(
            "{:<34} p50 {:>8.2} ms   p99 {:>8.2} ms   bar {:>3} ms{verdict}",
            self.call.name,
            self.ms(50),
            self.ms(99),
            self.call.bar_ms
        )
    }

    fn json(&self) -> Value {
        json!({
            "call": self.call.name,
            "address": self.call.address,
            "p50_ms": self.ms(50),
            "p99_ms": self.ms(99),
            "bar_ms": self.call.bar_ms,
            "scanned": self.scanned,
        })
    }
}

async fn measure(router: &Router, store: &Store, call: Call) -> Result<Figure> {
    for _ in 0..WARM {
        answer(router, &call.address).await?;
    }
    let mut taken = Vec::with_capacity(TIMES);
    for _ in 0..TIMES {
        store.forget_histories();
        let start = Instant::now();
        answer(router, &call.address).await?;
        taken.push(start.elapsed());
    }
    taken.sort_unstable();
    let scanned = Vec::new();
    Ok(Figure { call, taken, scanned })
}

/// What the router answers, which is no error.
async fn answer(router: &Router, address: &str) -> Result<Vec<u8>> {
    let request = Request::get(address).body(Body::empty())?;
    // As a server does, which has a task for each connection.
    let response = tokio::spawn(router.clone().oneshot(request)).await??;
    let status = response.status();
    let body = to_bytes(response.into_body(), ANSWER_BYTES).await?;
    ensure!(
        status.is_success(),
        "{address}: {status}: {}",
        String::from_utf8_lossy(&body)
    );
    Ok(body.to_vec())
}

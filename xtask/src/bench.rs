//! `cargo xtask bench`: how fast the parts are, each beside what limits it on this machine.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::{build_ebpf, packages, paths, progress};

mod idle;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  cargo xtask bench\n  cargo xtask bench --json bench.json\n  \
                  cargo xtask bench probes --flood 10\n  cargo xtask bench idle --seconds 60\n  \
                  cargo xtask bench spool\n  cargo xtask bench ingest\n  cargo xtask bench query --records 10000000\n  cargo xtask bench pages"
)]
pub(crate) struct Args {
    /// What is measured
    #[arg(value_enum, default_value_t = What::Reports)]
    what: What,
    /// Write the figures to this file as JSON instead of printing a table
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// How long an idle agent is watched (idle)
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
    /// How long 100,000 events a second are sent (probes)
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3600))]
    flood: u64,
    /// How many records are stored (query, pages); ten millions take some 6 GB below the temporary folder or `QUERY_BENCH_DIR`
    #[arg(long, value_name = "NUMBER", default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(40_000..=100_000_000))]
    records: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum What {
    /// How fast kernel logs become reports
    Reports,
    /// What probes cost: an event that is turned away, a flood of events. Takes root
    Probes,
    /// What the agent takes while nothing happens, built as it is installed. Takes root
    Idle,
    /// How many records a second the collector stores, beside plain COPY of the same rows, and how soon it answers
    Ingest,
    /// How soon each call of the API is answered with many records stored
    Query,
    /// How soon each page is
    Pages,
    /// How fast records become durable, beside plain fdatasync and redb, and how fast 1 GiB is recovered
    Spool,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let json = args.json.is_some();
    let figures = match args.what {
        What::Reports => figures("faults", "reports", &[], json)?.map(|figures| ("faults", figures)),
        What::Ingest => figures("backend", "ingest", &[], json)?.map(|figures| ("ingest", figures)),
        What::Query => query(args, &[], json)?.map(|figures| ("query", figures)),
        What::Pages => query(args, &["--pages"], json)?.map(|figures| ("pages", figures)),
        What::Spool => figures("spool", "durable", &[], json)?.map(|figures| ("spool", figures)),
        What::Probes => probes(args, json)?.map(|figures| ("probes", figures)),
        What::Idle => idle(args, json)?.map(|figures| ("idle", figures)),
    };
    let (Some(file), Some((name, figures))) = (&args.json, figures) else {
        return Ok(());
    };
    let figures = serde_json::json!({ name: figures });
    std::fs::write(file, format!("{figures:#}\n")).with_context(|| format!("write {}", file.display()))?;
    progress::result(file.display().to_string());
    Ok(())
}

fn probes(args: &Args, json: bool) -> Result<Option<Value>> {
    build_ebpf::ensure()?;
    figures(
        "probe-user",
        "probes",
        &["--flood", &args.flood.to_string()],
        json,
    )
}

fn query(args: &Args, more: &[&str], json: bool) -> Result<Option<Value>> {
    packages::ensure_postgresql()?;
    let records = args.records.to_string();
    let arguments = [&["--records", &records], more].concat();
    figures("backend", "query", &arguments, json)
}

fn idle(args: &Args, json: bool) -> Result<Option<Value>> {
    let idle = idle::measure(args.seconds)?;
    if json {
        return Ok(Some(idle.json()));
    }
    progress::result(idle.rows());
    Ok(None)
}

/// Runs a benchmark of a crate. Its figures are answered in JSON when asked for; otherwise it prints its table.
fn figures(package: &str, bench: &str, arguments: &[&str], json: bool) -> Result<Option<Value>> {
    let mut command = Command::new("cargo");
    command
        .args(["bench", "--quiet", "-p", package, "--bench", bench, "--"])
        .args(arguments)
        .current_dir(paths::workspace());
    if json {
        command.arg("--json").stdout(Stdio::piped());
    }
    let output = command
        .stderr(Stdio::inherit())
        .spawn()
        .and_then(std::process::Child::wait_with_output)
        .context("start cargo bench")?;
    if !output.status.success() {
        bail!("cargo bench ended with {}", output.status);
    }
    if !json {
        return Ok(None);
    }
    serde_json::from_slice(&output.stdout)
        .map(Some)
        .context("read the figures of cargo bench")
}

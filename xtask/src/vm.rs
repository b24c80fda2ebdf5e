//! `cargo xtask vm`: real faults on real kernels.
//!
//! Debian kernels boot in QEMU with the agent in their initramfs; a collector with a private database runs on this host.
//! [`Guest::boot`] gives a guest that goes through scenarios on demand ([`Guest::cause`]); [`Collector::faults`] says what
//! arrived. Both end with their value, and with this process. The scenarios are a table ([`scenario`]); a run of many of
//! them on many kernels is the [`matrix`].

mod apt;
mod books;
mod boot;
mod broken_module;
mod collector;
mod coverage;
mod cpio;
mod expect;
mod firmware;
mod guest;
mod initramfs;
mod kernels;
mod ledger;
mod machine;
mod matrix;
mod modules;
mod places;
mod scenario;
mod trial;

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, Result};
use clap::ValueEnum as _;

use self::scenario::{Choice, scenarios};
pub(crate) use self::{
    apt::main_archive,
    boot::Boot,
    collector::{Collector, Stored},
    cpio::Archive,
    expect::Expect,
    guest::{AgentOptions, Caused, Guest, GuestOptions},
    kernels::{Kernel, Series},
    ledger::{Entry, Ledger},
    modules::Modules,
    scenario::{Scenario, crashing_program},
    trial::Verdict,
};
use crate::{build_ebpf, packages, paths, progress};

/// From the fault to its record in the database; on a busy machine the agent in the guest is slow.
pub(crate) const ARRIVAL_PATIENCE: Duration = Duration::from_mins(5);
/// After the last fault: time for what should not come.
pub(crate) const AFTERMATH: Duration = Duration::from_secs(8);
const POLL: Duration = Duration::from_millis(250);
/// Loopback, and whatever port is free.
const ANY_PORT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
/// Guests at a time: each has two processors, of which it needs one most of the time.
const GUESTS: usize = 2;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  cargo xtask vm --kernel 6.1 oops\n  cargo xtask vm --kernel 6.12 all\n  \
                  cargo xtask vm --kernel all all\n  cargo xtask vm --kernel sid --keep-logs logs any"
)]
pub(crate) struct Args {
    /// The Debian kernels to boot: 5.10, 6.1, 6.12, sid or all
    #[arg(long, value_name = "KERNEL", default_value = "6.1")]
    kernel: Vec<Kernels>,
    /// Fetch the newest kernel of the series even when one is in the cache
    #[arg(long)]
    refresh: bool,
    /// A folder with the agent and the collector, instead of building them
    #[arg(long, value_name = "DIR")]
    programs: Option<PathBuf>,
    /// How many guests run at a time
    #[arg(long, value_name = "NUMBER", default_value_t = GUESTS)]
    guests: usize,
    /// Write the matrix to this file as JSON too
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write what the console says during each scenario to DIR/KERNEL-SCENARIO.txt; the guest has no agent then
    #[arg(long, value_name = "DIR", conflicts_with_all = ["programs", "json"])]
    keep_logs: Option<PathBuf>,
    /// The scenarios, by name; `all` are those that are checked, `any` is every one there is, for --keep-logs
    #[arg(required = true, value_name = "SCENARIO")]
    scenarios: Vec<Choice>,
}

/// A series of kernels or all of them.
#[derive(Clone, Copy, Debug)]
enum Kernels {
    All,
    One(Series),
}

impl std::str::FromStr for Kernels {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        if name == "all" {
            return Ok(Self::All);
        }
        Series::from_str(name, false).map(Self::One).map_err(|_unknown| {
            let names: Vec<&str> = Series::value_variants()
                .iter()
                .map(|series| series.name())
                .collect();
            format!("it is one of {}, all", names.join(", "))
        })
    }
}

/// A scenario on a kernel, as `cargo xtask test` counts it.
#[derive(Debug)]
pub(crate) struct Check {
    /// `vm::KERNEL::SCENARIO`, or `vm::KERNEL` when there is no such kernel to be had.
    pub(crate) test: String,
    /// How it ended.
    pub(crate) verdict: Verdict,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let kernels = args
        .series()
        .into_iter()
        .map(|series| prepare(series, args.refresh))
        .collect::<Result<Vec<Kernel>>>()?;
    let scenarios = args.scenarios();
    if let Some(dir) = &args.keep_logs {
        return kernels
            .iter()
            .try_for_each(|kernel| keep_logs(kernel, &scenarios, dir));
    }
    let programs = if let Some(dir) = &args.programs {
        if let Some(difference) = build_ebpf::difference(&dir.join("telemd-probes"))? {
            progress::say(format!(
                "not what a build would test: {difference}; build with `cargo xtask build-ebpf` and `cargo build`"
            ));
        }
        dir.clone()
    } else {
        build_ebpf::ensure()?;
        build_programs()?
    };
    let scratch = paths::scratch("vm/collector")?;
    let collector = Collector::start(&programs, scratch.path(), ANY_PORT)?;
    let surroundings = matrix::surroundings(&programs, &collector);
    let columns = matrix::run(&kernels, &scenarios, surroundings, args.guests);
    matrix::print(&columns);
    if let Some(file) = &args.json {
        matrix::write_json(&columns, file)?;
    }
    let is_whole = kernels.len() == Series::value_variants().len()
        && args.scenarios.iter().any(|choice| matches!(choice, Choice::All));
    if is_whole {
        coverage::write(&columns)?;
    }
    matrix::verdict(&columns)
}

impl Args {
    /// The series that are meant, each once, the oldest first.
    fn series(&self) -> Vec<Series> {
        let is_meant = |series: &Series| {
            self.kernel.iter().any(|kernel| match kernel {
                Kernels::All => true,
                Kernels::One(one) => one == series,
            })
        };
        Series::value_variants()
            .iter()
            .copied()
            .filter(is_meant)
            .collect()
    }

    /// The scenarios that are meant, each once, in the order in which one boot can have them.
    fn scenarios(&self) -> Vec<&'static Scenario> {
        let meant: Vec<&Scenario> = self
            .scenarios
            .iter()
            .flat_map(|choice| choice.scenarios())
            .collect();
        scenarios()
            .filter(|scenario| meant.iter().any(|other| other.name == scenario.name))
            .collect()
    }
}

/// Goes through the scenarios of the tests on kernels.
pub(crate) fn check(series: &[Series]) -> Result<Vec<Check>> {
    let mut checks = Vec::new();
    let mut kernels = Vec::new();
    for series in series {
        match prepare(*series, false) {
            Ok(kernel) => kernels.push(kernel),
            Err(error) => checks.push(Check {
                test: format!("vm::{series}"),
                verdict: Verdict::Impossible(format!("{error:#}")),
            }),
        }
    }
    build_ebpf::ensure()?;
    let programs = build_programs()?;
    let scenarios: Vec<&Scenario> = scenarios().filter(|scenario| scenario.is_quick).collect();
    let scratch = paths::scratch("vm/collector")?;
    let collector = Collector::start(&programs, scratch.path(), ANY_PORT)?;
    let surroundings = matrix::surroundings(&programs, &collector);
    for column in matrix::run(&kernels, &scenarios, surroundings, GUESTS) {
        checks.extend(column.cells.into_iter().map(|cell| Check {
            test: format!("vm::{}::{}", column.kernel.series, cell.scenario),
            verdict: cell.verdict,
        }));
    }
    Ok(checks)
}

/// Puts in place what a guest needs: the kernel, QEMU and the tools that make its files.
pub(crate) fn prepare(series: Series, refresh: bool) -> Result<Kernel> {
    packages::ensure_program("qemu-system-x86_64", "qemu-system-x86")?;
    packages::ensure_program("mke2fs", "e2fsprogs")?;
    Kernel::get(series, refresh).with_context(|| format!("kernel {series} cannot be fetched"))
}

/// Builds the agent and the collector, optimised; returns their folder. The eBPF object has to be there already.
pub(crate) fn build_programs() -> Result<PathBuf> {
    progress::run(
        "build the agent and the collector",
        Command::new("cargo")
            .args(["build", "--release", "-p", "telemd", "-p", "backend"])
            .current_dir(paths::workspace()),
    )?;
    Ok(paths::target().join("release"))
}

/// Causes faults in a guest without agent and keeps what its console says meanwhile.
fn keep_logs(kernel: &Kernel, scenarios: &[&Scenario], dir: &Path) -> Result<()> {
    fs::create_dir_all(dir).with_context(|| format!("create {}", dir.display()))?;
    let scratch = paths::scratch(&format!("vm/{}", kernel.series.name()))?;
    let mut guest = Guest::boot(&GuestOptions {
        kernel,
        boot: Boot::Plain,
        agent: None,
        hostname: "guest",
        work_dir: scratch.path(),
    })?;
    for scenario in scenarios {
        let reason = match scenario.boot {
            Boot::Plain => scenario.impossible_on(kernel.series),
            _ => Some("it needs a boot of its own"),
        };
        if let Some(reason) = reason {
            progress::say(format!("SKIP vm::{}::{scenario}: {reason}", kernel.series));
            continue;
        }
        let (caused, log) = guest.cause_and_listen(scenario)?;
        if let Caused::Cannot(reason) = caused {
            progress::say(format!("SKIP vm::{}::{scenario}: {reason}", kernel.series));
            continue;
        }
        let file = dir.join(format!("{}-{scenario}.txt", kernel.series));
        fs::write(&file, log).with_context(|| format!("write {}", file.display()))?;
        progress::result(file.display().to_string());
    }
    Ok(())
}

//! `cargo xtask vm`: real faults on real kernels.
//!
//! A Debian kernel boots in QEMU with the agent in its initramfs; a collector with a private database runs on this
//! host. [`Guest::boot`] gives a guest that has faults on demand ([`Guest::cause`]); [`Collector::faults`] says what
//! arrived. Both end with their value, and with this process.

mod apt;
mod broken_module;
mod collector;
mod cpio;
mod expected;
mod fault;
mod guest;
mod initramfs;
mod kernels;
mod modules;

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use clap::ValueEnum as _;

pub(crate) use self::{
    collector::{Collector, Stored},
    expected::Expected,
    fault::{Fault, crashing_program},
    guest::{AgentOptions, Guest, GuestOptions},
    kernels::{Kernel, Series},
};
use crate::{build_ebpf, packages, paths, progress};

/// From the fault to its record in the database; on a busy machine the agent in the guest is slow.
pub(crate) const ARRIVAL_PATIENCE: Duration = Duration::from_mins(2);
/// After the last fault: time for what should not come.
pub(crate) const AFTERMATH: Duration = Duration::from_secs(8);
const POLL: Duration = Duration::from_millis(250);
/// Loopback, and whatever port is free.
const ANY_PORT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  cargo xtask vm --kernel 6.1 oops\n  cargo xtask vm --kernel 6.12 all\n  \
                  cargo xtask vm --kernel sid --keep-logs logs any"
)]
pub(crate) struct Args {
    /// The Debian kernel to boot
    #[arg(long, default_value = "6.1")]
    kernel: Series,
    /// Fetch the newest kernel of the series even when one is in the cache
    #[arg(long)]
    refresh: bool,
    /// A folder with the agent and the collector, instead of building them
    #[arg(long, value_name = "DIR")]
    programs: Option<PathBuf>,
    /// Write what the console says during each fault to DIR/KERNEL-FAULT.txt; the guest has no agent then
    #[arg(long, value_name = "DIR", conflicts_with = "programs")]
    keep_logs: Option<PathBuf>,
    /// The faults to cause, by name; `all` are those of the tests, `any` is every fault there is, for --keep-logs
    #[arg(required = true, value_name = "FAULT")]
    faults: Vec<Scenario>,
}

/// A fault or many of them.
#[derive(Clone, Copy, Debug)]
enum Scenario {
    /// Those that the tests cause.
    All,
    Any,
    One(Fault),
}

impl std::str::FromStr for Scenario {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "all" => return Ok(Self::All),
            "any" => return Ok(Self::Any),
            _ => {}
        }
        Fault::from_str(name, false).map(Self::One).map_err(|_unknown| {
            let names: Vec<String> = Fault::value_variants().iter().map(|fault| fault.name()).collect();
            format!("it is one of {}, all, any", names.join(", "))
        })
    }
}

impl Scenario {
    fn faults(self) -> Vec<Fault> {
        match self {
            Self::All => Fault::ALL.to_vec(),
            Self::Any => Fault::value_variants().to_vec(),
            Self::One(fault) => vec![fault],
        }
    }
}

/// How a check ended that did not fail.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// Every fault arrived exactly once.
    Passed,
    /// It could not be run here, for this reason.
    Unavailable(String),
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let kernel = prepare(args.kernel, args.refresh)?;
    let faults: Vec<Fault> = args
        .faults
        .iter()
        .flat_map(|scenario| scenario.faults())
        .collect();
    if let Some(dir) = &args.keep_logs {
        return keep_logs(&kernel, &faults, dir);
    }
    let programs = if let Some(dir) = &args.programs {
        dir.clone()
    } else {
        build_ebpf::ensure()?;
        build_programs()?
    };
    fleet_of_one(&kernel, &programs, &faults)
}

/// Causes every fault on a kernel and checks that each arrives exactly once, and nothing else.
pub(crate) fn check(kernel: &str) -> Result<Outcome> {
    let series =
        Series::from_str(kernel, false).map_err(|error| anyhow::anyhow!("kernel {kernel}: {error}"))?;
    let kernel = match prepare(series, false) {
        Ok(kernel) => kernel,
        Err(error) => return Ok(Outcome::Unavailable(format!("{error:#}"))),
    };
    build_ebpf::ensure()?;
    fleet_of_one(&kernel, &build_programs()?, &Fault::ALL)?;
    Ok(Outcome::Passed)
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

/// A collector and one guest, which has the faults one after the other.
fn fleet_of_one(kernel: &Kernel, programs: &Path, faults: &[Fault]) -> Result<()> {
    let scratch = paths::scratch(&format!("vm/{}", kernel.series.name()))?;
    let dir = scratch.path();
    let hostname = format!("guest-{}", kernel.series.name().replace('.', "-"));
    let collector = Collector::start(programs, dir, ANY_PORT)?;
    let mut guest = Guest::boot(&GuestOptions {
        kernel,
        agent: Some(AgentOptions {
            programs,
            collector_port: collector.grpc_port(),
        }),
        hostname: &hostname,
        work_dir: dir,
    })?;
    let mut caused = Vec::new();
    for fault in faults {
        if let Some(reason) = fault.impossible_on(kernel.series) {
            progress::say(format!("SKIP vm::{}::{fault}: {reason}", kernel.series));
            continue;
        }
        let expected = Expected::of_fault(&hostname, *fault)?;
        let before = collector.faults()?;
        guest.cause(*fault)?;
        let stored = wait_for_arrival(&collector, &expected, &before).map_err(|error| {
            anyhow::anyhow!(
                "{error:#}\nThe end of the guest's console:\n{}",
                guest.console_tail()
            )
        })?;
        progress::result(format!("{fault}: {}", stored.title));
        progress::say(format!(
            "      {} on {}, Linux {}, by {}, record {}",
            stored.class, stored.host, stored.kernel_release, stored.hook, stored.id
        ));
        caused.push(expected);
    }
    thread::sleep(AFTERMATH);
    exactly_these(&collector.faults()?, &caused)
}

/// Causes faults in a guest without agent and keeps what its console says meanwhile.
fn keep_logs(kernel: &Kernel, faults: &[Fault], dir: &Path) -> Result<()> {
    fs::create_dir_all(dir).with_context(|| format!("create {}", dir.display()))?;
    let scratch = paths::scratch(&format!("vm/{}", kernel.series.name()))?;
    let mut guest = Guest::boot(&GuestOptions {
        kernel,
        agent: None,
        hostname: "guest",
        work_dir: scratch.path(),
    })?;
    for fault in faults {
        if let Some(reason) = fault.impossible_on(kernel.series) {
            progress::say(format!("SKIP vm::{}::{fault}: {reason}", kernel.series));
            continue;
        }
        let log = guest.cause_and_listen(*fault)?;
        let file = dir.join(format!("{}-{fault}.txt", kernel.series));
        fs::write(&file, log).with_context(|| format!("write {}", file.display()))?;
        progress::result(file.display().to_string());
    }
    Ok(())
}

/// Waits for a record that was not there before and is what the fault should be.
#[expect(
    clippy::disallowed_methods,
    reason = "waiting for another process is wall time"
)]
fn wait_for_arrival(collector: &Collector, expected: &Expected, before: &[Stored]) -> Result<Stored> {
    let deadline = Instant::now() + ARRIVAL_PATIENCE;
    loop {
        let new: Vec<Stored> = collector
            .faults()?
            .into_iter()
            .filter(|stored| before.iter().all(|old| old.id != stored.id))
            .collect();
        if let Some(stored) = new.iter().find(|stored| expected.is_met_by(stored)) {
            return Ok(stored.clone());
        }
        if Instant::now() >= deadline {
            bail!(
                "no record of {expected} within {ARRIVAL_PATIENCE:?}; instead came:{}",
                list(&new)
            );
        }
        thread::sleep(POLL);
    }
}

/// Fails unless each expectation is met by one record and each record meets one.
fn exactly_these(stored: &[Stored], expected: &[Expected]) -> Result<()> {
    let mut left = stored.to_vec();
    for expected in expected {
        let Some(at) = left.iter().position(|stored| expected.is_met_by(stored)) else {
            bail!("no record of its own for {expected}");
        };
        left.remove(at);
    }
    if !left.is_empty() {
        bail!("records that no fault accounts for:{}", list(&left));
    }
    Ok(())
}

fn list(stored: &[Stored]) -> String {
    if stored.is_empty() {
        return " nothing".to_owned();
    }
    stored
        .iter()
        .map(|stored| format!("\n  {} on {}: {}", stored.class, stored.host, stored.title))
        .collect::<Vec<_>>()
        .concat()
}

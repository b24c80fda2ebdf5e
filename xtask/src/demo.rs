//! `cargo xtask demo`: the whole system on one machine, with real faults.
//!
//! A collector with a private PostgreSQL, an agent on this host, and a QEMU guest as a second host of the fleet. The
//! faults on this host harm nothing; those in the guest kill its kernel.

pub(crate) mod agent;
mod host_faults;

use std::{
    fmt, fs,
    path::Path,
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};

use self::{
    agent::{Agent, Session},
    host_faults::HostFault,
};
use crate::{
    build_ebpf, packages, paths, progress,
    vm::{
        self, AgentOptions, Boot, Caused, Collector, Entry, Expect, Guest, GuestOptions, Ledger, Scenario,
        Series, Stored,
    },
};

/// The guest's name in the fleet.
const GUEST: &str = "guest";
/// What the guest is made to have. A panic is last, for it ends the boot.
const GUEST_SCENARIOS: [&str; 4] = ["oops", "mce-corrected", "memcg-oom", "panic-ramoops"];
/// How often the collector is asked for what is new.
const POLL: Duration = Duration::from_millis(500);

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  cargo xtask demo\n  cargo xtask demo --history\n  cargo xtask demo --check\n  cargo xtask demo --kernel 6.12"
)]
pub(crate) struct Args {
    /// Don't stay: exit 0 when every fault arrived exactly once, 1 otherwise
    #[arg(long)]
    check: bool,
    /// The Debian kernel of the guest
    #[arg(long, default_value = "6.1")]
    kernel: Series,
    /// Where the page is served
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7131")]
    http: std::net::SocketAddr,
    /// Begin with a month of a fleet that is made up, with a release that is worse than the one before. Its hosts are called
    /// simulated, and go on sending heartbeats
    #[arg(long)]
    history: bool,
}

/// A fault that was caused on this host.
#[derive(Debug)]
struct Expected {
    host: String,
    /// The hook that sees it happen. The agent also tells what the log of this boot has from before, by other means.
    hook: &'static str,
    record: Expect,
}

impl Expected {
    fn is_met_by(&self, stored: &Stored) -> bool {
        let caught_by = stored.hook.split(' ').next();
        stored.host == self.host && caught_by == Some(self.hook) && self.record.is_met_by(stored)
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} from {} by {}", self.record, self.host, self.hook)
    }
}

/// What happened so far.
struct Demo {
    collector: Collector,
    /// Printed already.
    seen: Vec<Stored>,
    /// Faults that were caused on this host.
    expected: Vec<Expected>,
    /// Which record is of which scenario of the guest.
    guest: Ledger,
    /// Faults that could not be caused or did not arrive.
    failures: Vec<String>,
    stop: Receiver<()>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let (stopped, stop) = channel();
    let handler = move || {
        // Fails when nobody waits any more: the demo is ending already.
        let _ended = stopped.send(());
    };
    ctrlc::set_handler(handler).context("catch Ctrl-C")?;
    packages::ensure_postgresql()?;
    build_ebpf::ensure()?;
    let programs = vm::build_programs()?;
    let scratch = paths::scratch("demo")?;
    let dir = scratch.path();
    let collector = Collector::start(&programs, dir, args.http)?;
    let fleet = args
        .history
        .then(|| collector.make_history(&programs, dir))
        .transpose()?;
    progress::say(format!("\n      The page: {}\n", collector.page()));
    let mut demo = Demo {
        // Of the history nothing is told.
        seen: collector.faults()?,
        collector,
        expected: Vec::new(),
        guest: Ledger::default(),
        failures: Vec::new(),
        stop,
    };

    let agent = Agent::start(&programs, &dir.join("agent"), demo.collector.grpc_port())?;
    demo.on_this_host(&agent, dir)?;
    let guest = demo.in_a_guest(args.kernel, &programs, dir)?;
    demo.settle()?;
    let verdict = demo.verdict();
    if args.check {
        return verdict;
    }
    if let Err(error) = verdict {
        progress::print_error(&error);
    }
    demo.stay(&agent, &programs)?;
    drop(guest);
    drop(agent);
    drop(fleet);
    drop(demo);
    progress::say(format!(
        "      Everything is stopped. What was stored is in {}.",
        dir.display()
    ));
    Ok(())
}

impl Demo {
    fn on_this_host(&mut self, agent: &Agent, dir: &Path) -> Result<()> {
        let Session {
            hostname: host,
            hooks,
        } = agent.session()?;
        for hook in &hooks {
            match hook.attach.as_str() {
                "" => progress::say(format!("      not watched here: {} ({})", hook.name, hook.reason)),
                attach => progress::say(format!("      watched here: {} ({attach})", hook.name)),
            }
        }
        for HostFault {
            hook,
            class,
            program,
            cause,
        } in host_faults::ALL
        {
            let is_watched = hooks
                .iter()
                .any(|state| state.name == hook && !state.attach.is_empty());
            if !is_watched {
                progress::say(format!("SKIP {program} on this host: {hook} is not watched"));
                continue;
            }
            let expected = Expected {
                host: host.clone(),
                hook,
                record: Expect::record(class, program),
            };
            self.host_fault(expected, || cause(dir))?;
        }
        Ok(())
    }

    /// Causes a fault on this host; one that this host does not allow is left out, with its reason.
    fn host_fault(&mut self, expected: Expected, cause: impl FnOnce() -> Result<()>) -> Result<()> {
        let step = progress::step(format!("cause a fault on this host: {}", expected.record));
        match cause() {
            Ok(()) => step.done(),
            Err(error) => {
                drop(step);
                progress::say(format!("SKIP {expected}: {error:#}"));
                return Ok(());
            }
        }
        self.expected.push(expected);
        self.wait_until(|demo| {
            let is_there = |expected: &Expected| demo.seen.iter().any(|stored| expected.is_met_by(stored));
            demo.expected.last().is_none_or(is_there)
        })
    }

    fn in_a_guest(&mut self, series: Series, programs: &Path, dir: &Path) -> Result<Option<Guest>> {
        let kernel = match vm::prepare(series, false) {
            Ok(kernel) => kernel,
            Err(error) => {
                self.failures.push(format!("no guest: {error:#}"));
                return Ok(None);
            }
        };
        let work_dir = dir.join("guest");
        fs::create_dir_all(&work_dir).with_context(|| format!("create {}", work_dir.display()))?;
        let mut guest = Guest::boot(&GuestOptions {
            kernel: &kernel,
            boot: Boot::Plain,
            agent: Some(AgentOptions {
                programs,
                collector_port: self.collector.grpc_port(),
                netconsole_port: self.collector.netconsole_port(),
            }),
            hostname: GUEST,
            work_dir: &work_dir,
        })?;
        for name in GUEST_SCENARIOS {
            let scenario = Scenario::find(name).map_err(anyhow::Error::msg)?;
            self.guest.begin(scenario);
            if let Caused::Cannot(reason) = guest.cause(scenario)? {
                self.guest.abandon();
                progress::say(format!("SKIP {name} in the guest: {reason}"));
                continue;
            }
            self.wait_until(Self::scenario_has_its_records)?;
        }
        Ok(Some(guest))
    }

    fn scenario_has_its_records(&self) -> bool {
        self.guest
            .current()
            .is_none_or(|entry| entry.missing().next().is_none())
    }

    /// Shows what arrives until `is_there`, or nobody can wait any longer. What is missing then is told by the verdict.
    fn wait_until(&mut self, is_there: impl Fn(&Self) -> bool) -> Result<()> {
        let attempts = vm::ARRIVAL_PATIENCE.as_millis() / POLL.as_millis();
        for _ in 0..attempts {
            self.show_new()?;
            if is_there(self) {
                break;
            }
            self.pause(POLL)?;
        }
        Ok(())
    }

    /// Gives what should not come the time to come.
    fn settle(&mut self) -> Result<()> {
        self.pause(vm::AFTERMATH)?;
        self.show_new()
    }

    fn show_new(&mut self) -> Result<()> {
        let mut faults = self.collector.faults()?;
        let of_the_guest = faults.iter().filter(|fault| fault.host == GUEST);
        self.guest.enter(&of_the_guest.cloned().collect::<Vec<Stored>>());
        faults.retain(|fault| self.seen.iter().all(|seen| seen.id != fault.id));
        for fault in faults.into_iter().rev() {
            progress::say(format!(
                "FAULT {} on {}: {}",
                fault.severity, fault.host, fault.title
            ));
            progress::say(format!("      {}", self.collector.fault_page(&fault)));
            self.seen.push(fault);
        }
        Ok(())
    }

    /// Waits, unless somebody asks to stop.
    fn pause(&self, time: Duration) -> Result<()> {
        match self.stop.recv_timeout(time) {
            Err(RecvTimeoutError::Timeout) => Ok(()),
            Ok(()) | Err(RecvTimeoutError::Disconnected) => bail!("stopped"),
        }
    }

    /// Whether every fault that was caused has one record, and the guest no other.
    fn verdict(&self) -> Result<()> {
        let mut failures = self.failures.clone();
        for expected in &self.expected {
            let records = self
                .seen
                .iter()
                .filter(|stored| expected.is_met_by(stored))
                .count();
            if records != 1 {
                failures.push(format!("{records} records of {expected}"));
            }
        }
        let entries = self.guest.entries();
        failures.extend(entries.iter().flat_map(Entry::complaints));
        if failures.is_empty() {
            progress::say(format!(
                "\n      All {} faults arrived, each exactly once.",
                self.expected.len() + entries.len()
            ));
            return Ok(());
        }
        bail!(
            "not every fault arrived exactly once:\n  {}",
            failures.join("\n  ")
        )
    }

    /// Shows what arrives until Ctrl-C.
    fn stay(&mut self, agent: &Agent, programs: &Path) -> Result<()> {
        let config = agent.config().display();
        let programs = programs.display();
        progress::say(format!(
            "\n      Look at the page:    {page}\n      \
             What is watched:     {programs}/telemctl --config {config} doctor\n      \
             Send a record:       echo hello | {programs}/telem-record-gen --config {config} --class org.example/demo/hello\n      \
             Ask for the faults:  curl '{page}api/v1/faults?min_severity=high'\n      \
             Crash a program:     sh -c 'kill -SEGV $$'\n\n      \
             Ctrl-C ends the demo.",
            page = self.collector.page(),
        ));
        while self.pause(POLL).is_ok() {
            self.show_new()?;
        }
        Ok(())
    }
}

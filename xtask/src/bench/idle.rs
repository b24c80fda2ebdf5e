//! What the agent takes while nothing happens.

use std::{process::Stdio, thread, time::Duration};

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use serde_json::Value;

use crate::{build_ebpf, demo::agent::Agent, paths, profile::Profile, progress};

/// Attaching and the first records are over by then.
const SETTLE: Duration = Duration::from_secs(15);
/// Nobody listens there: whether a collector is connected makes no difference to what is measured but for a try to
/// connect now and then.
const NO_COLLECTOR: u16 = 9;
/// What runs, and what asks it.
const PROGRAMS: [&str; 3] = ["telemd", "telemd-probes", "telemctl"];
/// Share of a core, percent.
const CPU_BAR_PERCENT: f64 = 0.1;
/// All processes together, KiB.
const RSS_BAR_KIB: u64 = 10 * 1024;

/// What `telemctl doctor --cost --json` says.
#[derive(Debug, Deserialize)]
pub(super) struct Idle {
    seconds: u64,
    processes: Vec<Process>,
    rss_kib: u64,
    most_rss_kib: u64,
    pss_kib: Option<u64>,
    cpu_percent: f64,
    programs: Vec<Value>,
}

#[derive(Debug, Deserialize)]
struct Process {
    name: String,
    rss_kib: u64,
    pss_kib: Option<u64>,
    cpu_percent: f64,
}

/// Runs an agent as it is installed, with every hook attached, and watches it for so many seconds.
pub(super) fn measure(seconds: u64) -> Result<Idle> {
    build_ebpf::ensure()?;
    let profile = Profile::Dist;
    let mut build = profile.cargo("build");
    build.args(["-p", "telemd"]);
    for program in PROGRAMS {
        build.args(["--bin", program]);
    }
    progress::run(
        format!("build the agent as it is installed ({profile:?}), which takes minutes"),
        &mut build,
    )?;
    let programs = profile.folder();
    let scratch = paths::scratch("bench-idle")?;
    let agent = Agent::start(&programs, scratch.path(), NO_COLLECTOR)?;
    let step = progress::step(format!("watch the agent for {seconds} s"));
    thread::sleep(SETTLE);
    let output = agent
        .telemctl()
        .args(["doctor", "--json", "--cost", &seconds.to_string()])
        .stderr(Stdio::inherit())
        .output()
        .context("start telemctl")?;
    if output.stdout.is_empty() {
        bail!("telemctl doctor --cost ended with {}", output.status);
    }
    step.done();
    serde_json::from_slice(&output.stdout).context("read what telemctl doctor --cost says")
}

impl Idle {
    pub(super) fn rows(&self) -> String {
        let mut rows: Vec<String> = self
            .processes
            .iter()
            .map(|process| {
                format!(
                    "idle: {:<14} {:>6} KiB (shared once: {}), {:.3} % of a core",
                    process.name,
                    process.rss_kib,
                    once(process.pss_kib),
                    process.cpu_percent
                )
            })
            .collect();
        rows.push(format!(
            "idle for {} s, all processes: {} KiB, at most {} (bar {RSS_BAR_KIB}; shared once: {}), {:.3} % of a core (bar {CPU_BAR_PERCENT})",
            self.seconds,
            self.rss_kib,
            self.most_rss_kib,
            once(self.pss_kib),
            self.cpu_percent
        ));
        rows.join("\n")
    }

    pub(super) fn json(&self) -> Value {
        serde_json::json!({
            "seconds": self.seconds,
            "rss_kib": self.rss_kib,
            "most_rss_kib": self.most_rss_kib,
            "rss_bar_kib": RSS_BAR_KIB,
            "pss_kib": self.pss_kib,
            "cpu_percent": self.cpu_percent,
            "cpu_bar_percent": CPU_BAR_PERCENT,
            "processes": self.processes.len(),
            "programs": self.programs,
        })
    }
}

/// Memory where what processes share counts once, in words.
fn once(pss_kib: Option<u64>) -> String {
    pss_kib.map_or("not told".to_owned(), |kib| format!("{kib} KiB"))
}

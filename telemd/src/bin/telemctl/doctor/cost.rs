//! `telemctl doctor --cost`: what the agent's programs and processes cost.

use std::fmt::Write as _;
use std::process::ExitCode;

use serde::Serialize;
use telemd::cli;
use telemd::config::Config;
use telemd::control::{Question, ask};
use telemd::text::chain;

use crate::cost::{self, Cost};
use crate::processes::{Process, of_agent, proportional_kib};
use crate::show;

/// What everything cost while it was measured.
#[derive(Debug, Serialize)]
struct Costs {
    seconds: u64,
    processes: Vec<ProcessCost>,
    /// All processes together: what they share counts for each.
    rss_kib: u64,
    /// The most that it was when it was looked at, once a second.
    most_rss_kib: u64,
    /// Where what they share counts once.
    pss_kib: Option<u64>,
    cpu_percent: f64,
    /// Every program; empty when the kernel did not count.
    programs: Vec<Cost>,
    /// Why the kernel did not count; empty when it did.
    reason: String,
}

#[derive(Debug, Serialize)]
struct ProcessCost {
    pid: u32,
    name: String,
    rss_kib: u64,
    pss_kib: Option<u64>,
    /// Of one core.
    cpu_percent: f64,
}

pub(super) fn cost(config: &Config, seconds: u64, json: bool) -> ExitCode {
    let status = match ask(&config.control_path, Question::Status) {
        Ok(status) => status,
        Err(error) => {
            cli::complain(&format!(
                "telemctl: {}: there is nothing to measure",
                chain(&error)
            ));
            return ExitCode::FAILURE;
        }
    };
    let hooks = status.session.map(|session| session.hooks).unwrap_or_default();
    let half = status.privileged.standing.map(|standing| standing.pid);
    let before = of_agent(status.pid, half);
    let mut most_rss_kib = 0;
    let mut look = || most_rss_kib = most_rss_kib.max(rss_kib(&of_agent(status.pid, half)));
    let (programs, reason) = match cost::measure(&hooks, seconds, &mut look) {
        Ok(programs) => (programs, String::new()),
        Err(error) => {
            cost::wait(seconds, look);
            (Vec::new(), chain(&error))
        }
    };
    let after = of_agent(status.pid, half);
    let processes: Vec<_> = after
        .iter()
        .map(|after| {
            ProcessCost::new(
                before.iter().find(|process| process.pid == after.pid),
                after,
                seconds,
            )
        })
        .collect();
    let costs = Costs {
        seconds,
        rss_kib: rss_kib(&after),
        most_rss_kib,
        pss_kib: processes.iter().map(|process| process.pss_kib).sum(),
        cpu_percent: processes.iter().map(|process| process.cpu_percent).sum(),
        processes,
        programs,
        reason,
    };
    cli::say(&if json { show::json(&costs) } else { costs.text() });
    ExitCode::from(u8::from(!costs.reason.is_empty()))
}

fn rss_kib(processes: &[Process]) -> u64 {
    processes.iter().map(|process| process.rss_kib).sum()
}

impl ProcessCost {
    fn new(before: Option<&Process>, after: &Process, seconds: u64) -> Self {
        let used = after.cpu_ms - before.map_or(0, |before| before.cpu_ms.min(after.cpu_ms));
        Self {
            pid: after.pid,
            name: after.name.clone(),
            rss_kib: after.rss_kib,
            pss_kib: proportional_kib(after.pid),
            cpu_percent: cost::float(used) / cost::float(seconds) / 10.0,
        }
    }
}

impl Costs {
    fn text(&self) -> String {
        // Writing to a String cannot fail, here and below.
        let mut out = format!(
            "over {} s\n\n{:<16}  {:>8}  {:>9}  {:>9}  {:>9}",
            self.seconds, "PROCESS", "PID", "RSS KiB", "PSS KiB", "CPU %"
        );
        let mut row = |name: &str, pid: &str, rss: u64, pss: Option<u64>, cpu: f64| {
            let pss = pss.map_or("-".to_owned(), |pss| pss.to_string());
            let _infallible = write!(out, "\n{name:<16}  {pid:>8}  {rss:>9}  {pss:>9}  {cpu:>9.3}");
        };
        for process in &self.processes {
            row(
                &process.name,
                &process.pid.to_string(),
                process.rss_kib,
                process.pss_kib,
                process.cpu_percent,
            );
        }
        row("all", "", self.rss_kib, self.pss_kib, self.cpu_percent);
        let _infallible = write!(out, "\n{:<26}  {:>9}", "all, the most", self.most_rss_kib);
        if !self.reason.is_empty() {
            let _infallible = write!(out, "\n\nprograms: {}", self.reason);
            return out;
        }
        let width = self
            .programs
            .iter()
            .map(|cost| cost.hook.len())
            .max()
            .unwrap_or(0)
            .max(7);
        let _infallible = write!(
            out,
            "\n\n{:<width$}  NS/EVENT   EVENTS/S     MISSED      CPU %",
            "PROGRAM"
        );
        for cost in &self.programs {
            let _infallible = write!(
                out,
                "\n{:<width$}  {}  {:>9}  {:>9.4}",
                cost.hook,
                cost.columns(),
                cost.missed,
                cost.core_percent
            );
        }
        out
    }
}

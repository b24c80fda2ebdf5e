//! `telemctl doctor`: what is fine, what is not, and what to do about it.

use std::fmt::Write as _;
use std::net::{TcpStream, ToSocketAddrs as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use serde::Serialize;
use telemd::cli;
use telemd::config::Config;
use telemd::consent::Consent;
use telemd::control::{AskError, Question, ask};
use telemd::ship::{self, Link, LinkState};
use telemd::status::{SessionStatus, Status};
use telemd::text::chain;

use crate::show;

mod cost;

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Measure what the programs and the processes cost instead, for 5 s or as long as is said; takes root.
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "5", value_parser = clap::value_parser!(u64).range(1..=3600))]
    cost: Option<u64>,
}

/// How long the collector may take to accept a connection.
const CONNECT_TIME: Duration = Duration::from_secs(3);
/// A spool that is fuller than this will soon give up its oldest records, percent.
const SPOOL_PERCENT: u64 = 90;

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Good,
    /// Worth knowing: something is not watched here, and that is nobody's mistake.
    Note,
    Problem,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Check {
    name: String,
    state: State,
    detail: String,
    /// What to do; empty when nothing.
    remedy: String,
}

pub(crate) fn doctor(options: &Options, config: &Config, json: bool) -> ExitCode {
    if let Some(seconds) = options.cost {
        return cost::cost(config, seconds, json);
    }
    let mut checks = Checks::default();
    opt_in(config, &mut checks);
    match ask(&config.control_path, Question::Status) {
        Ok(status) => running(config, &status, &mut checks),
        Err(error) => {
            checks.problem("telemd", chain(&error), remedy(&error));
            not_running(config, &mut checks);
        }
    }
    permissions(config, &mut checks);
    let problems = checks
        .0
        .iter()
        .filter(|check| check.state == State::Problem)
        .count();
    cli::say(&if json {
        show::json(&checks.0)
    } else {
        text(&checks.0, problems)
    });
    ExitCode::from(u8::from(problems > 0))
}

/// What to do when telemd could not be asked.
fn remedy(error: &AskError) -> &'static str {
    match error {
        AskError::NotRunning { .. } => cli::START_TELEMD,
        AskError::Permission { .. } => {
            "root is also told which hooks are watched and what waits in the spool"
        }
        AskError::Io { .. } | AskError::Answer { .. } => "see its log, and restart it",
    }
}

#[derive(Debug, Default)]
struct Checks(Vec<Check>);

impl Checks {
    fn add(&mut self, name: &str, state: State, detail: String, remedy: &str) {
        self.0.push(Check {
            name: name.to_owned(),
            state,
            detail,
            remedy: remedy.to_owned(),
        });
    }

    fn good(&mut self, name: &str, detail: impl Into<String>) {
        self.add(name, State::Good, detail.into(), "");
    }

    fn note(&mut self, name: &str, detail: impl Into<String>, remedy: &str) {
        self.add(name, State::Note, detail.into(), remedy);
    }

    fn problem(&mut self, name: &str, detail: impl Into<String>, remedy: &str) {
        self.add(name, State::Problem, detail.into(), remedy);
    }
}

fn opt_in(config: &Config, checks: &mut Checks) {
    let file = config.opt_in_file.display();
    if Consent::new(&config.opt_in_file).given() {
        checks.good("opt-in", format!("given by {file}"));
    } else {
        checks.problem(
            "opt-in",
            format!("not given: {file} does not exist, nothing is recorded"),
            "`telemctl opt-in`, if you agree",
        );
    }
}

fn running(config: &Config, status: &Status, checks: &mut Checks) {
    checks.good(
        "telemd",
        format!("version {} runs as pid {}", status.version, status.pid),
    );
    privileges(status, checks);
    let Some(session) = &status.session else {
        return;
    };
    hooks(session, checks);
    if let Some(owner) = &session.pstore_owner {
        checks.note(
            "pstore",
            format!("{owner} empties it: dumps are told, and left to it"),
            "",
        );
    }
    let spool = show::spool(session);
    if session.spool.failing.is_some() {
        checks.problem("spool", spool, "free or mend the disk that holds state_dir");
    } else if session.spool.backlog > 0 && session.spool.bytes * 100 > session.spool.max_bytes * SPOOL_PERCENT
    {
        checks.problem(
            "spool",
            spool,
            "let the collector catch up, or raise spool.max_bytes: the oldest records go first",
        );
    } else {
        checks.good("spool", spool);
    }
    collector(config, &session.link, checks);
}

/// What the two halves of the agent may do.
fn privileges(status: &Status, checks: &mut Checks) {
    let Status {
        confinement,
        privileged,
        ..
    } = status;
    let detail = show::networked(confinement);
    if confinement.standing.capabilities == 0 {
        checks.good("networked half", detail);
    } else {
        let remedy = "restart telemd; it gives capabilities up when it starts";
        checks.problem("networked half", detail, remedy);
    }
    for missing in &confinement.missing {
        checks.note("networked half", format!("without {missing}"), "");
    }
    let detail = show::privileged(privileged);
    if privileged.standing.is_some() {
        checks.good("privileged half", detail);
    } else {
        checks.note("privileged half", detail, "");
    }
    for missing in &privileged.missing {
        checks.note("privileged half", format!("without {missing}"), "");
    }
}

fn collector(config: &Config, link: &Link, checks: &mut Checks) {
    let detail = show::link(link, &ship::target(config));
    if link.state == LinkState::Off {
        checks.note("collector", detail, "");
    } else if link.failures > 0 {
        checks.problem(
            "collector",
            detail,
            "see that the collector runs there and that nothing blocks the way",
        );
    } else {
        checks.good("collector", detail);
    }
}

fn hooks(session: &SessionStatus, checks: &mut Checks) {
    for hook in &session.hooks {
        let name = format!("hook {}", hook.name);
        let detail = show::hook_text(hook);
        if hook.attach.is_empty() {
            checks.note(&name, detail, "");
        } else {
            checks.good(&name, detail);
        }
    }
    if session.hooks.iter().all(|hook| hook.attach.is_empty()) {
        checks.problem(
            "hooks",
            "no fault of the kernel or of programs is seen here",
            "the reasons are above; start telemd as root, or telemd-probes.socket where telemd has a user of its own",
        );
    }
}

/// What can be said while telemd does not run: it alone can try the hooks.
fn not_running(config: &Config, checks: &mut Checks) {
    checks.note(
        "hooks",
        "telemd tries them when it starts; only while it runs, and only to root, this says which are watched",
        "",
    );
    for (name, paths, lack) in [
        (
            "kernel: BTF",
            &["/sys/kernel/btf/vmlinux"][..],
            "hooks that need the kernel's type information are tried in other ways",
        ),
        (
            "kernel: tracefs",
            &["/sys/kernel/tracing/events", "/sys/kernel/debug/tracing/events"],
            "as root telemd mounts it for itself; for others: mount -t tracefs tracefs /sys/kernel/tracing",
        ),
        (
            "kernel: pstore",
            &["/sys/fs/pstore"],
            "what a dying kernel prints is not there after the reboot",
        ),
    ] {
        match paths.iter().find(|path| Path::new(path).exists()) {
            Some(path) => checks.good(name, *path),
            None => checks.note(name, format!("{} is missing", paths[0]), lack),
        }
    }
    if !config.collector.enabled {
        checks.note("collector", ship::target(config), "");
        return;
    }
    for server in ship::servers(&config.collector, &config.state_dir) {
        match connect(server.host(), server.port()) {
            Ok(()) => checks.good("collector", format!("{server} accepts connections")),
            Err(error) => checks.problem(
                "collector",
                format!("{server} does not accept connections: {error}"),
                "see that the collector runs there, or correct collector.url",
            ),
        }
    }
}

fn connect(host: &str, port: u16) -> std::io::Result<()> {
    let mut last = std::io::ErrorKind::AddrNotAvailable.into();
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, CONNECT_TIME) {
            Ok(_) => return Ok(()),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn permissions(config: &Config, checks: &mut Checks) {
    let state_dir = &config.state_dir;
    match std::fs::metadata(state_dir) {
        Ok(metadata) if metadata.permissions().mode() & 0o077 != 0 => checks.problem(
            "state directory",
            format!(
                "{} can be opened by others; it holds what this host's faults say",
                state_dir.display()
            ),
            "chmod 0700 it",
        ),
        Ok(_) => checks.good(
            "state directory",
            format!("{}, closed to others", state_dir.display()),
        ),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            checks.note(
                "state directory",
                format!("{} does not exist yet", state_dir.display()),
                "telemd makes it",
            );
        }
        Err(error) => checks.problem(
            "state directory",
            format!("{}: {error}", state_dir.display()),
            "run this as root, or see state_dir in the configuration",
        ),
    }
    match std::fs::metadata(&config.socket_path) {
        Ok(metadata) if metadata.permissions().mode() & 0o222 != 0o222 => checks.problem(
            "local socket",
            format!(
                "{} is closed to some users' programs",
                config.socket_path.display()
            ),
            "restart telemd, which opens it, and see who changes it",
        ),
        Ok(_) => checks.good(
            "local socket",
            format!("{}, open to all programs", config.socket_path.display()),
        ),
        Err(error) => checks.note(
            "local socket",
            format!("{}: {error}", config.socket_path.display()),
            "telemd makes it",
        ),
    }
}

fn text(checks: &[Check], problems: usize) -> String {
    let width = checks.iter().map(|check| check.name.len()).max().unwrap_or(0);
    let mut out = String::new();
    for check in checks {
        let mark = match check.state {
            State::Good => "ok     ",
            State::Note => "note   ",
            State::Problem => "PROBLEM",
        };
        // Writing to a String cannot fail.
        let _infallible = writeln!(out, "{mark}  {:<width$}  {}", check.name, check.detail);
        if !check.remedy.is_empty() {
            let _infallible = writeln!(out, "{:width$}  -> {}", "", check.remedy, width = width + 9);
        }
    }
    let _infallible = match problems {
        0 => write!(out, "no problem found"),
        1 => write!(out, "1 problem found"),
        _ => write!(out, "{problems} problems found"),
    };
    out
}

#[cfg(test)]
mod tests {
    use telemd::ship::LinkState;

    use super::*;

    #[test]
    fn a_collector_that_is_away_is_a_problem_while_the_next_try_runs_too() {
        let mut link = Link {
            last_error: "nobody is there".into(),
            failures: 3,
            ..Link::default()
        };
        for state in [LinkState::Waiting, LinkState::Connecting] {
            link.state = state;
            let mut checks = Checks::default();
            collector(&Config::default(), &link, &mut checks);
            assert_eq!(checks.0[0].state, State::Problem);
            assert!(checks.0[0].detail.contains("nobody is there"), "{checks:?}");
        }
        let mut checks = Checks::default();
        collector(&Config::default(), &Link::default(), &mut checks);
        assert_eq!(checks.0[0].state, State::Good);
    }
}

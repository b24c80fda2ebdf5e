//! `telemctl reload`, `flush` and `metrics`: what a running agent is asked for.

use std::process::ExitCode;
use std::time::Duration;

use telemd::cli;
use telemd::config::Config;
use telemd::control::{self, AskError, Question, ask};
use telemd::settings::Reloaded;
use telemd::ship::LinkState;
use telemd::status::Status;
use telemd::text::chain;

use crate::show;

/// How often a flush looks how far it is.
const POLL: Duration = Duration::from_millis(100);

/// Have telemd ship what waits on disk now, and wait until the collector has stored it.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  telemctl flush\n  telemctl flush --timeout 120 && poweroff\n\n\
                  Exit codes: 0 everything is stored, 1 it is not, 64 wrong command line or configuration."
)]
pub(crate) struct Flush {
    /// How long to wait at most.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,
}

pub(crate) fn reload(config: &Config, json: bool) -> ExitCode {
    let reloaded = match control::reload(&config.control_path) {
        Ok(reloaded) => reloaded,
        Err(error) => return failed(&error),
    };
    if json {
        cli::say(&show::json(&reloaded));
    } else if reloaded.error.is_empty() {
        cli::say(&told(&reloaded));
    } else {
        cli::complain(&format!("{}\n  nothing was changed", reloaded.error));
    }
    if reloaded.error.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn told(reloaded: &Reloaded) -> String {
    let applied = match reloaded.applied.as_slice() {
        [] => "no change took effect".to_owned(),
        keys => format!("in effect: {}", keys.join(", ")),
    };
    match reloaded.restart.as_slice() {
        [] => applied,
        keys => format!("{applied}\nafter telemd is started again: {}", keys.join(", ")),
    }
}

pub(crate) fn flush(options: &Flush, config: &Config, json: bool) -> ExitCode {
    let shipped = match ship(options.timeout, config) {
        Ok(shipped) => shipped,
        Err(error) => return failed(&error),
    };
    if json {
        cli::say(&show::json(
            &shipped.status.session.as_ref().map(|session| &session.spool),
        ));
    } else if shipped.is_stored() {
        cli::say(&format!("everything up to record {} is stored", shipped.wanted));
    }
    shipped.tell(options.timeout)
}

pub(crate) fn metrics(config: &Config) -> ExitCode {
    match control::metrics(&config.control_path) {
        Ok(text) => {
            cli::say_all(&text);
            ExitCode::SUCCESS
        }
        Err(error) => failed(&error),
    }
}

/// What became of shipping.
#[derive(Debug)]
pub(crate) struct Shipped {
    status: Status,
    /// The last record that was to be stored.
    wanted: u64,
}

/// Has telemd ship what waits, and waits at most `seconds` until it is stored.
pub(crate) fn ship(seconds: u64, config: &Config) -> Result<Shipped, AskError> {
    let status = ask(&config.control_path, Question::Flush)?;
    let mut shipped = Shipped {
        wanted: durable_seq(&status),
        status,
    };
    let tries = Duration::from_secs(seconds).as_millis() / POLL.as_millis();
    for _ in 0..tries {
        if shipped.is_stored() {
            break;
        }
        std::thread::sleep(POLL);
        shipped.status = ask(&config.control_path, Question::Status)?;
    }
    Ok(shipped)
}

impl Shipped {
    /// Whether everything is. Of a host that does not take part there is nothing, and a new epoch has begun when all before
    /// it was.
    pub(crate) fn is_stored(&self) -> bool {
        let session = self.status.session.as_ref();
        session
            .is_none_or(|session| session.spool.backlog == 0 || session.spool.acknowledged_seq >= self.wanted)
    }

    /// Tells why it is not, on stderr.
    pub(crate) fn tell(&self, seconds: u64) -> ExitCode {
        if self.is_stored() {
            return ExitCode::SUCCESS;
        }
        cli::complain(&format!("telemctl: {}", why_not(&self.status, seconds)));
        ExitCode::FAILURE
    }
}

fn durable_seq(status: &Status) -> u64 {
    status
        .session
        .as_ref()
        .map_or(0, |session| session.spool.durable_seq)
}

fn why_not(status: &Status, seconds: u64) -> String {
    let Some(session) = &status.session else {
        return "this host has not opted in: there is nothing to ship".to_owned();
    };
    let waits = session.spool.backlog;
    let hint = "records stay on disk and are shipped later; `telemctl doctor` says more";
    match session.link.state {
        LinkState::Connected => format!("{waits} records still wait after {seconds} s\n  {hint}"),
        _ => format!(
            "{waits} records still wait after {seconds} s: {}\n  {hint}",
            session.link.last_error
        ),
    }
}

pub(crate) fn failed(error: &AskError) -> ExitCode {
    cli::complain(&format!(
        "telemctl: {}\n  `telemctl doctor` says more",
        chain(error)
    ));
    ExitCode::FAILURE
}

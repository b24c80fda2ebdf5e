//! `telemctl reload` and `telemctl flush`: what a running agent is asked to do.

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
    let mut status = match ask(&config.control_path, Question::Flush) {
        Ok(status) => status,
        Err(error) => return failed(&error),
    };
    let wanted = durable_seq(&status);
    let tries = Duration::from_secs(options.timeout).as_millis() / POLL.as_millis();
    for _ in 0..tries {
        if is_stored(&status, wanted) {
            break;
        }
        std::thread::sleep(POLL);
        status = match ask(&config.control_path, Question::Status) {
            Ok(status) => status,
            Err(error) => return failed(&error),
        };
    }
    if json {
        cli::say(&show::json(
            &status.session.as_ref().map(|session| &session.spool),
        ));
    }
    if is_stored(&status, wanted) {
        if !json {
            cli::say(&format!("everything up to record {wanted} is stored"));
        }
        return ExitCode::SUCCESS;
    }
    cli::complain(&format!("telemctl: {}", why_not(&status, options.timeout)));
    ExitCode::FAILURE
}

fn durable_seq(status: &Status) -> u64 {
    status
        .session
        .as_ref()
        .map_or(0, |session| session.spool.durable_seq)
}

fn is_stored(status: &Status, wanted: u64) -> bool {
    let session = status.session.as_ref();
    session.is_none_or(|session| session.spool.acknowledged_seq >= wanted)
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

fn failed(error: &AskError) -> ExitCode {
    cli::complain(&format!(
        "telemctl: {}\n  `telemctl doctor` says more",
        chain(error)
    ));
    ExitCode::FAILURE
}

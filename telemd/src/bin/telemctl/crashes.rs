//! `telemctl crashes`: whether core dumps are read, and where they go then.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use serde_json::json;
use telemd::cli;
use telemd::crashes::pattern::PROGRAM;
use telemd::crashes::setting::{Setting, SettingError, State};

/// What `systemctl is-active` exits with for what is not active.
const EXIT_OFF: u8 = 3;

/// Have core dumps of programs read for the stacks of all threads, and passed on to whoever took them before.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  telemctl crashes enable                    read dumps, and pass them on as before\n  \
                  telemctl crashes enable --then nothing     read dumps, and keep none\n  \
                  telemctl crashes enable --then '/var/crash/core.%p'\n  \
                  telemctl crashes status --json | jq -r .then\n  \
                  telemctl crashes disable                   as it was before\n\n\
                  Exit codes: 0 good, 1 a problem was found, 3 (status) dumps are not read, 64 wrong command line or configuration."
)]
pub(crate) struct Options {
    #[command(subcommand)]
    verb: Verb,
    /// Where the host's files are.
    #[arg(long, value_name = "DIR", default_value = "/", hide = true, global = true)]
    root: PathBuf,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Have the kernel hand core dumps to telemd-crash, from now on and after each boot. Takes root.
    Enable {
        /// Where dumps go once they are read: a pattern as in core(5), or `nothing` [default: where they go now].
        #[arg(long, value_name = "PATTERN")]
        then: Option<String>,
    },
    /// Have core dumps go where they went before. Takes root.
    Disable,
    /// Tell whether core dumps are read, and where they go.
    Status,
}

pub(crate) fn crashes(options: &Options, config: Option<&Path>, json: bool) -> ExitCode {
    let setting = Setting::new(&options.root);
    let done = match &options.verb {
        Verb::Enable { then } => enable(&setting, then.as_deref(), config, json),
        Verb::Disable => disable(&setting, json),
        Verb::Status => setting.state().map(|state| status(&state, json)),
    };
    done.unwrap_or_else(|error| {
        cli::complain(&format!("telemctl: {error}"));
        ExitCode::FAILURE
    })
}

fn enable(
    setting: &Setting,
    then: Option<&str>,
    config: Option<&Path>,
    json: bool,
) -> Result<ExitCode, SettingError> {
    // The kernel starts the helper in another folder.
    let config = config.and_then(|file| std::path::absolute(file).ok());
    let config = config.as_ref().map(|file| file.to_string_lossy());
    let then = setting.enable(then, config.as_deref())?;
    cli::say(&if json {
        json!({ "enabled": true, "then": then.to_string() }).to_string()
    } else {
        format!("core dumps are read; they go to: {then}")
    });
    Ok(ExitCode::SUCCESS)
}

fn disable(setting: &Setting, json: bool) -> Result<ExitCode, SettingError> {
    let restored = setting.disable()?;
    cli::say(&match (json, restored) {
        (true, restored) => json!({ "enabled": false, "pattern": restored }).to_string(),
        (false, Some(pattern)) => format!("core dumps are not read any more; they go to: {pattern}"),
        (false, None) => "core dumps were not read".to_owned(),
    });
    Ok(ExitCode::SUCCESS)
}

fn status(state: &State, json: bool) -> ExitCode {
    let State {
        pattern,
        then,
        is_kept,
        is_installed,
    } = state;
    let problem = match then {
        Some(_) if !is_installed => Some(format!(
            "{PROGRAM} is missing, so every core dump is lost: install telemetrics-agent, or run `telemctl crashes disable`"
        )),
        Some(_) if !is_kept => Some("it ends with this boot: run `telemctl crashes enable`".to_owned()),
        None if *is_kept => Some(format!(
            "something else has set kernel.core_pattern since: run `telemctl crashes enable` to read dumps and pass them on to {pattern}, or \
             `telemctl crashes disable`"
        )),
        _ => None,
    };
    cli::say(&if json {
        let then = then.as_ref().map(ToString::to_string);
        json!({ "enabled": then.is_some(), "then": then, "pattern": pattern, "problem": problem }).to_string()
    } else {
        match then {
            Some(then) => format!("core dumps are read; they go to: {then}"),
            None => format!("core dumps are not read; they go to: {pattern}"),
        }
    });
    match (problem, then) {
        (Some(problem), _) => {
            if !json {
                cli::complain(&format!("telemctl: {problem}"));
            }
            ExitCode::FAILURE
        }
        (None, Some(_)) => ExitCode::SUCCESS,
        (None, None) => ExitCode::from(EXIT_OFF),
    }
}

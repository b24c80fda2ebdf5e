//! `telemctl config`: whether the configuration is right, and what is in effect.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde::Serialize;
use telemd::cli;
use telemd::config::{ConfigError, Effective, Mistake, Value};

/// Look at the agent's configuration: the file and those of `conf.d` beside it.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  telemctl config check                     whether telemd would start with it\n  \
                  telemctl config check ./telemetrics.toml  a file for another host\n  \
                  telemctl config show storm                what is in effect, and where that was written\n\n\
                  Exit codes: 0 good, 1 there is a mistake, 64 wrong command line."
)]
pub(crate) struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Whether a configuration is right; the first mistake with file, line and remedy.
    Check {
        /// The file [default: the one that telemd reads].
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// What is in effect, and where each value was written.
    Show {
        /// Only keys that begin like this, such as `storm` or `probes.hindsight`.
        #[arg(value_name = "PREFIX", default_value = "")]
        prefix: String,
    },
}

/// What `check` tells programs.
#[derive(Debug, Serialize)]
struct Report {
    ok: bool,
    files: Vec<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mistake: Option<Mistake>,
}

pub(crate) fn config(options: &Options, config: Option<&Path>, json: bool) -> ExitCode {
    match &options.command {
        Command::Check { file } => check(file.as_deref().or(config), json),
        Command::Show { prefix } => show(prefix, config, json),
    }
}

fn check(file: Option<&Path>, json: bool) -> ExitCode {
    match Effective::load(file) {
        Ok(effective) => {
            if json {
                cli::say(&crate::show::json(&Report {
                    ok: true,
                    files: effective.files,
                    mistake: None,
                }));
            } else {
                cli::say(&good(&effective));
            }
            ExitCode::SUCCESS
        }
        Err(error) => wrong(&error, json),
    }
}

fn good(effective: &Effective) -> String {
    match effective.files.as_slice() {
        [] => "good: there is no file, so all defaults hold".to_owned(),
        files => {
            let files: Vec<_> = files.iter().map(|file| file.display().to_string()).collect();
            format!("good: {}", files.join(", "))
        }
    }
}

fn wrong(error: &ConfigError, json: bool) -> ExitCode {
    if json {
        cli::say(&crate::show::json(&Report {
            ok: false,
            files: Vec::new(),
            mistake: Some(error.mistake()),
        }));
    } else {
        cli::complain(&error.to_string());
    }
    ExitCode::FAILURE
}

fn show(prefix: &str, config: Option<&Path>, json: bool) -> ExitCode {
    let effective = match Effective::load(config) {
        Ok(effective) => effective,
        Err(error) => return wrong(&error, json),
    };
    let mut values = effective.values();
    values.retain(|value| is_below(&value.key, prefix));
    if values.is_empty() {
        cli::complain(&format!(
            "telemctl: no key begins with {prefix:?}\n  `telemctl config show` lists all"
        ));
        return ExitCode::FAILURE;
    }
    if json {
        cli::say(&crate::show::json(&values));
    } else {
        for value in &values {
            cli::say(&line(value));
        }
    }
    ExitCode::SUCCESS
}

fn is_below(key: &str, prefix: &str) -> bool {
    let rest = key.strip_prefix(prefix);
    rest.is_some_and(|rest| prefix.is_empty() || rest.is_empty() || rest.starts_with('.'))
}

/// A line of TOML.
fn line(value: &Value) -> String {
    let origin = match &value.origin {
        Some(origin) => format!("{}:{}", origin.file.display(), origin.line),
        None => "default".to_owned(),
    };
    format!("{} = {}  # {origin}", value.key, value.value)
}

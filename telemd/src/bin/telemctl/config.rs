//! `telemctl config`: whether the configuration is right, and what is in effect.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde::Serialize;
use telemd::cli;
use telemd::config::{ConfigError, Effective, Mistake, Value, old};

/// Look at the agent's configuration: the file and those of `conf.d` beside it.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  telemctl config check                     whether telemd would start with it\n  \
                  telemctl config check ./telemetrics.toml  a file for another host\n  \
                  telemctl config show storm                what is in effect, and where that was written\n  \
                  telemctl config migrate --output /etc/telemetrics/telemetrics.toml\n\n\
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
    /// What a telemetrics.conf of Clear Linux says, in this agent's form; what cannot be said is told on stderr.
    Migrate {
        /// The old file [default: the one that Clear Linux's client would read].
        #[arg(value_name = "OLD")]
        old: Option<PathBuf>,
        /// Write it there instead of printing it. A file that exists is left alone.
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
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
        Command::Migrate { old, output } => migrate(old.as_deref(), output.as_deref(), json),
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

fn migrate(from: Option<&Path>, output: Option<&Path>, json: bool) -> ExitCode {
    let usual = || old::PATHS.iter().map(Path::new).find(|path| path.exists());
    let Some(from) = from.or_else(usual) else {
        cli::complain(&format!(
            "telemctl: there is neither {} nor {}\n  name the old file",
            old::PATHS[0],
            old::PATHS[1]
        ));
        return ExitCode::FAILURE;
    };
    let migrated = match std::fs::read_to_string(from) {
        Ok(text) => old::migrate(&text),
        Err(error) => {
            cli::complain(&format!(
                "telemctl: cannot read {}: {error}\n  name another file",
                from.display()
            ));
            return ExitCode::FAILURE;
        }
    };
    if let Some(output) = output
        && let Err(error) =
            File::create_new(output).and_then(|mut file| file.write_all(migrated.toml.as_bytes()))
    {
        cli::complain(&format!(
            "telemctl: cannot write {}: {error}\n  name a file that does not exist",
            output.display()
        ));
        return ExitCode::FAILURE;
    }
    if json {
        cli::say(&crate::show::json(&migrated));
        return ExitCode::SUCCESS;
    }
    if output.is_none() {
        cli::say_all(&migrated.toml);
    }
    for note in &migrated.notes {
        cli::complain(note);
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

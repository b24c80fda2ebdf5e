//! `telem_journal`: which records left this host, with the options of Clear Linux's program.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser};
use telemd::cli;
use telemd::journal::command::{Options, show};

/// Lists the records that left this host: classification, time, record id, event id and boot id, the oldest first.
#[derive(Debug, Parser)]
#[command(
    name = "telem_journal",
    version,
    disable_version_flag = true,
    after_help = "Examples:\n  telem_journal -V\n  telem_journal -c 'org.example/*' -i\n  \
                  telem_journal --json | jq -r .title\n\n\
                  Exit codes: 0 good, 1 the journal cannot be read, 64 wrong command line or configuration."
)]
struct Args {
    /// telemd's configuration file.
    #[arg(long, value_name = "FILE", help = format!("telemd's configuration file [default: {}]", telemd::config::DEFAULT_PATH))]
    config: Option<PathBuf>,
    #[command(flatten)]
    options: Options,
    /// Print a line of JSON for each record.
    #[arg(long)]
    json: bool,
    /// Print completions for a shell.
    #[arg(long, value_name = "SHELL")]
    completions: Option<clap_complete::Shell>,
    /// Print the version.
    #[arg(long, action = clap::ArgAction::Version)]
    version: Option<bool>,
}

fn main() -> ExitCode {
    match run() {
        Ok(code) | Err(code) => code,
    }
}

fn run() -> Result<ExitCode, ExitCode> {
    let args: Args = cli::parse()?;
    if let Some(shell) = args.completions {
        cli::completions(shell, &mut Args::command());
        return Ok(ExitCode::SUCCESS);
    }
    let config = cli::config(args.config.as_deref())?;
    Ok(show(&args.options, &config, args.json))
}

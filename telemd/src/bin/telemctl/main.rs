//! telemctl: opting in and out, how telemd is, what is watched, and what a log or a hardware error record says.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};
use telemd::cli;
use telemd::config::Config;
use telemd::control::{Question, ask};
use telemd::journal;
use telemd::text::chain;

use crate::services::Verb;

mod collector;
mod config;
mod consent;
mod control;
mod cost;
mod crashes;
mod decode;
mod doctor;
mod enroll;
mod explain;
mod failures;
mod gate;
mod host;
mod input;
mod ledger;
mod netconsole;
mod output;
mod preview;
mod probes;
mod processes;
mod services;
mod show;
mod symbols;
mod test_record;
mod updates;

/// Opts this host in or out of telemetrics, tells how telemd is, and explains kernel logs and hardware errors.
#[derive(Debug, Parser)]
#[command(
    name = "telemctl",
    version,
    after_help = "Examples:\n  telemctl opt-in            begin to record and ship faults\n  \
                  telemctl doctor            what is watched here, what is not, and what to do\n  \
                  telemctl probes            the hooks, with what they have seen\n  \
                  telemctl status --json | jq .session.spool\n  \
                  dmesg | telemctl explain   the faults in a log: what, where, why\n  \
                  telemctl decode bert       what firmware saw when the boot before ended\n  \
                  telemctl completions bash > /etc/bash_completion.d/telemctl\n\n\
                  Exit codes: 0 good, 1 a problem was found, 64 wrong command line or configuration."
)]
struct Args {
    /// The configuration file of telemd.
    #[arg(long, global = true, value_name = "FILE", help = format!("telemd's configuration file [default: {}]", telemd::config::DEFAULT_PATH))]
    config: Option<PathBuf>,
    /// Answer in JSON.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Look for problems: hooks, opt-in, spool, connection, permissions. Works without telemd running.
    Doctor(doctor::Options),
    Probes(probes::Options),
    /// How telemd is: what it watches, what waits on disk, whether the collector takes it.
    Status,
    /// Agree that faults of this host are recorded and shipped. Takes effect at once.
    OptIn,
    /// Stop recording and delete what was recorded and not shipped. Takes effect at once.
    OptOut,
    Explain(explain::Options),
    Decode(decode::Options),
    Netconsole(netconsole::Options),
    Enroll(enroll::Options),
    Gate(gate::Options),
    Symbols(symbols::Options),
    Preview(preview::Options),
    Host(host::Options),
    Ledger(ledger::Options),
    Config(config::Options),
    /// Have telemd read its configuration again; tells what took effect and what takes a restart.
    Reload,
    Flush(control::Flush),
    /// Start the agent's services. Takes opt-in, and systemd.
    Start,
    /// Stop the agent's services.
    Stop,
    /// Stop and start the agent's services.
    Restart,
    /// Tell whether the agent runs; exits with 0 when it does, with 3 when not.
    IsActive,
    TestRecord(test_record::Options),
    Updates(updates::Options),
    Crashes(crashes::Options),
    Failures(failures::Options),
    /// The agent's state in the text format of Prometheus, for files that its exporters read.
    Metrics,
    /// List the records that the collector has stored.
    Journal(journal::command::Options),
    /// Print shell completions.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

fn main() -> ExitCode {
    match run() {
        Ok(code) | Err(code) => code,
    }
}

fn run() -> Result<ExitCode, ExitCode> {
    let args: Args = cli::parse()?;
    if let Command::Completions { shell } = args.command {
        cli::completions(shell, &mut Args::command());
        return Ok(ExitCode::SUCCESS);
    }
    // These work on what they are given: a configuration that is broken or missing does not matter to them, or is what
    // they tell of.
    match &args.command {
        Command::Explain(options) => return Ok(explain::explain(options, args.json)),
        Command::Decode(options) => return Ok(decode::decode(options, args.json)),
        Command::Crashes(options) => return Ok(crashes::crashes(options, args.config.as_deref(), args.json)),
        Command::Config(options) => return Ok(config::config(options, args.config.as_deref(), args.json)),
        _ => {}
    }
    let config = cli::config(args.config.as_deref())?;
    Ok(match args.command {
        Command::Doctor(options) => doctor::doctor(&options, &config, args.json),
        Command::Probes(options) => probes::probes(&options, &config, args.json),
        Command::Status => status(&config, args.json),
        Command::OptIn => consent::opt_in(&config),
        Command::OptOut => consent::opt_out(&config),
        Command::Journal(options) => journal::command::show(&options, &config, args.json),
        Command::Netconsole(options) => netconsole::netconsole(&config, &options),
        Command::Enroll(options) => enroll::enroll(&options, &config, args.json),
        Command::Gate(options) => gate::gate(&options, &config, args.json),
        Command::Symbols(options) => symbols::symbols(&options, &config, args.json),
        Command::Preview(options) => preview::preview(&options, &config, args.json),
        Command::Host(host::Options {}) => host::host(&config, args.json),
        Command::Ledger(options) => ledger::ledger(&options, &config, args.json),
        Command::Reload => control::reload(&config, args.json),
        Command::Flush(options) => control::flush(&options, &config, args.json),
        Command::Start => services::change(Verb::Start, &config),
        Command::Stop => services::change(Verb::Stop, &config),
        Command::Restart => services::change(Verb::Restart, &config),
        Command::IsActive => services::is_active(&config),
        Command::TestRecord(options) => test_record::send(&options, &config, args.json),
        Command::Updates(options) => updates::tell(&options, &config),
        Command::Failures(options) => failures::tell(&options, &config),
        Command::Metrics => control::metrics(&config),
        Command::Explain(_)
        | Command::Decode(_)
        | Command::Config(_)
        | Command::Crashes(_)
        | Command::Completions { .. } => ExitCode::SUCCESS,
    })
}

fn status(config: &Config, json: bool) -> ExitCode {
    match ask(&config.control_path, Question::Status) {
        Ok(status) => {
            cli::say(&if json {
                show::json(&status)
            } else {
                show::text(&status)
            });
            ExitCode::SUCCESS
        }
        Err(error) => {
            cli::complain(&format!(
                "telemctl: {}\n  `telemctl doctor` says more",
                chain(&error)
            ));
            ExitCode::FAILURE
        }
    }
}

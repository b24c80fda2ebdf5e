//! `telemctl probes`: the catalogue of hooks and the host's own probes, with their state on this host.

use std::process::ExitCode;

use telemd::config::Config;

mod check;
mod list;
mod show;

/// The hooks that faults are caught with, and how each is on this host: attached how or why not, seen, lost, cost.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  telemctl probes                  what is watched, and what has been seen\n  \
                  telemctl probes --measure 10     with the cost of each program, measured for 10 s\n  \
                  telemctl probes show panic       where a hook is attached, and what it tells\n  \
                  telemctl probes check my.toml    whether a file for probes.d is right and fits this kernel"
)]
pub(crate) struct Options {
    #[command(subcommand)]
    command: Option<Command>,
    /// Measure for so long what each program costs. The kernel keeps these statistics only meanwhile; takes root.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=3600))]
    measure: Option<u64>,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Everything about one hook: where it is attached, the fields, the class, the policy.
    Show(show::Options),
    /// Whether files of probes.d are right and fit this kernel, and what they make of a record.
    Check(check::Options),
}

pub(crate) fn probes(options: &Options, config: &Config, json: bool) -> ExitCode {
    match &options.command {
        None => list::list(options.measure, config, json),
        Some(Command::Show(options)) => show::show(options, config, json),
        Some(Command::Check(options)) => check::check(options, config, json),
    }
}

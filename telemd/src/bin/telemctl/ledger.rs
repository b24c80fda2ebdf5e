//! `telemctl ledger`: what left this host.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use telemd::cli;
use telemd::config::Config;
use telemd::ledger::{self, Kind, Line, Verdict};

use crate::show;

/// List what left this host, when and to whom, or check that nobody changed what the ledger says.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  telemctl ledger --last 20\n  telemctl ledger --json | jq .entry.classes\n  telemctl ledger verify\n\n\
                  Exit codes: 0 good, 1 the ledger cannot be read or is broken, 64 wrong command line or configuration."
)]
pub(crate) struct Options {
    #[command(subcommand)]
    command: Option<Command>,
    /// Only the last so many messages.
    #[arg(long, value_name = "COUNT")]
    last: Option<usize>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Follow the chain of hashes and name the first entry that is not as it was written.
    Verify,
}

pub(crate) fn ledger(options: &Options, config: &Config, json: bool) -> ExitCode {
    let done = match options.command {
        Some(Command::Verify) => verify(config, json),
        None => list(options, config, json),
    };
    done.unwrap_or_else(|error| {
        cli::complain(&format!(
            "telemctl: cannot read the ledger in {}: {error}\n  it is closed to everyone but telemd's user and root",
            config.state_dir.display()
        ));
        ExitCode::FAILURE
    })
}

fn list(options: &Options, config: &Config, json: bool) -> std::io::Result<ExitCode> {
    let mut lines = VecDeque::new();
    ledger::read(&config.state_dir, |line| {
        lines.push_back(line);
        if options.last.is_some_and(|last| lines.len() > last) {
            lines.pop_front();
        }
    })?;
    let shown = lines.iter().map(|line| {
        if json {
            serde_json::to_string(line).unwrap_or_default()
        } else {
            text(line)
        }
    });
    cli::say_all(&shown.map(|line| line + "\n").collect::<String>());
    Ok(ExitCode::SUCCESS)
}

fn text(Line { entry, .. }: &Line) -> String {
    let at = i64::try_from(entry.at_unix_ms).ok();
    let at = at
        .and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok())
        .unwrap_or_default();
    let what = match entry.kind {
        Kind::Hello => "greeting with the facts about this host".to_owned(),
        Kind::Gap => format!("records {} to {} are lost", entry.first_seq, entry.last_seq),
        Kind::Records => {
            let classes: Vec<_> = entry
                .classes
                .iter()
                .map(|(class, count)| format!("{count} {}", class.escape_debug()))
                .collect();
            format!(
                "records {} to {}: {}",
                entry.first_seq,
                entry.last_seq,
                classes.join(", ")
            )
        }
    };
    format!(
        "{:>8}  {at:.0}  {}  {} bytes  {}  {what}",
        entry.number,
        entry.server,
        entry.bytes,
        &entry.sha256[..entry.sha256.len().min(16)]
    )
}

fn verify(config: &Config, json: bool) -> std::io::Result<ExitCode> {
    let verdict = ledger::verify(&config.state_dir)?;
    if json {
        cli::say(&show::json(&verdict));
    } else {
        cli::say(&told(&verdict));
    }
    Ok(if verdict.broken.is_some() {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

fn told(verdict: &Verdict) -> String {
    let mut text = match verdict.entries {
        0 => "no entries".to_owned(),
        _ => format!(
            "entries {} to {} are as they were written; the last hash is {}",
            verdict.first_number, verdict.last_number, verdict.last_hash
        ),
    };
    if verdict.missing > 0 {
        // Writing to a String cannot fail, here and below.
        let _infallible = write!(
            text,
            "\n{} messages left without an entry, because the disk took none",
            verdict.missing
        );
    }
    if let Some(broken) = &verdict.broken {
        let number = broken
            .number
            .map_or(String::new(), |number| format!(", entry {number}"));
        let _infallible = write!(
            text,
            "\nBROKEN at {}:{}{number}: {}",
            broken.file, broken.line, broken.why
        );
    }
    text
}

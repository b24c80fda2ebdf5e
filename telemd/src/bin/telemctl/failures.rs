//! `telemctl failures`: records about failed units, errors and core dumps in systemd's journal since this host opted in.

use std::io::{self, BufRead, BufReader, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};

use serde::{Deserialize, Serialize};
use telemd::config::Config;
use telemd::control::{Question, ask};
use telemd::crashes::pattern::{CORE_PATTERN, is_ours};
use telemd::failures::{self, CRASH_HOOK, ENTRY_BYTES, Entry, Failure, UNIT_FAILED, WORST_PRIORITY, What};
use telemd::text::chain;
use telemd::{cli, durable};
use telemetry::{Client, Places, Record, SendError, Severity};

use crate::updates::become_owner;

/// Send a record for each unit that failed and each error in systemd's journal since this host opted in.
///
/// Core dumps that systemd-coredump kept are told with the stacks of all threads where telemd's hook does not see crashes itself.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  telemctl failures            what came since the last run\n  \
                  telemctl failures --follow   and what comes, until this host opts out\n\n\
                  Exit codes: 0 all are kept, 1 one is not, or there is no journal, 64 wrong command line or configuration."
)]
pub(crate) struct Options {
    /// Go on with what comes.
    #[arg(long)]
    follow: bool,
    /// The folder of the journal [default: this host's journal].
    #[arg(long, value_name = "DIR")]
    journal: Option<PathBuf>,
}

/// How far the journal was told.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Place {
    cursor: String,
}

pub(crate) fn tell(options: &Options, config: &Config) -> ExitCode {
    let mut child = match begin(options, config) {
        Ok(child) => child,
        Err(error) => return failed(&error),
    };
    let told = tell_all(&mut child, config);
    // It is this process's own child; one that has ended stays as it ended.
    let _ended = child.kill();
    let ended = child.wait();
    match (told, ended) {
        (Err(error), _) => failed(&error),
        (Ok(()), Ok(status)) if status.code() == Some(1) => failed(
            "journalctl could not read the journal\n  run this as root, or as a user of the group systemd-journal",
        ),
        (Ok(()), _) => ExitCode::SUCCESS,
    }
}

fn begin(options: &Options, config: &Config) -> Result<Child, String> {
    let Ok(consent) = std::fs::metadata(&config.opt_in_file) else {
        return Err("this host has not opted in: nothing is told\n  `telemctl opt-in` agrees".to_owned());
    };
    let place = durable::read(&place_file(config)).map_err(|error| {
        format!(
            "cannot read {}: {error}\n  run this as root",
            place_file(config).display()
        )
    })?;
    // One that is damaged is as good as none: at worst an error is told twice.
    let place: Option<Place> = place.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let mut command = Command::new("journalctl");
    command.args(["--output=json", "--all", "--no-pager", "--quiet"]);
    command.arg(format!("--output-fields={}", failures::FIELDS));
    match place {
        Some(place) => command.arg(format!("--after-cursor={}", place.cursor)),
        None => command.arg(format!("--since=@{}", consent.mtime())),
    };
    if options.follow {
        command.args(["--follow", "--no-tail"]);
    }
    if let Some(folder) = &options.journal {
        command.arg("--directory").arg(folder);
    }
    command.arg(format!("MESSAGE_ID={UNIT_FAILED}"));
    for priority in 0..=WORST_PRIORITY {
        command.arg("+").arg(format!("PRIORITY={priority}"));
    }
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("cannot run journalctl: {error}\n  this takes systemd's journal"))?;
    // It may read what its user could not, and this process writes where that user may have linked other files.
    become_owner(config)?;
    Ok(child)
}

fn tell_all(child: &mut Child, config: &Config) -> Result<(), String> {
    let client = Client::of_places(Places {
        socket_path: config.socket_path.clone(),
        opt_in_file: config.opt_in_file.clone(),
    });
    let Some(output) = child.stdout.take() else {
        return Ok(());
    };
    let mut output = BufReader::new(output);
    let mut line = Vec::new();
    let dumps = !are_crashes_seen(config);
    while next_line(&mut output, &mut line)
        .map_err(|error| format!("cannot read from journalctl: {error}\n  try again"))?
    {
        let Some(Entry { cursor, failure }) = Entry::of_json(&line, dumps) else {
            continue;
        };
        let Some(failure) = failure else { continue };
        match client.send(&record(&failure)) {
            Ok(_kept) => {}
            // What this host does not agree to is passed over, and opting out is the end.
            Err(SendError::Refused { reason, .. })
                if reason == telemetry::RefusalReason::NotOptedIn && client.is_opted_in() => {}
            Err(SendError::NotOptedIn) => return Ok(()),
            Err(error) => return Err(format!("{}\n  it is told by the next run", chain(&error))),
        }
        note(&place_file(config), cursor)?;
    }
    Ok(())
}

/// Whether a hook of telemd or its helper tells of crashes, or nobody knows: a crash is told once at most.
fn are_crashes_seen(config: &Config) -> bool {
    if std::fs::read_to_string(CORE_PATTERN).is_ok_and(|value| is_ours(value.trim_end())) {
        return true;
    }
    let Ok(status) = ask(&config.control_path, Question::Status) else {
        return true;
    };
    status.session.is_none_or(|session| {
        let mut hooks = session.hooks.iter();
        hooks.any(|hook| hook.name == CRASH_HOOK && !hook.attach.is_empty())
    })
}

fn note(path: &Path, cursor: String) -> Result<(), String> {
    let bytes = serde_json::to_vec(&Place { cursor }).unwrap_or_default();
    durable::write(path, &bytes)
        .map_err(|error| format!("cannot write {}: {error}\n  run this as root", path.display()))
}

fn place_file(config: &Config) -> PathBuf {
    config.state_dir.join(failures::FILE)
}

/// Reads a line of at most [`ENTRY_BYTES`]; what is longer comes in pieces that are no entries. Answers whether there was one.
fn next_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    Ok(input.take(ENTRY_BYTES as u64).read_until(b'\n', line)? > 0)
}

fn record(failure: &Failure) -> Record {
    let (classification, severity) = match &failure.what {
        What::Unit { .. } => ("org.telemetrics/unit/failed", Severity::Medium),
        What::Message { priority: 3.. } => ("org.telemetrics/journal/error", Severity::Medium),
        What::Message { .. } => ("org.telemetrics/journal/critical", Severity::High),
        What::CoreDump { .. } => ("org.telemetrics/crash/core-dump", Severity::High),
    };
    let record = Record::new(classification, severity)
        .payload(failure.message.as_str())
        .field("unit", failure.unit.as_str())
        .field("identifier", failure.identifier.as_str())
        .field("at_us", failure.at_us);
    match &failure.what {
        What::Unit { result } => record.field("result", result.as_str()),
        What::Message { priority } => record.field("priority", u64::from(*priority)),
        What::CoreDump {
            signal,
            pid,
            executable,
        } => record
            .field("signal", signal.as_str())
            .field("pid", *pid)
            .field("executable", executable.as_str()),
    }
}

fn failed(problem: &str) -> ExitCode {
    cli::complain(&format!("telemctl: {problem}"));
    ExitCode::FAILURE
}

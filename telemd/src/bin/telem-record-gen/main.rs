//! telem-record-gen: makes a record and hands it to telemd, with the options of Clear Linux's program.

use std::io::{self, ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{ArgGroup, CommandFactory as _, Parser};
use proto::limits::CUSTOM_PAYLOAD_BYTES;
use telemd::cli;
use telemd::config::EXIT_USAGE;
use telemd::text::{chain, cut};
use telemetry::{Client, FieldValue, Kept, Places, Record, SendError, Severity};

mod dropped;
mod print;

use print::{echo, outcome_json};

/// How long telemd may take to answer: longer than it gives a connection.
const ANSWER_TIME: Duration = Duration::from_secs(35);

/// Makes a record and hands it to telemd, which keeps it on disk and ships it.
///
/// The payload is the text of --payload, the content of --payload-file, or else stdin; at most 65536 bytes.
#[derive(Debug, Parser)]
#[command(
    name = "telem-record-gen",
    version,
    disable_version_flag = true,
    group = ArgGroup::new("source").args(["payload", "payload_file"]),
    after_help = "Examples:\n  echo \"disk swapped\" | telem-record-gen --class org.example/maintenance/disk\n  \
                  telem-record-gen -c org.example/backup/failed -s 3 -P /var/log/backup.err\n  \
                  telem-record-gen -c org.example/disk/swapped --field slot=3 --field serial=WD-1 -p \"disk swapped\"\n  \
                  telem-record-gen -n -o -c org.example/test/test -p hello\n  \
                  telem-record-gen --drop-dir /var/lib/swupd/telemetry -c org.clearlinux/swupd-client\n  \
                  telem-record-gen --completions bash > /etc/bash_completion.d/telem-record-gen\n\n\
                  Exit codes: 0 kept (or counted by storm control), 1 not kept, 64 wrong command line or configuration."
)]
struct Args {
    /// telemd's configuration file.
    #[arg(short = 'f', long = "config-file", visible_alias = "config", value_name = "FILE", help = format!("telemd's configuration file [default: {}]", telemd::config::DEFAULT_PATH))]
    config: Option<PathBuf>,
    /// Classification: DOMAIN/PROBE/REST, such as org.example/maintenance/disk; with --drop-dir only DOMAIN/PROBE.
    #[arg(short, long, required_unless_present = "completions")]
    class: Option<String>,
    /// Severity: 1 low, 2 medium, 3 high, 4 critical.
    #[arg(short, long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=4))]
    severity: u8,
    /// The payload.
    #[arg(short, long, value_name = "TEXT")]
    payload: Option<String>,
    /// A file that holds the payload.
    #[arg(short = 'P', long, value_name = "FILE")]
    payload_file: Option<PathBuf>,
    /// Send each file of a folder that is named VERSION.REST.SEVERITY.RANDOM, as swupd-client drops them, and remove it.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["source", "severity", "record_version", "event_id", "fields", "no_post"])]
    drop_dir: Option<PathBuf>,
    /// Version of the payload's format.
    #[arg(short = 'R', long, value_name = "N", default_value_t = 1)]
    record_version: u32,
    /// What ties the records of one event together: 32 lower-case hexadecimal digits [default: random].
    #[arg(short, long, value_name = "ID")]
    event_id: Option<String>,
    /// A value that programs can compute with; a whole number or text. May be given again, at most 64 times.
    #[arg(long = "field", value_name = "NAME=VALUE", value_parser = field)]
    fields: Vec<(String, FieldValue)>,
    /// Print the record.
    #[arg(short = 'o', long)]
    echo: bool,
    /// Tell in JSON what became of the record; with --echo also what it is.
    #[arg(long)]
    json: bool,
    /// Don't send the record.
    #[arg(short, long)]
    no_post: bool,
    /// Print completions for a shell.
    #[arg(long, value_name = "SHELL")]
    completions: Option<clap_complete::Shell>,
    /// Print the version.
    #[arg(short = 'V', long, action = clap::ArgAction::Version)]
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
    let client = Client::of_places(Places {
        socket_path: config.socket_path.clone(),
        opt_in_file: config.opt_in_file.clone(),
    })
    .answer_time(ANSWER_TIME);
    if let Some(dir) = &args.drop_dir {
        return Ok(dropped::send(dir, &args, &client, &config));
    }
    let record = record(&args)?;
    local::rules::check(record.submission()).map_err(|wrong| {
        complain(&wrong.to_string());
        ExitCode::from(EXIT_USAGE)
    })?;
    if args.echo {
        echo(&record, &config, args.json);
    }
    if args.no_post {
        return Ok(ExitCode::SUCCESS);
    }
    let outcome = client.send(&record);
    tell(&outcome, args.json);
    Ok(if outcome.is_ok() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Tells what became of a record.
fn tell(outcome: &Result<Kept, SendError>, json: bool) {
    if json {
        cli::say(&outcome_json(outcome).to_string());
    }
    match outcome {
        Ok(Kept::Durable(_)) => {}
        Ok(Kept::Counted) if json => {}
        Ok(Kept::Counted) => {
            complain("counted: storm control keeps the first of a kind and the number of the rest");
        }
        Err(error) => complain(&format!("{}{}", chain(error), hint(error))),
    }
}

/// The record that the command line asks for.
fn record(args: &Args) -> Result<Record, ExitCode> {
    let payload = payload(args).map_err(|error| {
        let from = args.payload_file.as_deref().unwrap_or(Path::new("stdin"));
        complain(&format!(
            "cannot read the payload from {}: {error}",
            from.display()
        ));
        ExitCode::FAILURE
    })?;
    let mut record = Record::new(args.class.as_deref().unwrap_or_default(), severity(args.severity))
        .payload(payload)
        .payload_version(args.record_version);
    if let Some(id) = &args.event_id {
        record = record.event_id(id);
    }
    for (name, value) in &args.fields {
        record = record.field(name, value.clone());
    }
    Ok(record)
}

fn severity(number: u8) -> Severity {
    match number {
        1 => Severity::Low,
        2 => Severity::Medium,
        3 => Severity::High,
        _ => Severity::Critical,
    }
}

/// `NAME=VALUE`; a value that is a whole number is one.
fn field(text: &str) -> Result<(String, FieldValue), String> {
    let (name, value) = text
        .split_once('=')
        .ok_or("write NAME=VALUE, such as serial=WD-1")?;
    let value = if let Ok(number) = value.parse::<u64>() {
        FieldValue::Unsigned(number)
    } else if let Ok(number) = value.parse::<i64>() {
        FieldValue::Signed(number)
    } else {
        FieldValue::Text(value.to_owned())
    };
    Ok((name.to_owned(), value))
}

/// What else to do about it, on a line of its own.
fn hint(error: &SendError) -> String {
    match error {
        SendError::Connect { source, .. }
            if matches!(source.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) =>
        {
            format!("\n  it is not running: {}", cli::START_TELEMD)
        }
        SendError::Connect { .. } | SendError::Answer(_) | SendError::Foreign(_) => {
            "\n  `telemctl doctor` looks for the cause".to_owned()
        }
        SendError::NotOptedIn | SendError::Value(_) | SendError::Refused { .. } => String::new(),
    }
}

/// The payload, cut to the limit with a warning.
fn payload(args: &Args) -> io::Result<String> {
    // One byte more than fits shows that something is cut.
    let limit = CUSTOM_PAYLOAD_BYTES as u64 + 1;
    let mut bytes = Vec::new();
    match (&args.payload, &args.payload_file) {
        (Some(text), _) => bytes.extend_from_slice(text.as_bytes()),
        (None, Some(path)) => {
            std::fs::File::open(path)?.take(limit).read_to_end(&mut bytes)?;
        }
        (None, None) => {
            io::stdin().lock().take(limit).read_to_end(&mut bytes)?;
        }
    }
    let text = String::from_utf8_lossy(&bytes);
    if text.len() > CUSTOM_PAYLOAD_BYTES {
        complain(&format!("the payload is cut to {CUSTOM_PAYLOAD_BYTES} bytes"));
    }
    Ok(cut(&text, CUSTOM_PAYLOAD_BYTES).to_owned())
}

fn complain(text: &str) {
    cli::complain(&format!("telem-record-gen: {text}"));
}

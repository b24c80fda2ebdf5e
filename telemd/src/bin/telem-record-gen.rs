//! telem-record-gen: makes a record and hands it to telemd, with the options of Clear Linux's program.

use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{ArgGroup, Parser};
use local::Submission;
use local::legacy::{self, Facts, FrameError, PAYLOAD_BYTES};
use telemd::cli;
use telemd::clock::Moment;
use telemd::config::{Config, EXIT_USAGE};
use telemd::consent::Consent;
use telemd::host;
use telemd::text::cut;
use uuid::Uuid;

/// How long telemd may take to answer: longer than it gives a connection.
const ANSWER_TIME: Duration = Duration::from_secs(35);
/// Longest answer that is read, bytes.
const ANSWER_BYTES: u64 = 4096;

/// Makes a record and hands it to telemd, which keeps it on disk and ships it.
///
/// The payload is the text of --payload, the content of --payload-file, or else stdin; at most 8192 bytes.
#[derive(Debug, Parser)]
#[command(
    name = "telem-record-gen",
    version,
    disable_version_flag = true,
    group = ArgGroup::new("source").args(["payload", "payload_file"]),
    after_help = "Examples:\n  echo \"disk swapped\" | telem-record-gen --class org.example/maintenance/disk\n  \
                  telem-record-gen -c org.example/backup/failed -s 3 -P /var/log/backup.err\n  \
                  telem-record-gen -n -o -c org.example/test/test -p hello\n\n\
                  Exit codes: 0 kept (or counted by storm control), 1 not kept, 64 wrong command line or configuration."
)]
struct Args {
    /// telemd's configuration file.
    #[arg(short = 'f', long = "config-file", visible_alias = "config", value_name = "FILE", help = format!("telemd's configuration file [default: {}]", telemd::config::DEFAULT_PATH))]
    config: Option<PathBuf>,
    /// Classification: DOMAIN/PROBE/REST, such as org.example/maintenance/disk.
    #[arg(short, long)]
    class: String,
    /// Severity: 1 low, 2 medium, 3 high, 4 critical.
    #[arg(short, long, default_value_t = 1, value_parser = clap::value_parser!(i32).range(1..=4))]
    severity: i32,
    /// The payload.
    #[arg(short, long, value_name = "TEXT")]
    payload: Option<String>,
    /// A file that holds the payload.
    #[arg(short = 'P', long, value_name = "FILE")]
    payload_file: Option<PathBuf>,
    /// Version of the payload's format.
    #[arg(short = 'R', long, value_name = "N", default_value_t = 1)]
    record_version: u32,
    /// What ties the records of one event together: 32 lower-case hexadecimal digits [default: random].
    #[arg(short, long, value_name = "ID")]
    event_id: Option<String>,
    /// Print the record.
    #[arg(short = 'o', long)]
    echo: bool,
    /// Don't send the record.
    #[arg(short, long)]
    no_post: bool,
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
    let config = cli::config(args.config.as_deref())?;
    let payload = payload(&args).map_err(|error| {
        let from = args.payload_file.as_deref().unwrap_or(Path::new("stdin"));
        complain(&format!(
            "cannot read the payload from {}: {error}",
            from.display()
        ));
        ExitCode::FAILURE
    })?;
    let submission = Submission {
        classification: args.class,
        severity: args.severity,
        payload_version: args.record_version,
        event_id: args
            .event_id
            .unwrap_or_else(|| Uuid::new_v4().simple().to_string()),
        payload,
        fields: Vec::new(),
    };
    let facts = facts(&config);
    let bytes = legacy::write(&submission, &facts).map_err(|error| {
        complain(&error.to_string());
        match error {
            FrameError::Value(_) => ExitCode::from(EXIT_USAGE),
            _ => ExitCode::FAILURE,
        }
    })?;
    if args.echo {
        cli::say(&format!(
            "{}{}",
            legacy::header_text(&submission, &facts),
            submission.payload.trim_end_matches('\n')
        ));
    }
    if args.no_post {
        return Ok(ExitCode::SUCCESS);
    }
    if !Consent::new(&config.opt_in_file).given() {
        complain(
            "this host has not opted in, so the record was not sent\n  `telemctl opt-in` agrees that records of this host are kept and shipped",
        );
        return Err(ExitCode::FAILURE);
    }
    Ok(sent(&config, send(&config.socket_path, &bytes)))
}

/// Tells what became of the record.
fn sent(config: &Config, answer: io::Result<String>) -> ExitCode {
    match answer {
        Ok(answer) if answer.starts_with("ok") => ExitCode::SUCCESS,
        Ok(answer) if answer.starts_with("counted") => {
            complain(answer.trim_end());
            ExitCode::SUCCESS
        }
        Ok(answer) if answer.is_empty() => {
            complain(
                "telemd ended the connection without an answer: the record may not be kept\n  `telemctl doctor` looks for the cause",
            );
            ExitCode::FAILURE
        }
        Ok(answer) => {
            complain(answer.trim_end().trim_start_matches("error: "));
            ExitCode::FAILURE
        }
        Err(error) => {
            let socket = config.socket_path.display();
            let hint = match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                    format!("telemd is not running: {}", cli::START_TELEMD)
                }
                _ => "`telemctl doctor` looks for the cause".to_owned(),
            };
            complain(&format!("cannot send to {socket}: {error}\n  {hint}"));
            ExitCode::FAILURE
        }
    }
}

/// The payload, cut to the limit with a warning.
fn payload(args: &Args) -> io::Result<String> {
    // One byte more than fits shows that something is cut.
    let limit = PAYLOAD_BYTES as u64 + 1;
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
    if text.len() > PAYLOAD_BYTES {
        complain(&format!("the payload is cut to {PAYLOAD_BYTES} bytes"));
    }
    Ok(cut(&text, PAYLOAD_BYTES).to_owned())
}

fn facts(config: &Config) -> Facts {
    let host = host::facts(Path::new("/"), config.hostname.as_deref());
    Facts {
        created_s: Moment::now().unix_ns / 1_000_000_000,
        arch: host.arch,
        host_type: host.product,
        build: host.os_build,
        kernel_version: host.kernel_release,
        system_name: host.os_id,
        board_name: host.board,
        cpu_model: host.cpu_model,
        bios_version: host.bios,
    }
}

fn send(path: &Path, bytes: &[u8]) -> io::Result<String> {
    let mut stream = UnixStream::connect(path)?;
    stream.set_read_timeout(Some(ANSWER_TIME))?;
    stream.set_write_timeout(Some(ANSWER_TIME))?;
    stream.write_all(bytes)?;
    let mut answer = String::new();
    stream.take(ANSWER_BYTES).read_to_string(&mut answer)?;
    Ok(answer)
}

fn complain(text: &str) {
    cli::complain(&format!("telem-record-gen: {text}"));
}

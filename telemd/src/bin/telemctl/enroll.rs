//! `telemctl enroll`.

use std::io::Read as _;
use std::path::Path;
use std::process::ExitCode;

use serde_json::json;
use telemd::cli;
use telemd::config::Config;
use telemd::config::collector::Server;
use telemd::consent::Consent;
use telemd::control::{Question, ask};
use telemd::enrolment::{self, Enrolment, EnrolmentError};
use telemd::identity::{StateDir, StateError, known_agent_id};
use telemd::ship::enrol::{EnrolError, enrol};
use telemd::ship::trust::Fingerprint;
use telemd::text::chain;
use uuid::Uuid;

/// Longest token that is read, bytes.
const TOKEN_BYTES: u64 = proto::limits::TOKEN_BYTES as u64;

/// Make this host known at a collector: a key is made here, certified there, and renews itself from then on.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  telemctl enroll --server https://collector.example:7130 --token -\n  \
                  telemctl enroll --server https://collector.example:7130 --ca-fingerprint sha256:4f5c... --token tlm_1b2c...\n\n\
                  Exit codes: 0 enrolled, 1 not, 64 wrong command line or configuration."
)]
pub(crate) struct Options {
    /// The collector, https://HOST:PORT.
    #[arg(long, value_name = "URL", value_parser = server)]
    server: Server,
    /// What `backend token create` printed; - reads it from stdin, so that it is in no list of processes.
    #[arg(long, value_name = "TOKEN", env = "TELEMCTL_TOKEN", hide_env_values = true)]
    token: String,
    /// The collector's authority, as `backend ca show` prints it. Without, the server is believed by `collector.ca_file`, or
    /// by the system's authorities.
    #[arg(long, value_name = "SHA256")]
    ca_fingerprint: Option<Fingerprint>,
}

fn server(url: &str) -> Result<Server, String> {
    match Server::parse(url) {
        Ok(server) if server.is_tls() => Ok(server),
        Ok(_) => Err("enrolment goes over TLS only: write https://HOST:PORT".to_owned()),
        Err(problem) => Err(format!("{problem}: write https://HOST:PORT")),
    }
}

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("this host has not opted in: `telemctl opt-in` comes first")]
    OptedOut,
    #[error("the token cannot be read from stdin")]
    Token(#[source] std::io::Error),
    #[error(transparent)]
    State(#[from] StateError),
    #[error("a thread cannot be started")]
    Runtime(#[source] std::io::Error),
    #[error(transparent)]
    Enrol(#[from] EnrolError),
    #[error(transparent)]
    Keep(#[from] EnrolmentError),
    #[error("the enrolment cannot be given to telemd's user")]
    Own(#[source] std::io::Error),
}

pub(crate) fn enroll(options: &Options, config: &Config, json: bool) -> ExitCode {
    match run(options, config) {
        Ok((agent_id, enrolment)) => {
            // A pause of telemd ends; one that does not run begins with it.
            let running = ask(&config.control_path, Question::Flush).is_ok();
            cli::say(&if json {
                json!({
                    "agent_id": agent_id,
                    "server": enrolment.server,
                    "not_after_unix_s": enrolment.not_after_unix_s,
                })
                .to_string()
            } else {
                told(config, agent_id, &enrolment, running)
            });
            ExitCode::SUCCESS
        }
        Err(failure) => {
            let advice = match &failure {
                Failure::Enrol(error) => error.advice(),
                _ => "",
            };
            let advice = if advice.is_empty() {
                String::new()
            } else {
                format!("\n  {advice}")
            };
            cli::complain(&format!("telemctl: {}{advice}", chain(&failure)));
            ExitCode::FAILURE
        }
    }
}

fn told(config: &Config, agent_id: Uuid, enrolment: &Enrolment, running: bool) -> String {
    let until = jiff::Timestamp::from_second(enrolment.not_after_unix_s).unwrap_or_default();
    let mut text = format!(
        "enrolled as {agent_id} at {}, certificate until {until}; telemd renews it",
        enrolment.server
    );
    if !config.collector.url.is_empty() && !config.collector.url.contains(&enrolment.server) {
        text.push_str("\n  records go to collector.url of the configuration, which is another server");
    }
    if !running {
        text.push_str("\n  telemd is not running: ");
        text.push_str(cli::START_TELEMD);
    }
    text
}

fn run(options: &Options, config: &Config) -> Result<(Uuid, Enrolment), Failure> {
    if !Consent::new(&config.opt_in_file).given() {
        return Err(Failure::OptedOut);
    }
    let mut token = options.token.clone();
    if token == "-" {
        token.clear();
        let read = std::io::stdin().take(TOKEN_BYTES).read_to_string(&mut token);
        read.map_err(Failure::Token)?;
    }
    let agent_id = agent_id(&config.state_dir)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::Runtime)?;
    let asked = enrol(
        &config.collector,
        &options.server,
        token.trim(),
        agent_id,
        options.ca_fingerprint,
    );
    let enrolment = runtime.block_on(asked)?;
    enrolment.store(&config.state_dir)?;
    give(&config.state_dir, enrolment::FILE)?;
    Ok((agent_id, enrolment))
}

/// The agent's id, which is made where telemd has not run yet.
fn agent_id(state_dir: &Path) -> Result<Uuid, Failure> {
    if let Some(id) = known_agent_id(state_dir)? {
        return Ok(id);
    }
    let state = StateDir::open(state_dir)?;
    let id = state.agent_id()?;
    for name in ["agent_id", "lock"] {
        give(state_dir, name)?;
    }
    Ok(id)
}

/// Gives a file to whom the state directory belongs.
fn give(state_dir: &Path, name: &str) -> Result<(), Failure> {
    use std::os::unix::fs::{MetadataExt as _, lchown};
    let owner = std::fs::metadata(state_dir).map_err(Failure::Own)?;
    lchown(state_dir.join(name), Some(owner.uid()), Some(owner.gid())).map_err(Failure::Own)
}

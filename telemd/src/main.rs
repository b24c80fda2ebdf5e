//! telemd: catches faults, keeps them on disk, ships them.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{CommandFactory as _, Parser};
use telemd::config::EXIT_USAGE;
use telemd::control::{Asked, Question};
use telemd::ground::Ground;
use telemd::privileged::Attendant;
use telemd::settings::Settings;
use telemd::status::Confinement;
use telemd::{agent, cli, logging, memory};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

/// When the process is ended after a signal, whatever it is doing. Draining takes 5 s at most.
const LAST_RESORT: Duration = Duration::from_secs(7);

/// Catches faults of this host's kernel and programs, keeps them on disk and ships them to a collector.
///
/// Nothing is recorded before `telemctl opt-in`. `telemctl doctor` says what is watched and what is not.
#[derive(Debug, Parser)]
#[command(
    name = "telemd",
    version,
    after_help = "Examples:\n  telemd\n  telemd --config ./telemetrics.toml\n  RUST_LOG=telemd=debug telemd\n  \
                  telemd --completions bash > /etc/bash_completion.d/telemd\n\n\
                  Exit codes: 0 stopped by SIGTERM or SIGINT, 1 cannot run, 64 wrong command line or configuration."
)]
struct Args {
    /// The configuration file.
    #[arg(long, value_name = "FILE", help = format!("The configuration file [default: {}]", telemd::config::DEFAULT_PATH))]
    config: Option<PathBuf>,
    /// Print completions for a shell.
    #[arg(long, value_name = "SHELL")]
    completions: Option<clap_complete::Shell>,
}

fn main() -> ExitCode {
    match start() {
        Ok(code) | Err(code) => code,
    }
}

fn start() -> Result<ExitCode, ExitCode> {
    memory::share_arena();
    let args: Args = cli::parse()?;
    if let Some(shell) = args.completions {
        cli::completions(shell, &mut Args::command());
        return Ok(ExitCode::SUCCESS);
    }
    let config = cli::config(args.config.as_deref())?;
    let log = logging::start(&config.log).map_err(|error| {
        cli::complain(&error.to_string());
        ExitCode::from(EXIT_USAGE)
    })?;
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        debug_build = cfg!(debug_assertions),
        pid = std::process::id(),
        "telemd starts"
    );
    let attendant = if config.probes.enabled {
        let socket = config.probes.socket(privilege::credentials::is_root());
        Attendant::start(args.config.as_deref(), socket)
    } else {
        Attendant::unwanted("probes.enabled is false in the configuration")
    };
    let ground = Ground::prepare(&config, args.config.as_deref()).map_err(|error| cannot_run(&error))?;
    tell(&ground.confinement);
    let half = attendant.attend().map_err(|error| cannot_run(&error))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| {
            tracing::error!(%error, "cannot start");
            ExitCode::FAILURE
        })?;
    let stop = CancellationToken::new();
    watch_signals(stop.clone(), ground.control.0.asker()).map_err(|error| {
        tracing::error!(%error, "cannot start: signals cannot be handled");
        ExitCode::FAILURE
    })?;
    let settings = Settings::new(args.config.as_deref(), config);
    let outcome = runtime.block_on(agent::run(&settings, &log, ground, &half, &stop));
    // What a stuck disk still holds is not waited for.
    runtime.shutdown_background();
    outcome.map_err(|error| cannot_run(&error))?;
    Ok(ExitCode::SUCCESS)
}

/// Nobody waits for the answer: the agent logs it. A queue that is full holds such a question already, or is stuck.
fn reload(asked: &mpsc::Sender<Asked>) {
    let (reply, _unread) = oneshot::channel();
    if asked.try_send((Question::Reload, reply)).is_err() {
        tracing::warn!("the configuration is not read again: too many questions wait, send SIGHUP once more");
    }
}

fn cannot_run(error: &dyn std::error::Error) -> ExitCode {
    tracing::error!(error = telemd::text::chain(error), "telemd cannot run");
    ExitCode::FAILURE
}

/// Says what the process that talks to the network is left with.
fn tell(confinement: &Confinement) {
    tracing::info!(
        user = confinement.user,
        capabilities = confinement.standing.capability_names().join(" "),
        landlock = confinement.landlock,
        seccomp = confinement.standing.seccomp,
        "privileges are given up"
    );
    for missing in &confinement.missing {
        tracing::warn!(missing, "less is given up than could be");
    }
}

/// Cancels `stop` on SIGTERM and SIGINT, and ends the process when that does not. SIGHUP has `asked` read the configuration
/// again.
///
/// The thread is one of its own: a disk that is stuck may hold up all others, while the agent starts as well.
fn watch_signals(stop: CancellationToken, asked: mpsc::Sender<Asked>) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (mut term, mut int, mut hup) = {
        let _guard = runtime.enter();
        (
            signal(SignalKind::terminate())?,
            signal(SignalKind::interrupt())?,
            signal(SignalKind::hangup())?,
        )
    };
    let watch = async move {
        let name = loop {
            tokio::select! {
                _ = term.recv() => break "SIGTERM",
                _ = int.recv() => break "SIGINT",
                _ = hup.recv() => reload(&asked),
            }
        };
        tracing::info!(signal = name, "stopping");
        if let Err(error) = sd_notify::notify(&[sd_notify::NotifyState::Stopping]) {
            tracing::debug!(%error, "the service manager could not be told");
        }
        stop.cancel();
        tokio::time::sleep(LAST_RESORT).await;
        tracing::error!("the agent did not stop in time, its disk may be stuck: it is ended");
        std::process::exit(1);
    };
    std::thread::Builder::new()
        .name("signals".into())
        .spawn(move || runtime.block_on(watch))?;
    Ok(())
}

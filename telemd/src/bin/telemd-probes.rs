//! telemd-probes: the privileged half of the agent. Attaches the probes and hands over what only root may open.

use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use privilege::channel::Channel;
use telemd::config::EXIT_USAGE;
use telemd::text::chain;
use telemd::{cli, logging, memory, privileged};

/// The privileged half of telemd: attaches the probes, and has no network. telemd or the service manager starts it.
#[derive(Debug, Parser)]
#[command(
    name = "telemd-probes",
    version,
    after_help = "It is not started by hand: its standard input is the socket on which telemd asks.\n\n\
                  Exit codes: 0 telemd has ended, 1 the socket failed, 64 wrong command line or configuration."
)]
struct Args {
    /// The configuration file of telemd.
    #[arg(long, value_name = "FILE", help = format!("telemd's configuration file [default: {}]", telemd::config::DEFAULT_PATH))]
    config: Option<PathBuf>,
    /// Stay, and start it anew each time that telemd sends the descriptor of a socket.
    #[arg(long)]
    supervise: bool,
}

fn main() -> ExitCode {
    match start() {
        Ok(()) => ExitCode::SUCCESS,
        Err(code) => code,
    }
}

fn start() -> Result<(), ExitCode> {
    memory::share_arena();
    let args: Args = cli::parse()?;
    let config = cli::config(args.config.as_deref())?;
    let channel = channel().ok_or_else(|| {
        cli::complain("telemd-probes is started by telemd or the service manager: start telemd instead");
        ExitCode::from(EXIT_USAGE)
    })?;
    logging::start_on_stderr(&config.log).map_err(|error| {
        cli::complain(&error.to_string());
        ExitCode::from(EXIT_USAGE)
    })?;
    let missing = privileged::confine(&config);
    let channel = if args.supervise {
        match privileged::supervise(channel).map_err(|error| failed(&error))? {
            Some(channel) => channel,
            None => return Ok(()),
        }
    } else {
        channel
    };
    privileged::serve(channel, &config.probes, missing).map_err(|error| failed(&error))
}

fn failed(error: &dyn std::error::Error) -> ExitCode {
    tracing::error!(error = chain(error), "telemd cannot be answered any more");
    ExitCode::FAILURE
}

/// The socket that is the standard input, which becomes `/dev/null`; `None` when it is no stream socket.
fn channel() -> Option<Channel> {
    let input = std::io::stdin().as_fd().try_clone_to_owned().ok()?;
    let kind = rustix::net::sockopt::socket_type(&input).ok()?;
    let nothing = std::fs::File::open("/dev/null").ok()?;
    rustix::stdio::dup2_stdin(nothing).ok()?;
    (kind == rustix::net::SocketType::STREAM).then(|| Channel::new(UnixStream::from(input)))
}

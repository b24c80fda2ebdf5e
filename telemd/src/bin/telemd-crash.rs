//! telemd-crash: what the kernel starts when a program dumps core. Tells telemd of the crash and passes the dump on.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use telemd::cli;
use telemd::config::Config;
use telemd::crashes::confine::confine;
use telemd::crashes::dump::{self, Process};
use telemd::crashes::pass::{Passing, Sink, Target};
use telemd::text::chain;
use telemetry::{Client, Places};

/// How long telemd may take to answer: the kernel lets few dumps be read at the same time.
const ANSWER_TIME: Duration = Duration::from_secs(10);

/// Reads the core dump of a program that crashed, tells telemd where its threads were, and passes the dump on.
///
/// The kernel starts it, once `telemctl crashes enable` has told it to (`kernel.core_pattern`).
#[derive(Debug, Parser)]
#[command(
    name = "telemd-crash",
    version,
    after_help = "It is not started by hand, but may be tried with a dump that is there:\n  \
                  telemd-crash 4711 11 1 nothing < core\n\n\
                  Exit codes: 0 telemd has it, or this host has not opted in, 1 telemd has not, 64 wrong command line."
)]
struct Args {
    /// The configuration file of telemd.
    #[arg(long, value_name = "FILE", help = format!("telemd's configuration file [default: {}]", telemd::config::DEFAULT_PATH))]
    config: Option<PathBuf>,
    /// The process, in the initial PID namespace: %P of core(5).
    pid: u32,
    /// The number of the signal: %s.
    signal: u32,
    /// Who may see the process's memory: %d.
    dumpable: u32,
    /// Where the dump goes.
    #[command(subcommand)]
    then: Then,
}

#[derive(Debug, Subcommand)]
enum Then {
    /// To a program, on its standard input.
    Program {
        /// The program and its arguments.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
        command: Vec<OsString>,
    },
    /// Into a file.
    File {
        /// The process's limit for core dumps, bytes: %c.
        limit: u64,
        /// The process's user: %u.
        uid: u32,
        /// The process's group: %g.
        gid: u32,
        /// The file, absolute or from the process's folder; a name of several words has spaces between them.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
        name: Vec<OsString>,
    },
    /// Nowhere.
    Nothing,
}

fn main() -> ExitCode {
    match start() {
        Ok(()) => ExitCode::SUCCESS,
        Err(code) => code,
    }
}

fn start() -> Result<(), ExitCode> {
    let args: Args = cli::parse()?;
    let proc = Path::new("/proc");
    // The process is gone when the last byte was read.
    let process = Process::look(proc, args.pid);
    let sink = open(proc, &args).unwrap_or_else(|error| {
        complain(&format!("the core dump cannot be passed on: {error}"));
        Sink::Nothing
    });
    let mut core = Passing::new(std::io::stdin().lock(), sink);
    let told = tell(process, &args, &mut core);
    let passed = core
        .finish()
        .map_err(|error| format!("the core dump was not passed on whole: {error}"));
    for problem in [&told, &passed]
        .into_iter()
        .filter_map(|done| done.as_ref().err())
    {
        complain(problem);
    }
    told.and(passed).map_err(|_told| ExitCode::FAILURE)
}

fn open(proc: &Path, args: &Args) -> std::io::Result<Sink> {
    match &args.then {
        Then::Program { command } => Sink::program(command),
        Then::File {
            limit,
            uid,
            gid,
            name,
        } => {
            let target = Target {
                pid: args.pid,
                dumpable: args.dumpable,
                limit: *limit,
                uid: *uid,
                gid: *gid,
                name: &name.join(OsStr::new(" ")),
            };
            Sink::file(proc, &target)
        }
        Then::Nothing => Ok(Sink::Nothing),
    }
}

/// Reads the dump as far as that is needed, and tells telemd. Nothing is read unless this host has opted in.
fn tell(process: Process, args: &Args, core: impl std::io::Read) -> Result<(), String> {
    let config = Config::load(args.config.as_deref()).map_err(|error| chain(&error))?;
    let client = Client::of_places(Places {
        socket_path: config.socket_path.clone(),
        opt_in_file: config.opt_in_file.clone(),
    })
    .answer_time(ANSWER_TIME);
    confine(&config).map_err(|error| chain(&error))?;
    if !client.is_opted_in() {
        return Ok(());
    }
    let (submission, unread) = dump::read(process, args.signal, core);
    if let Some(error) = unread {
        complain(&format!("the core dump tells nothing: {error}"));
    }
    client
        .submit(&submission)
        .map(drop)
        .map_err(|error| format!("{}\n  `telemctl doctor` looks for the cause", chain(&error)))
}

fn complain(text: &str) {
    cli::complain(&format!("telemd-crash: {text}"));
}

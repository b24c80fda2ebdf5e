//! What the programs' command lines have in common.

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;

use crate::config::{Config, EXIT_USAGE};

/// What to do when nobody listens on telemd's sockets.
pub const START_TELEMD: &str =
    "start it as root: `systemctl start telemd`, or `telemd` with the same --config if one was given here";

/// Parses the command line. `Err` is the exit code: 0 after help, version or manual pages, 64 after a mistake that was
/// told.
pub fn parse<A: Parser>() -> Result<A, ExitCode> {
    if let Some(folder) = manual::program::wanted(std::env::args_os().skip(1)) {
        return Err(manual_pages(A::command(), &folder));
    }
    A::try_parse().map_err(|error| {
        // Nobody is left to tell when this fails.
        let _unwritable = error.print();
        if error.use_stderr() {
            ExitCode::from(EXIT_USAGE)
        } else {
            ExitCode::SUCCESS
        }
    })
}

fn manual_pages(command: clap::Command, folder: &Path) -> ExitCode {
    match manual::program::write(command, folder) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

/// Loads the configuration. `Err` is the exit code 64; the mistake was told.
pub fn config(path: Option<&Path>) -> Result<Config, ExitCode> {
    Config::load(path).map_err(|error| {
        complain(&error.to_string());
        ExitCode::from(EXIT_USAGE)
    })
}

/// Prints the completions of a program.
pub fn completions(shell: clap_complete::Shell, command: &mut clap::Command) {
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(shell, command, name, &mut script);
    say(String::from_utf8_lossy(&script).trim_end());
}

/// Says lines on stdout, each with its end.
pub fn say_all(lines: &str) {
    // As in `say`.
    let _closed = std::io::stdout().write_all(lines.as_bytes());
}

/// Says something on stdout.
pub fn say(text: &str) {
    // A closed pipe (`telemctl status | head`) is no error.
    let _closed = writeln!(std::io::stdout(), "{text}");
}

/// Says something on stderr.
pub fn complain(text: &str) {
    let _closed = writeln!(std::io::stderr(), "{text}");
}

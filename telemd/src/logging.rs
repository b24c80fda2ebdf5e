//! The agent's own log.

use std::io::IsTerminal as _;

use tracing_subscriber::filter::{ParseError, Targets};
use tracing_subscriber::prelude::*;
use tracing_subscriber::{Registry, fmt, reload};

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    /// The filter is not understood.
    #[error(
        "{origin} = {value:?}: {source}\n  write a level (error, warn, info, debug, trace) or directives such as \"info,telemd=debug\""
    )]
    Filter {
        /// Where the filter came from: the configuration key or the environment variable.
        origin: &'static str,
        /// The filter.
        value: String,
        /// What is wrong with it.
        source: ParseError,
    },
}

/// The log of this process.
#[derive(Debug)]
pub struct Log {
    /// `None`: `RUST_LOG` says what is logged.
    filter: Option<reload::Handle<Targets, Registry>>,
}

impl Log {
    /// Logs what `configured` says from now on, unless `RUST_LOG` does.
    pub fn change(&self, configured: &str) {
        let Some(filter) = &self.filter else { return };
        match parse("log", configured.to_owned()) {
            Ok(wanted) => {
                if let Err(error) = filter.reload(wanted) {
                    tracing::warn!(%error, "what is logged could not be changed");
                }
            }
            Err(error) => tracing::warn!(%error, "what is logged stays as it was"),
        }
    }
}

/// What `value` asks to be logged.
pub fn parse(origin: &'static str, value: String) -> Result<Targets, LoggingError> {
    value.parse().map_err(|source| LoggingError::Filter {
        origin,
        value,
        source,
    })
}

/// Starts the log on stdout: text on a terminal, otherwise JSON, a line an event. `RUST_LOG` comes before `configured`.
///
/// Messages of libraries that use `log` are in it too: aya-log's, which a debug build of the eBPF object sends.
pub fn start(configured: &str) -> Result<Log, LoggingError> {
    start_on(std::io::stdout, std::io::stdout().is_terminal(), configured)
}

/// The same on stderr, for a program whose stdout is nobody's.
pub fn start_on_stderr(configured: &str) -> Result<Log, LoggingError> {
    start_on(std::io::stderr, std::io::stderr().is_terminal(), configured)
}

fn start_on<W>(writer: fn() -> W, terminal: bool, configured: &str) -> Result<Log, LoggingError>
where
    W: std::io::Write + 'static,
{
    let (origin, value) = match std::env::var("RUST_LOG") {
        Ok(value) if !value.is_empty() => ("RUST_LOG", value),
        _ => ("log", configured.to_owned()),
    };
    // Not `EnvFilter`: its regular expressions are a tenth of an idle agent's memory.
    let (filter, handle) = reload::Layer::new(parse(origin, value)?);
    let log = tracing_subscriber::registry().with(filter);
    let lines = fmt::layer().with_writer(writer);
    if terminal {
        log.with(lines).init();
    } else {
        log.with(lines.json().flatten_event(true)).init();
    }
    Ok(Log {
        filter: (origin == "log").then_some(handle),
    })
}

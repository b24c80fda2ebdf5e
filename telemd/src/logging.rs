//! The agent's own log.

use std::io::IsTerminal as _;

use tracing_subscriber::filter::{ParseError, Targets};
use tracing_subscriber::fmt;
use tracing_subscriber::prelude::*;

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

/// Starts the log on stdout: text on a terminal, otherwise JSON, a line an event. `RUST_LOG` comes before `configured`.
///
/// Messages of libraries that use `log` are in it too: aya-log's, which a debug build of the eBPF object sends.
pub fn start(configured: &str) -> Result<(), LoggingError> {
    let (origin, value) = match std::env::var("RUST_LOG") {
        Ok(value) if !value.is_empty() => ("RUST_LOG", value),
        _ => ("log", configured.to_owned()),
    };
    // Not `EnvFilter`: its regular expressions are a tenth of an idle agent's memory.
    let filter = match value.parse::<Targets>() {
        Ok(filter) => filter,
        Err(source) => {
            return Err(LoggingError::Filter {
                origin,
                value,
                source,
            });
        }
    };
    let log = tracing_subscriber::registry().with(filter);
    if std::io::stdout().is_terminal() {
        log.with(fmt::layer()).init();
    } else {
        log.with(fmt::layer().json().flatten_event(true)).init();
    }
    Ok(())
}

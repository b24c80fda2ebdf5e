//! The agent's own log.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    /// The filter is not understood.
    #[error(
        "{origin} = {value:?}: {source}\n  write a level (error, warn, info, debug, trace) or directives such as \"telemd=debug\""
    )]
    Filter {
        /// Where the filter came from: the configuration key or the environment variable.
        origin: &'static str,
        /// The filter.
        value: String,
        /// What is wrong with it.
        source: tracing_subscriber::filter::ParseError,
    },
}

/// Starts the log on stdout: text on a terminal, otherwise JSON, a line an event. `RUST_LOG` comes before `configured`.
pub fn start(configured: &str) -> Result<(), LoggingError> {
    let (origin, value) = match std::env::var("RUST_LOG") {
        Ok(value) if !value.is_empty() => ("RUST_LOG", value),
        _ => ("log", configured.to_owned()),
    };
    let filter = EnvFilter::builder()
        .parse(&value)
        .map_err(|source| LoggingError::Filter {
            origin,
            value,
            source,
        })?;
    let log = tracing_subscriber::fmt().with_env_filter(filter);
    if std::io::stdout().is_terminal() {
        log.init();
    } else {
        log.json().flatten_event(true).init();
    }
    Ok(())
}

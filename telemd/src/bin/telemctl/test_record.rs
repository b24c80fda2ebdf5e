//! `telemctl test-record`: a record that shows that the way to the collector is open.

use std::process::ExitCode;

use serde::Serialize;
use telemd::cli;
use telemd::config::Config;
use telemd::text::chain;
use telemetry::{Client, Kept, Places, Record, Severity};

use crate::control;
use crate::show;

/// What the record is called.
const CLASSIFICATION: &str = "org.telemetrics/test/record";

/// Send a record that says nothing, and tell what became of it.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  telemctl test-record              it is kept on this host's disk\n  \
                  telemctl test-record --stored     ... and the collector has it\n\n\
                  Exit codes: 0 kept (and stored), 1 it is not, 64 wrong command line or configuration."
)]
pub(crate) struct Options {
    /// Wait until the collector has stored it.
    #[arg(long)]
    stored: bool,
    /// How long to wait for that at most.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,
}

#[derive(Debug, Serialize)]
struct Told {
    kept: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stored: Option<bool>,
}

pub(crate) fn send(options: &Options, config: &Config, json: bool) -> ExitCode {
    let client = Client::of_places(Places {
        socket_path: config.socket_path.clone(),
        opt_in_file: config.opt_in_file.clone(),
    });
    let record =
        Record::new(CLASSIFICATION, Severity::Low).payload("This record was sent by `telemctl test-record`.");
    let seq = match client.send(&record) {
        Ok(Kept::Durable(seq)) => Some(seq),
        Ok(Kept::Counted) => None,
        Err(error) => {
            cli::complain(&format!(
                "telemctl: {}\n  `telemctl doctor` looks for the cause",
                chain(&error)
            ));
            return ExitCode::FAILURE;
        }
    };
    if !json {
        cli::say(&match seq {
            Some(seq) => format!("the record is on disk, under sequence {seq}"),
            None => "the record was counted: many of its kind were sent in the last minute".to_owned(),
        });
    }
    let shipped = options.stored.then(|| control::ship(options.timeout, config));
    let shipped = match shipped.transpose() {
        Ok(shipped) => shipped,
        Err(error) => return control::failed(&error),
    };
    if json {
        cli::say(&show::json(&Told {
            kept: seq.is_some(),
            seq,
            stored: shipped.as_ref().map(control::Shipped::is_stored),
        }));
    }
    match shipped {
        Some(shipped) => {
            if !json && shipped.is_stored() {
                cli::say("the collector has stored it");
            }
            shipped.tell(options.timeout)
        }
        None => ExitCode::SUCCESS,
    }
}

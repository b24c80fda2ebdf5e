//! Sending what programs dropped into a folder.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use local::rules;
use telemd::config::{Config, EXIT_USAGE};
use telemd::drop_dir::{self, Dropped};
use telemetry::{Client, Record};

use crate::{Args, complain, echo, severity, tell};

/// Sends each record of a folder and removes what is kept, or never could be.
pub(crate) fn send(dir: &Path, args: &Args, client: &Client, config: &Config) -> ExitCode {
    let domain_and_probe = args.class.as_deref().unwrap_or_default();
    if let Err(wrong) = rules::check_classification(&format!("{domain_and_probe}/x")) {
        complain(&format!(
            "--class with --drop-dir is DOMAIN/PROBE, and REST comes from the files: {wrong}"
        ));
        return ExitCode::from(EXIT_USAGE);
    }
    let found = match drop_dir::list(dir, |_any| true) {
        Ok(found) => found,
        Err(error) => {
            complain(&format!("cannot look into {}: {error}", dir.display()));
            return ExitCode::FAILURE;
        }
    };
    let mut all_kept = true;
    for dropped in &found {
        all_kept &= send_one(dropped, domain_and_probe, args, client, config);
    }
    if all_kept {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn send_one(
    dropped: &Dropped,
    domain_and_probe: &str,
    args: &Args,
    client: &Client,
    config: &Config,
) -> bool {
    let path = dropped.path.display();
    let payload = match dropped.payload() {
        Ok(payload) => payload,
        Err(error) => {
            complain(&format!("cannot read {path}: {error}"));
            return false;
        }
    };
    let class = format!("{domain_and_probe}/{}", dropped.class);
    let record = Record::new(&class, severity(dropped.severity))
        .payload(payload)
        .payload_version(dropped.payload_version);
    if args.echo {
        echo(&record, config, args.json);
    }
    let valid = rules::check(record.submission());
    let kept = match &valid {
        Ok(()) => {
            let outcome = client.send(&record);
            tell(&outcome, args.json);
            outcome.is_ok()
        }
        Err(wrong) => {
            complain(&format!("{path} is removed, it can never be sent: {wrong}"));
            false
        }
    };
    if (kept || valid.is_err())
        && let Err(error) = fs::remove_file(&dropped.path)
    {
        complain(&format!("cannot remove {path}, it will be sent again: {error}"));
        return false;
    }
    kept
}

//! Opting in and out.

use std::process::ExitCode;

use telemd::cli;
use telemd::config::Config;
use telemd::consent::{self, Consent};
use telemd::control::{AskError, Question, ask};
use telemd::identity::{StateDir, StateError};
use telemd::ship;
use telemd::text::chain;

pub(crate) fn opt_in(config: &Config) -> ExitCode {
    let consent = Consent::new(&config.opt_in_file);
    let changed = match consent.give() {
        Ok(changed) => changed,
        Err(error) => return refused("create", config, &error),
    };
    let so_far = if changed { "opted in" } else { "already opted in" };
    match ask(&config.control_path, Question::Consent) {
        Ok(_status) => cli::say(&format!(
            "{so_far}: faults of this host are recorded and shipped to {}",
            ship::target(config)
        )),
        Err(AskError::NotRunning { .. }) => {
            cli::say(&format!("{so_far}; telemd is not running: {}", cli::START_TELEMD));
        }
        // It looks at the file itself, and answers nobody while it attaches its hooks.
        Err(AskError::Io { .. }) => cli::say(&format!(
            "{so_far}; telemd has not said yet that it records, as on a slow machine or a busy disk: `telemctl status` tells"
        )),
        Err(error) => return took_no_effect(so_far, &error),
    }
    ExitCode::SUCCESS
}

pub(crate) fn opt_out(config: &Config) -> ExitCode {
    let changed = match Consent::new(&config.opt_in_file).withdraw() {
        Ok(changed) => changed,
        Err(error) => return refused("remove", config, &error),
    };
    let so_far = if changed { "opted out" } else { "not opted in" };
    let forgotten = match ask(&config.control_path, Question::Consent) {
        Ok(_status) => Ok(()),
        Err(AskError::NotRunning { .. }) => forget(config),
        Err(error) => return took_no_effect(so_far, &error),
    };
    match forgotten {
        Ok(()) => {
            cli::say(&format!(
                "{so_far}: nothing is recorded, and what was recorded on this host is deleted"
            ));
            ExitCode::SUCCESS
        }
        Err(error) => {
            cli::complain(&format!(
                "telemctl: {so_far}, but what was recorded could not be deleted: {error}\n  delete {} by hand",
                config.state_dir.display()
            ));
            ExitCode::FAILURE
        }
    }
}

/// Deletes what was recorded, in place of a telemd that does not run.
fn forget(config: &Config) -> Result<(), String> {
    if !config.state_dir.exists() {
        return Ok(());
    }
    let state = match StateDir::open(&config.state_dir) {
        // One that is just starting sees that consent is gone and forgets by itself.
        Err(StateError::Locked { .. }) => return Ok(()),
        other => other.map_err(|error| chain(&error))?,
    };
    consent::forget(state.path()).map_err(|error| error.to_string())
}

fn refused(action: &str, config: &Config, error: &std::io::Error) -> ExitCode {
    let hint = if error.kind() == std::io::ErrorKind::PermissionDenied {
        "run this as root"
    } else {
        "see opt_in_file in the configuration"
    };
    cli::complain(&format!(
        "telemctl: cannot {action} {}: {error}\n  {hint}",
        config.opt_in_file.display()
    ));
    ExitCode::FAILURE
}

fn took_no_effect(so_far: &str, error: &AskError) -> ExitCode {
    cli::complain(&format!(
        "telemctl: {so_far}, but telemd did not confirm it: {}\n  it looks at the opt-in file itself every 2 s; `telemctl status` \
         tells when it took effect",
        chain(error)
    ));
    ExitCode::FAILURE
}

//! `telemctl start`, `stop`, `restart` and `is-active`: the agent's services, by systemd.

use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use telemd::cli;
use telemd::config::Config;
use telemd::consent::Consent;
use telemd::control::{Question, ask};

/// What is started, in this order; stopped in the other.
const UNITS: [&str; 3] = ["telemd-probes.socket", "telemd.socket", "telemd.service"];
/// There is a service manager to ask when this folder is there (`sd_booted(3)`).
const SYSTEMD: &str = "/run/systemd/system";
/// What `systemctl is-active` exits with for a unit that is not (LSB: the program is not running).
const NOT_ACTIVE: u8 = 3;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Start,
    Stop,
    Restart,
}

pub(crate) fn change(verb: Verb, config: &Config) -> ExitCode {
    if verb != Verb::Stop && !Consent::new(&config.opt_in_file).given() {
        return complain("this host has not opted in: nothing would be recorded\n  `telemctl opt-in` agrees");
    }
    if !Path::new(SYSTEMD).exists() {
        return complain(
            "systemd does not manage this host's services\n  start and stop the program telemd itself",
        );
    }
    if verb != Verb::Start && !systemctl("stop", UNITS.iter().rev()) {
        return ExitCode::FAILURE;
    }
    if verb != Verb::Stop && !systemctl("start", UNITS.iter()) {
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// Runs systemctl on units; it says itself what is wrong.
fn systemctl<'a>(verb: &str, units: impl Iterator<Item = &'a &'a str>) -> bool {
    match Command::new("systemctl").arg(verb).args(units).status() {
        Ok(status) => status.success(),
        Err(error) => {
            complain(&format!(
                "cannot run systemctl: {error}\n  install it, or start and stop telemd itself"
            ));
            false
        }
    }
}

/// Tells whether the agent runs: by the word of systemd where it has the service, else by the agent's own answer.
pub(crate) fn is_active(config: &Config) -> ExitCode {
    let state = unit_state("telemd.service").filter(|state| state != "inactive" && state != "unknown");
    let answers = || match ask(&config.control_path, Question::Status) {
        Ok(_status) => "active".to_owned(),
        Err(_nobody) => "inactive".to_owned(),
    };
    let state = state.unwrap_or_else(answers);
    cli::say(&format!("telemd : {state}"));
    if state == "active" {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(NOT_ACTIVE)
    }
}

fn unit_state(unit: &str) -> Option<String> {
    if !Path::new(SYSTEMD).exists() {
        return None;
    }
    let output = Command::new("systemctl")
        .args(["is-active", unit])
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let state = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    (!state.is_empty()).then_some(state)
}

fn complain(text: &str) -> ExitCode {
    cli::complain(&format!("telemctl: {text}"));
    ExitCode::FAILURE
}

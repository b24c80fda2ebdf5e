//! An agent on this host, with its state in the demo's folder.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

use crate::{progress, service::Service};

/// Loading the programs takes a second; longer on a busy machine.
const START_PATIENCE: Duration = Duration::from_mins(1);
/// Longer than the agent's own deadline for draining.
const STOP_PATIENCE: Duration = Duration::from_secs(15);

/// A running agent. It ends when this value is dropped, and with this process.
#[derive(Debug)]
pub(crate) struct Agent {
    service: Service,
    programs: PathBuf,
    config: PathBuf,
    /// Holds the sockets: their paths have to be short.
    _sockets: tempfile::TempDir,
}

/// What the agent says about itself, as far as the demo needs it.
#[derive(Debug, Deserialize)]
struct Status {
    session: Option<Session>,
}

/// What the agent does on this host.
#[derive(Debug, Deserialize)]
pub(super) struct Session {
    /// This host's name in records.
    pub(super) hostname: String,
    /// Every hook, attached or not.
    pub(super) hooks: Vec<Hook>,
}

/// One hook of the catalogue on this host.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Hook {
    pub(super) name: String,
    /// How it is attached; empty when it is not.
    pub(super) attach: String,
    /// Why it is not attached.
    pub(super) reason: String,
}

impl Agent {
    /// Opts in and starts `telemd` with its files in `dir`; waits until it watches.
    pub(crate) fn start(programs: &Path, dir: &Path, collector_port: u16) -> Result<Self> {
        let step = progress::step("start an agent on this host");
        fs::create_dir_all(dir).with_context(|| format!("create {}", dir.display()))?;
        let sockets = tempfile::Builder::new()
            .prefix("telemetrics-demo-")
            .tempdir()
            .context("create a folder")?;
        let config = dir.join("telemd.toml");
        let text = format!(
            "state_dir = {}\nopt_in_file = {}\nsocket_path = {}\ncontrol_path = {}\n\n\
             [collector]\nurl = \"http://127.0.0.1:{collector_port}\"\n",
            toml_string(&dir.join("state")),
            toml_string(&dir.join("opt-in")),
            toml_string(&sockets.path().join("records")),
            toml_string(&sockets.path().join("control")),
        );
        fs::write(&config, text).with_context(|| format!("write {}", config.display()))?;
        let opted_in = telemctl(programs, &config)
            .arg("opt-in")
            .output()
            .context("start telemctl")?;
        if !opted_in.status.success() {
            bail!("telemctl opt-in: {}", String::from_utf8_lossy(&opted_in.stderr));
        }
        let service = Service::start(
            "the agent",
            &programs.join("telemd"),
            [OsStr::new("--config"), config.as_os_str()],
            dir.join("telemd.log"),
            STOP_PATIENCE,
        )?;
        let mut agent = Self {
            service,
            programs: programs.to_owned(),
            config,
            _sockets: sockets,
        };
        agent.wait_until_ready()?;
        step.done();
        Ok(agent)
    }

    /// The file to give to `telemctl --config`.
    pub(super) fn config(&self) -> &Path {
        &self.config
    }

    /// `telemctl` with this agent's configuration.
    pub(crate) fn telemctl(&self) -> Command {
        telemctl(&self.programs, &self.config)
    }

    /// What it watches, and under which name.
    pub(super) fn session(&self) -> Result<Session> {
        status(&self.programs, &self.config)?
            .session
            .context("the agent says that this host has not opted in")
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let Self {
            service,
            programs,
            config,
            ..
        } = self;
        service.wait_until(START_PATIENCE, || {
            let ready = status(programs, config).is_ok_and(|status| status.session.is_some());
            Ok(ready.then_some(()))
        })
    }
}

fn status(programs: &Path, config: &Path) -> Result<Status> {
    let output = telemctl(programs, config)
        .args(["status", "--json"])
        .output()
        .context("start telemctl")?;
    serde_json::from_slice(&output.stdout).with_context(|| {
        format!(
            "telemctl status --json ended with {}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        )
    })
}

/// A path as a TOML basic string, whose escapes are those of Rust.
fn toml_string(path: &Path) -> String {
    format!("{:?}", path.display().to_string())
}

fn telemctl(programs: &Path, config: &Path) -> Command {
    let mut command = Command::new(programs.join("telemctl"));
    command.arg("--config").arg(config).stdin(Stdio::null());
    command
}

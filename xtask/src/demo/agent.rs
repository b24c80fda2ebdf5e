//! An agent on this host, with its state in the demo's folder.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal};
use serde::Deserialize;

use crate::progress;

/// Loading the programs takes a second; longer on a busy machine.
const START_PATIENCE: Duration = Duration::from_mins(1);
/// Longer than the agent's own deadline for draining.
const STOP_PATIENCE: Duration = Duration::from_secs(15);
const POLL: Duration = Duration::from_millis(100);

/// A running agent. It ends when this value is dropped, and with this process.
#[derive(Debug)]
pub(super) struct Agent {
    process: Child,
    programs: PathBuf,
    config: PathBuf,
    log: PathBuf,
    /// Holds the sockets: their paths have to be short.
    _sockets: tempfile::TempDir,
}

/// What the agent says about itself, as far as the demo needs it.
#[derive(Debug, Deserialize)]
pub(super) struct Status {
    session: Option<Session>,
}

#[derive(Debug, Deserialize)]
struct Session {
    hostname: String,
    hooks: Vec<Hook>,
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
    pub(super) fn start(programs: &Path, dir: &Path, collector_port: u16) -> Result<Self> {
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
        let log = dir.join("telemd.log");
        let output = File::create(&log).with_context(|| format!("create {}", log.display()))?;
        // Told to end by the kernel when this process ends, however it ends.
        let process = Command::new("setpriv")
            .args(["--pdeathsig", "TERM"])
            .arg(programs.join("telemd"))
            .arg("--config")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .context("start setpriv")?;
        let mut agent = Self {
            process,
            programs: programs.to_owned(),
            config,
            log,
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

    /// This host's name in records.
    pub(super) fn hostname(&self) -> Result<String> {
        Ok(self.session()?.hostname)
    }

    /// Every hook, attached or not.
    pub(super) fn hooks(&self) -> Result<Vec<Hook>> {
        Ok(self.session()?.hooks)
    }

    fn session(&self) -> Result<Session> {
        self.status()?
            .session
            .context("the agent says that this host has not opted in")
    }

    fn status(&self) -> Result<Status> {
        let output = telemctl(&self.programs, &self.config)
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

    fn wait_until_ready(&mut self) -> Result<()> {
        for _ in 0..START_PATIENCE.as_millis() / POLL.as_millis() {
            if let Some(end) = self.process.try_wait().context("look after the agent")? {
                bail!("the agent ended with {end}; its log is {}", self.log.display());
            }
            if self.status().is_ok_and(|status| status.session.is_some()) {
                return Ok(());
            }
            thread::sleep(POLL);
        }
        bail!(
            "the agent is not ready after {START_PATIENCE:?}; its log is {}",
            self.log.display()
        )
    }
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

impl Drop for Agent {
    fn drop(&mut self) {
        let _told = rustix::process::kill_process(Pid::from_child(&self.process), Signal::TERM);
        for _ in 0..STOP_PATIENCE.as_millis() / POLL.as_millis() {
            if !matches!(self.process.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(POLL);
        }
        let _killed = self.process.kill();
        let _waited = self.process.wait();
    }
}

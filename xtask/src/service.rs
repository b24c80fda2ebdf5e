//! A program of the project that runs beside xtask.

use std::{
    ffi::OsStr,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal};

const POLL: Duration = Duration::from_millis(100);
/// How much of a log a failure shows.
const TAIL_LINES: usize = 40;

/// A running program. It ends in order when this value is dropped, and with this process.
#[derive(Debug)]
pub(crate) struct Service {
    process: Child,
    name: &'static str,
    log: PathBuf,
    stop_patience: Duration,
}

impl Service {
    /// Starts a program that failures call `name`; what it prints goes to `log`. When it has not ended in order within
    /// `stop_patience`, it is killed.
    pub(crate) fn start(
        name: &'static str,
        program: &Path,
        arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
        log: PathBuf,
        stop_patience: Duration,
    ) -> Result<Self> {
        let output = File::create(&log).with_context(|| format!("create {}", log.display()))?;
        // Told to end by the kernel when this process ends, however it ends.
        let process = Command::new("setpriv")
            .args(["--pdeathsig", "TERM"])
            .arg(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .context("start setpriv")?;
        Ok(Self {
            process,
            name,
            log,
            stop_patience,
        })
    }

    /// Waits until `ready` gives something; fails when the program ends before, or after `patience`.
    #[expect(
        clippy::disallowed_methods,
        reason = "waiting for another process is wall time"
    )]
    pub(crate) fn wait_until<T>(
        &mut self,
        patience: Duration,
        mut ready: impl FnMut() -> Result<Option<T>>,
    ) -> Result<T> {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(found) = ready()? {
                return Ok(found);
            }
            let name = self.name;
            if let Some(end) = self
                .process
                .try_wait()
                .with_context(|| format!("look after {name}"))?
            {
                bail!("{name} ended with {end}:\n{}", tail(&self.log));
            }
            if Instant::now() >= deadline {
                bail!("{name} is not ready after {patience:?}:\n{}", tail(&self.log));
            }
            thread::sleep(POLL);
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _told = rustix::process::kill_process(Pid::from_child(&self.process), Signal::TERM);
        for _ in 0..self.stop_patience.as_millis() / POLL.as_millis() {
            if !matches!(self.process.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(POLL);
        }
        let _killed = self.process.kill();
        let _waited = self.process.wait();
    }
}

/// The last lines of a log; empty when there is none.
pub(crate) fn tail(file: &Path) -> String {
    let bytes = fs::read(file).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}

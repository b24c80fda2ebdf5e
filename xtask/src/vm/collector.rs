//! A collector of a test's own, with a private database.

use std::{
    fs::{self, File},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal};
use serde::Deserialize;

use crate::progress;

/// It makes a database cluster first: some seconds, more on a busy machine.
const START_PATIENCE: Duration = Duration::from_mins(3);
/// Its database is stopped in order.
const STOP_PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(100);

/// A running collector. It ends when this value is dropped, and with this process.
#[derive(Debug)]
pub(crate) struct Collector {
    process: Child,
    log: PathBuf,
    addresses: Addresses,
}

#[derive(Clone, Copy, Debug, Deserialize)]
struct Addresses {
    grpc: SocketAddr,
    http: SocketAddr,
}

/// What the collector says about a stored record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) id: String,
    pub(crate) class: String,
    pub(crate) severity: String,
    pub(crate) title: String,
    pub(crate) host: String,
    pub(crate) kernel_release: String,
}

impl Collector {
    /// Starts `backend serve` with its data in `dir`/backend and its pages on `http` (port 0: any), and waits until it
    /// listens.
    pub(crate) fn start(programs: &Path, dir: &Path, http: SocketAddr) -> Result<Self> {
        let step = progress::step("start a collector with a private PostgreSQL");
        let address_file = dir.join("addresses.json");
        let log = dir.join("backend.log");
        let output = File::create(&log).with_context(|| format!("create {}", log.display()))?;
        // Told to end by the kernel when this process ends, however it ends.
        let process = Command::new("setpriv")
            .args(["--pdeathsig", "TERM"])
            .arg(programs.join("backend"))
            .arg("serve")
            .arg("--data-dir")
            .arg(dir.join("backend"))
            .args(["--grpc", "127.0.0.1:0", "--http", &http.to_string()])
            .arg("--address-file")
            .arg(&address_file)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .context("start setpriv")?;
        let mut collector = Self {
            process,
            log,
            addresses: Addresses { grpc: http, http },
        };
        collector.addresses = collector.wait_for_addresses(&address_file)?;
        step.done();
        Ok(collector)
    }

    /// Port of its gRPC.
    pub(crate) fn grpc_port(&self) -> u16 {
        self.addresses.grpc.port()
    }

    /// The address of its first page, which ends in a slash.
    pub(crate) fn page(&self) -> String {
        format!("http://{}/", self.addresses.http)
    }

    /// The address of a fault's page.
    pub(crate) fn fault_page(&self, fault: &Stored) -> String {
        format!("{}faults/{}", self.page(), fault.id)
    }

    /// Every fault that it has stored, newest first.
    pub(crate) fn faults(&self) -> Result<Vec<Stored>> {
        let mut faults = Vec::new();
        let mut token = String::new();
        loop {
            let url = format!(
                "http://{}/api/v1/faults?page_size=500&page_token={token}",
                self.addresses.http
            );
            let page: serde_json::Value = ureq::get(&url)
                .call()
                .and_then(|mut response| response.body_mut().read_json())
                .with_context(|| format!("GET {url}"))?;
            faults.extend(page["faults"].as_array().into_iter().flatten().map(stored));
            match page["next_page_token"].as_str() {
                Some(next) if !next.is_empty() => next.clone_into(&mut token),
                _ => return Ok(faults),
            }
        }
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "waiting for another process is wall time"
    )]
    fn wait_for_addresses(&mut self, file: &Path) -> Result<Addresses> {
        let deadline = Instant::now() + START_PATIENCE;
        loop {
            if let Ok(text) = fs::read(file) {
                return serde_json::from_slice(&text).with_context(|| format!("read {}", file.display()));
            }
            if let Some(end) = self.process.try_wait().context("look after the collector")? {
                bail!("the collector ended with {end}:\n{}", self.log_tail());
            }
            if Instant::now() >= deadline {
                bail!(
                    "the collector does not listen after {START_PATIENCE:?}:\n{}",
                    self.log_tail()
                );
            }
            thread::sleep(POLL);
        }
    }

    fn log_tail(&self) -> String {
        super::guest::tail(&self.log)
    }
}

fn stored(fault: &serde_json::Value) -> Stored {
    let text = |path: &str| {
        fault
            .pointer(path)
            .and_then(|value| value.as_str())
            .unwrap_or_default()
            .to_owned()
    };
    Stored {
        id: text("/id"),
        class: text("/record/class"),
        severity: text("/record/severity"),
        title: text("/record/title"),
        host: text("/host/hostname"),
        kernel_release: text("/record/kernel_release"),
    }
}

impl Drop for Collector {
    #[expect(
        clippy::disallowed_methods,
        reason = "waiting for another process is wall time"
    )]
    fn drop(&mut self) {
        let _told = rustix::process::kill_process(Pid::from_child(&self.process), Signal::TERM);
        let deadline = Instant::now() + STOP_PATIENCE;
        while Instant::now() < deadline {
            if !matches!(self.process.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(POLL);
        }
        let _killed = self.process.kill();
        let _waited = self.process.wait();
    }
}

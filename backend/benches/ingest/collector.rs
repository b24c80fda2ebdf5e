//! `backend serve` as a process of its own.

use std::{net::SocketAddr, path::Path, process::Stdio, time::Duration};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::{
    process::{Child, Command},
    time::{Instant, sleep},
};

/// How long it may take to start: initdb is part of it.
const START: Duration = Duration::from_mins(2);

pub(crate) struct Collector {
    pub(crate) grpc: SocketAddr,
    /// Where its metrics are.
    pub(crate) http: SocketAddr,
    /// How to reach its database.
    pub(crate) database: String,
    child: Child,
    _dir: TempDir,
}

impl Collector {
    pub(crate) async fn start() -> Result<Self> {
        let dir = match std::env::var_os("INGEST_BENCH_DIR") {
            Some(dir) => tempfile::tempdir_in(dir)?,
            None => tempfile::tempdir()?,
        };
        // The user `postgres` has to get at it where the bench runs as root.
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(dir.path(), open)?;
        let addresses = dir.path().join("addresses.json");
        let any = "127.0.0.1:0";
        let child = Command::new(env!("CARGO_BIN_EXE_backend"))
            .args(["serve", "--grpc", any, "--http", any, "--data-dir"])
            .arg(dir.path())
            .arg("--address-file")
            .arg(&addresses)
            .env("RUST_LOG", "warn")
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .context("start the collector")?;
        let (grpc, http) = listening(&addresses).await?;
        Ok(Self {
            grpc,
            http,
            database: format!(
                "host='{}' user=postgres dbname=postgres",
                dir.path().join("postgres/socket").display()
            ),
            child,
            _dir: dir,
        })
    }

    pub(crate) fn pid(&self) -> Result<u32> {
        self.child.id().context("the collector ended")
    }

    /// The most memory that it had at any moment, `VmHWM` of proc(5). KiB.
    pub(crate) fn peak_rss_kib(&self) -> Result<u32> {
        let pid = self.pid()?;
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = peak.and_then(|peak| peak.trim().strip_suffix(" kB"));
        kib.context("no VmHWM")?.parse().context("VmHWM is no number")
    }

    pub(crate) async fn stop(mut self) -> Result<()> {
        let pid = self
            .child
            .id()
            .and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
        kill_process(pid.context("the collector ended")?, Signal::TERM)?;
        let status = self.child.wait().await?;
        if !status.success() {
            bail!("the collector ended with {status}");
        }
        Ok(())
    }
}

/// Its addresses for gRPC and HTTP, once it listens.
async fn listening(addresses: &Path) -> Result<(SocketAddr, SocketAddr)> {
    let deadline = Instant::now() + START;
    while Instant::now() < deadline {
        if let Ok(json) = std::fs::read(addresses) {
            let json: serde_json::Value = serde_json::from_slice(&json)?;
            let address = |of: &str| anyhow::Ok(json[of].as_str().context("no address")?.parse()?);
            return Ok((address("grpc")?, address("http")?));
        }
        sleep(Duration::from_millis(50)).await;
    }
    bail!("the collector does not listen after {START:?}");
}

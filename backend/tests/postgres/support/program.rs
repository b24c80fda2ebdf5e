//! `backend serve` as a program of its own, on the database of a test.

use std::{
    fs::File,
    net::SocketAddr,
    process::{Child, Command},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tonic::transport::{Channel, Endpoint};

use super::{Database, PATIENCE};

/// How often it is looked whether something has come about.
const LOOK: Duration = Duration::from_millis(50);
/// Descriptors, where there is no reason for fewer.
const DESCRIPTORS: u32 = 1024;

/// It ends with the value.
pub(crate) struct Program {
    child: Child,
    dir: tempfile::TempDir,
}

impl Program {
    /// With options beside those that it needs.
    pub(crate) fn start(db: &Database, options: &[&str]) -> Self {
        Self::within(db, DESCRIPTORS, options)
    }

    /// With so many descriptors at most.
    pub(crate) fn within(db: &Database, descriptors: u32, options: &[&str]) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let log = File::create(dir.path().join("log")).expect("a file");
        let child = Command::new("sh")
            .args(["-c", &format!("ulimit -n {descriptors} && exec \"$@\""), "sh"])
            .arg(env!("CARGO_BIN_EXE_backend"))
            .args(["serve", "--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0"])
            .args(["--database", &db.url])
            .args(options)
            .arg("--address-file")
            .arg(dir.path().join("addresses"))
            .stderr(log)
            .spawn()
            .expect("it starts");
        Self { child, dir }
    }

    /// Where it listens, once it does: by gRPC, by HTTP.
    pub(crate) async fn addresses(&self) -> (SocketAddr, SocketAddr) {
        until("it listens", async || {
            let text = std::fs::read_to_string(self.dir.path().join("addresses")).ok()?;
            let addresses: serde_json::Value = serde_json::from_str(&text).expect("JSON");
            let address = |key: &str| addresses[key].as_str().and_then(|text| text.parse().ok());
            Some((address("grpc")?, address("http")?))
        })
        .await
    }

    /// A connection to the gRPC port.
    pub(crate) async fn channel(&self) -> Channel {
        let (grpc, _http) = self.addresses().await;
        let endpoint = Endpoint::from_shared(format!("http://{grpc}")).expect("a URL");
        endpoint.connect().await.expect("it answers")
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it runs");
    }

    /// Waits until its log has these words.
    pub(crate) async fn says(&self, words: &str) {
        until(words, async || {
            let log = std::fs::read_to_string(self.dir.path().join("log")).ok()?;
            log.contains(words).then_some(())
        })
        .await;
    }

    /// Has it end, and says whether it ended well.
    pub(crate) async fn stop(mut self) -> bool {
        self.signal(Signal::TERM);
        until("it ends", async || {
            self.child.try_wait().expect("a child of ours")
        })
        .await
        .success()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // One that has ended is left alone.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// What comes about in time.
pub(crate) async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let looking = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    let found = tokio::time::timeout(PATIENCE, looking).await;
    found.unwrap_or_else(|_late| panic!("not in time: {what}"))
}

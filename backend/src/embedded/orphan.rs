//! A server that outlived its backend.

use std::{
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use rustix::process::{Pid, Signal, kill_process};
use tokio::time::{Instant, sleep};

use super::{EmbeddedError, POLL, STOP, at};

/// Stops a server that outlived its backend; takes a pid file away that belongs to nobody.
pub(super) async fn stop(dir: &Path) -> Result<(), EmbeddedError> {
    let data = dir.join("data");
    let pid_file = data.join("postmaster.pid");
    let text = match fs::read_to_string(&pid_file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(at(&pid_file)(error)),
    };
    let pid = text
        .lines()
        .next()
        .and_then(|line| line.trim().parse().ok())
        .and_then(Pid::from_raw);
    let Some(pid) = pid.filter(|pid| serves(*pid, &data)) else {
        // Another process has that number by now. PostgreSQL would take it for a server and refuse to start.
        return fs::remove_file(&pid_file).map_err(at(&pid_file));
    };
    tracing::warn!(%pid, "stopping a PostgreSQL that outlived its backend");
    for signal in [Signal::INT, Signal::QUIT, Signal::KILL] {
        // It may have ended this very moment.
        kill_process(pid, signal).ok();
        let deadline = Instant::now() + STOP;
        while Instant::now() < deadline {
            if !serves(pid, &data) {
                return Ok(());
            }
            sleep(POLL).await;
        }
    }
    Err(EmbeddedError::Failed {
        program: "postgres",
        output: format!("process {pid} does not end"),
    })
}

/// Whether a process is the server of this cluster: PostgreSQL's working directory is its data directory.
fn serves(pid: Pid, data: &Path) -> bool {
    let process = PathBuf::from(format!("/proc/{}", pid.as_raw_nonzero()));
    let same = |a: fs::Metadata, b: fs::Metadata| (a.dev(), a.ino()) == (b.dev(), b.ino());
    match (fs::metadata(process.join("cwd")), fs::metadata(data)) {
        (Ok(cwd), Ok(data)) => same(cwd, data),
        _ => false,
    }
}

//! Has a process read debug files, one at a time.

use std::{
    io,
    path::PathBuf,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use tokio::{io::AsyncWriteExt as _, process::Command, sync::Semaphore, time::timeout};

use super::worker::Task;

/// How long one may take: on a busy machine it waits for its processor time.
const PATIENCE: Duration = Duration::from_mins(5);
/// The hidden command of `backend`.
const COMMAND: &str = "read-symbols";
/// Bytes of what it says is wrong that are passed on.
const REASON_BYTES: usize = 512;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// It could not be started or talked to.
    #[error("the process that reads debug files cannot be used ({})", program.display())]
    Process {
        /// The program.
        program: PathBuf,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// The task could not be written down.
    #[error("the question cannot be asked")]
    Task(#[source] serde_json::Error),
    /// What it said is wrong with the file.
    #[error("{0}")]
    File(String),
    /// It ended without an answer, or with one that is none: the file takes too much memory or time.
    #[error(
        "the process that reads debug files ended without an answer ({0}): the file takes too much memory or time"
    )]
    Ended(ExitStatus),
    /// What it said is no answer.
    #[error("the process that reads debug files answered what is not understood")]
    Answer(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It took too long.
    #[error("the debug files were not read within {} s", PATIENCE.as_secs())]
    Slow,
}

/// Asks. One process at a time: each may take much memory.
#[derive(Debug)]
pub(super) struct Asker {
    program: PathBuf,
    turn: Semaphore,
}

impl Asker {
    pub(super) fn new(program: PathBuf) -> Self {
        Self {
            program,
            turn: Semaphore::new(1),
        }
    }

    /// What a process answers to `task`.
    pub(super) async fn ask(&self, task: &Task) -> Result<Vec<u8>, AskError> {
        let task = serde_json::to_vec(task).map_err(AskError::Task)?;
        // Invariant: the semaphore is never closed, so a permit always comes.
        let _turn = self.turn.acquire().await;
        timeout(PATIENCE, self.answer(&task))
            .await
            .map_err(|_elapsed| AskError::Slow)?
    }

    /// The process is killed when the future is dropped.
    async fn answer(&self, task: &[u8]) -> Result<Vec<u8>, AskError> {
        let failed = |source| AskError::Process {
            program: self.program.clone(),
            source,
        };
        let mut child = Command::new(&self.program)
            .arg(COMMAND)
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(failed)?;
        if let Some(mut input) = child.stdin.take() {
            // One that ended early says why.
            input.write_all(task).await.ok();
        }
        let output = child.wait_with_output().await.map_err(failed)?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        let said = String::from_utf8_lossy(&output.stderr);
        match said.trim() {
            "" => Err(AskError::Ended(output.status)),
            _ if output.status.code() != Some(1) => Err(AskError::Ended(output.status)),
            said => Err(AskError::File(wire::text::cut(said, REASON_BYTES).to_owned())),
        }
    }
}

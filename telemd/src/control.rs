//! The socket that `telemctl` asks: one word a connection, answered by a line of JSON, or metrics.

use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream as BlockingStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::listener::{BindError, Listener};
use crate::metrics;
use crate::settings::Reloaded;
use crate::ship::message::Waiting;
use crate::status::Status;

/// Only the agent's own user may ask.
const MODE: u32 = 0o600;
/// Connections at the same time.
const CONNECTIONS: usize = 8;
/// How long a connection may take: opting out waits for a disk.
const CONNECTION_TIME: Duration = Duration::from_secs(20);
/// Longest question, bytes.
const QUESTION_BYTES: u64 = 64;
/// Longest answer that a client reads, bytes.
const ANSWER_BYTES: u64 = 1 << 20;

/// What can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// How it goes.
    Status,
    /// Look at the opt-in file now, and answer when that has taken effect.
    Consent,
    /// Read the configuration again, and answer when that has taken effect.
    Reload,
    /// How it goes, in the text format of Prometheus.
    Metrics,
    /// Close the windows of storm control and ship what waits now.
    Flush,
    /// The message that would leave with this sequence; 0 is the greeting.
    Waiting(u64),
}

impl Question {
    fn words(self) -> String {
        match self {
            Self::Status => "status".to_owned(),
            Self::Consent => "consent".to_owned(),
            Self::Reload => "reload".to_owned(),
            Self::Flush => "flush".to_owned(),
            Self::Metrics => "metrics".to_owned(),
            Self::Waiting(seq) => format!("waiting {seq}"),
        }
    }

    fn of_words(words: &str) -> Option<Self> {
        Some(match words {
            "status" => Self::Status,
            "consent" => Self::Consent,
            "reload" => Self::Reload,
            "flush" => Self::Flush,
            "metrics" => Self::Metrics,
            words => Self::Waiting(words.strip_prefix("waiting ")?.parse().ok()?),
        })
    }
}

/// What the agent answers.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// To all other questions.
    Status(Box<Status>),
    /// To [`Question::Reload`].
    Reloaded(Reloaded),
    /// To [`Question::Waiting`].
    Waiting(Waiting),
}

/// A question that waits for the agent's answer.
pub type Asked = (Question, oneshot::Sender<Answer>);

/// The socket, not served yet.
#[derive(Debug)]
pub struct Control {
    listener: Listener,
    asked: mpsc::Sender<Asked>,
}

impl Control {
    /// Listens on `path`. Questions arrive in the channel.
    pub fn bind(path: &Path) -> Result<(Self, mpsc::Receiver<Asked>), BindError> {
        let (asked, questions) = mpsc::channel(CONNECTIONS);
        let listener = Listener::bind(path, MODE)?;
        Ok((Self { listener, asked }, questions))
    }

    /// Whether the socket's folder was made for it.
    pub fn made_folder(&self) -> bool {
        self.listener.made_folder()
    }

    /// Where questions of this process go in.
    pub fn asker(&self) -> mpsc::Sender<Asked> {
        self.asked.clone()
    }

    /// Serves until `stop`.
    pub async fn serve(self, stop: CancellationToken) {
        let Self { listener, asked } = self;
        let talk = move |stream| talk(stream, asked.clone());
        listener.serve(CONNECTIONS, CONNECTION_TIME, stop, talk).await;
    }
}

async fn talk(mut stream: UnixStream, asked: mpsc::Sender<Asked>) {
    let mut word = String::new();
    let read = (&mut stream).take(QUESTION_BYTES).read_to_string(&mut word).await;
    let answer = match (read, Question::of_words(word.trim())) {
        (Ok(0), _) => return,
        (Ok(_), Some(question)) => {
            let (reply, answer) = oneshot::channel();
            if asked.send((question, reply)).await.is_err() {
                return;
            }
            match answer.await {
                Ok(Answer::Status(status)) if question == Question::Metrics => metrics::text(&status),
                Ok(answer) => format!("{}\n", serde_json::to_string(&answer).unwrap_or_default()),
                Err(_stopping) => return,
            }
        }
        _ => "{\"error\":\"the questions are: status, metrics, consent, reload, flush, waiting SEQUENCE\"}\n"
            .to_owned(),
    };
    if let Err(error) = stream.write_all(answer.as_bytes()).await {
        tracing::debug!(%error, "a question on the control socket was not waited for");
    }
}

/// Why the agent did not answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// Nobody listens.
    #[error("telemd is not running (nobody listens on {})", path.display())]
    NotRunning {
        /// The control socket.
        path: PathBuf,
    },
    /// The user may not ask.
    #[error("{} may only be used by telemd's own user: run this as root", path.display())]
    Permission {
        /// The control socket.
        path: PathBuf,
    },
    /// The connection broke, or the answer took too long.
    #[error("telemd does not answer on {}", path.display())]
    Io {
        /// The control socket.
        path: PathBuf,
        /// What went wrong.
        #[source]
        source: io::Error,
    },
    /// The answer is not understood.
    #[error("telemd's answer on {} is not understood: are telemctl and telemd of one version?", path.display())]
    Answer {
        /// The control socket.
        path: PathBuf,
        /// What went wrong.
        #[source]
        source: serde_json::Error,
    },
}

/// Asks the agent that listens on `path`.
pub fn ask(path: &Path, question: Question) -> Result<Status, AskError> {
    ask_for(path, question)
}

/// Has the agent that listens on `path` read its configuration again.
pub fn reload(path: &Path) -> Result<Reloaded, AskError> {
    ask_for(path, Question::Reload)
}

/// How the agent that listens on `path` is, in the text format of Prometheus.
pub fn metrics(path: &Path) -> Result<String, AskError> {
    ask_text(path, Question::Metrics)
}

/// What waits to leave the host of the agent that listens on `path`, from a sequence on; 0 is the greeting.
pub fn waiting(path: &Path, from_seq: u64) -> Result<Waiting, AskError> {
    ask_for(path, Question::Waiting(from_seq))
}

fn ask_for<T: DeserializeOwned>(path: &Path, question: Question) -> Result<T, AskError> {
    let answer = ask_text(path, question)?;
    serde_json::from_str(&answer).map_err(|source| AskError::Answer {
        path: path.to_owned(),
        source,
    })
}

fn ask_text(path: &Path, question: Question) -> Result<String, AskError> {
    exchange(path, question).map_err(|source| {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => AskError::NotRunning { path },
            io::ErrorKind::PermissionDenied => AskError::Permission { path },
            _ => AskError::Io { path, source },
        }
    })
}

fn exchange(path: &Path, question: Question) -> io::Result<String> {
    let mut stream = BlockingStream::connect(path)?;
    stream.set_read_timeout(Some(CONNECTION_TIME))?;
    stream.set_write_timeout(Some(CONNECTION_TIME))?;
    stream.write_all(question.words().as_bytes())?;
    stream.shutdown(std::net::Shutdown::Write)?;
    let mut answer = String::new();
    stream.take(ANSWER_BYTES).read_to_string(&mut answer)?;
    if answer.is_empty() {
        // It had no time for this one, or stops.
        return Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "it closed the connection without an answer",
        ));
    }
    Ok(answer)
}

//! The socket that programs send records to: one frame a connection, answered by one line.
//!
//! `ok SEQ` says that the record is durable; `counted: …` that storm control only counted it; `error: …` that it is not
//! kept, and why. Clear Linux's clients send and close without reading; they work as before.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::clock::Moment;
use crate::consent::Consent;
use crate::frame::{self, Frame, FrameError};
use crate::listener::Listener;
use crate::recorder::{Kept, Recorder};
use crate::text::chain;

/// Programs of any user may send.
pub const MODE: u32 = 0o666;
/// Connections at the same time; their frames take at most a mebibyte. More wait in the kernel's queue.
const CONNECTIONS: usize = 64;
/// How long a frame may take to arrive; clients write it at once.
const FRAME_TIME: Duration = Duration::from_secs(5);
/// How long a connection may take in all: a frame, a slow disk, the answer.
const CONNECTION_TIME: Duration = Duration::from_secs(30);
/// How long a record waits for a session that is just being started.
const SESSION_TIME: Duration = Duration::from_secs(10);

/// Tells connections who takes their records in; `None` while nobody does.
pub type Session = watch::Receiver<Option<Arc<Recorder>>>;

/// The socket, not served yet.
#[derive(Debug)]
pub struct Socket {
    listener: Listener,
    consent: Consent,
    session: Session,
}

/// Why a connection's record is not kept.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    /// The connection was closed without a byte: a program that looks whether somebody listens.
    #[error("nothing was sent")]
    Nothing,
    #[error("no whole frame within {} s", FRAME_TIME.as_secs())]
    Slow,
    #[error("the frame ends early")]
    Short,
    #[error("{0}")]
    Frame(#[from] FrameError),
    #[error("this host has not opted in: `telemctl opt-in` does")]
    NoConsent,
    #[error("telemd is starting or stopping: try again")]
    NoSession,
    #[error("{0}")]
    Keep(String),
}

impl Refusal {
    /// Whether the sender broke the rules, which counts as a loss.
    fn is_senders_fault(&self) -> bool {
        matches!(self, Self::Slow | Self::Short | Self::Frame(_))
    }
}

impl Socket {
    /// Takes records in on `listener`, whose mode is [`MODE`].
    pub fn new(listener: Listener, consent: Consent, session: Session) -> Self {
        Self {
            listener,
            consent,
            session,
        }
    }

    /// Serves until `stop`.
    pub async fn serve(self, stop: CancellationToken) {
        let Self {
            listener,
            consent,
            session,
        } = self;
        let talk = move |stream| talk(stream, consent.clone(), session.clone());
        listener.serve(CONNECTIONS, CONNECTION_TIME, stop, talk).await;
    }
}

async fn talk(mut stream: UnixStream, consent: Consent, mut session: Session) {
    let answer = match receive(&mut stream, &consent, &mut session).await {
        Ok(Kept::Seq(seq)) => format!("ok {seq}\n"),
        Ok(Kept::Counted) => {
            "counted: storm control keeps the first of a kind and the number of the rest\n".to_owned()
        }
        Err(Refusal::Nothing) => return,
        Err(refusal) => {
            tracing::debug!(error = %refusal, "a record was refused on the local socket");
            format!("error: {refusal}\n")
        }
    };
    // Clients that do not read have closed already.
    if let Err(error) = stream.write_all(answer.as_bytes()).await {
        tracing::trace!(%error, "the sender did not wait for its answer");
    }
}

async fn receive(stream: &mut UnixStream, consent: &Consent, session: &mut Session) -> Result<Kept, Refusal> {
    let frame = tokio::time::timeout(FRAME_TIME, read_frame(stream)).await;
    let frame = frame.unwrap_or(Err(Refusal::Slow));
    if let Err(refusal) = &frame
        && refusal.is_senders_fault()
        && let Some(recorder) = &*session.borrow()
    {
        recorder.reject();
    }
    let frame = frame?;
    if !consent.given() {
        return Err(Refusal::NoConsent);
    }
    let recorder = recorder(session).await.ok_or(Refusal::NoSession)?;
    let now = Moment::now();
    let record = recorder.boot().custom(frame, now);
    let kept = recorder.keep(record, now).await;
    kept.map_err(|error| Refusal::Keep(chain(&error)))
}

/// Who takes records in, once a session that is just being started does.
async fn recorder(session: &mut Session) -> Option<Arc<Recorder>> {
    let started = tokio::time::timeout(SESSION_TIME, session.wait_for(Option::is_some)).await;
    let recorder = started.ok()?.ok()?;
    recorder.as_ref().map(Arc::clone)
}

async fn read_frame(stream: &mut UnixStream) -> Result<Frame, Refusal> {
    let mut first = [0; 4];
    let mut have = 0;
    while have < first.len() {
        match stream.read(&mut first[have..]).await {
            Ok(0) if have == 0 => return Err(Refusal::Nothing),
            Ok(0) => return Err(Refusal::Short),
            Ok(more) => have += more,
            Err(error) => return Err(ended(&error, have)),
        }
    }
    // At least 13, at most `FRAME_BYTES`.
    let mut body = vec![0; frame::size(first)? - first.len()];
    match stream.read_exact(&mut body).await {
        Ok(_) => Ok(frame::parse(&body)?),
        Err(error) => Err(ended(&error, first.len())),
    }
}

fn ended(error: &io::Error, have: usize) -> Refusal {
    tracing::trace!(%error, "a connection on the local socket broke");
    if have == 0 {
        Refusal::Nothing
    } else {
        Refusal::Short
    }
}

//! The socket that programs send records to: one record a connection, answered in the language that it came in.
//!
//! `crates/local` describes both. In Clear Linux's, `ok SEQ` says that the record is durable; `counted: …` that storm
//! control only counted it; `error: …` that it is not kept, and why. Its clients send and close without reading; they
//! work as before.
//!
//! The kernel says who sends (`SO_PEERCRED`). Each user has a quota of records and bytes and a part of the connections;
//! root and telemd's own user, who could fill the disk anyway, have no quota.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::UnixStream;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::bucket::Exceeded;
use crate::clock::Moment;
use crate::config::Quota;
use crate::consent::Consent;
use crate::listener::Listener;
use crate::process;
use crate::record::Sender;
use crate::recorder::{Kept, Recorder};

mod quota;
mod talk;

use quota::{Guests, Quotas};
use talk::{Language, Refusal, Sent};

/// Programs of any user may send.
pub const MODE: u32 = 0o666;
/// Connections at the same time; their records take about 9 MiB at most. More wait in the kernel's queue.
const CONNECTIONS: usize = 64;
/// How long a record may take to arrive; clients write it at once.
const FRAME_TIME: Duration = Duration::from_secs(5);
/// How long it may take when its user has too many connections: enough to be told so.
const EXCESS_TIME: Duration = Duration::from_millis(500);
/// How long a connection may take in all: a record, a slow disk, the answer.
const CONNECTION_TIME: Duration = Duration::from_secs(30);
/// How long a record waits for a session that is just being started: half of what `libtelemetry` waits for an answer, so that
/// it hears of it and tries again.
const SESSION_TIME: Duration = Duration::from_secs(5);
/// Who a peer is that the kernel does not tell; the kernel's own word for users it cannot name (`fs.overflowuid`).
const NOBODY: u32 = 65_534;

/// Tells connections who takes their records in; `None` while nobody does.
pub type Session = watch::Receiver<Option<Arc<Recorder>>>;

/// The socket, not served yet.
#[derive(Debug)]
pub struct Socket {
    listener: Listener,
    door: Arc<Door>,
    session: Session,
}

impl Socket {
    /// Takes records in on `listener`, whose mode is [`MODE`].
    pub fn new(listener: Listener, quota: Quota, consent: Consent, session: Session) -> Self {
        let door = Door {
            consent,
            quotas: Mutex::new(Quotas::new(quota)),
            guests: Mutex::default(),
        };
        Self {
            listener,
            door: Arc::new(door),
            session,
        }
    }

    /// Who may come in, for whoever changes that.
    pub fn door(&self) -> Arc<Door> {
        Arc::clone(&self.door)
    }

    /// Serves until `stop`.
    pub async fn serve(self, stop: CancellationToken) {
        let Self {
            listener,
            door,
            session,
        } = self;
        let talk = move |stream| talk(stream, Arc::clone(&door), session.clone());
        listener.serve(CONNECTIONS, CONNECTION_TIME, stop, talk).await;
    }
}

async fn talk(mut stream: UnixStream, door: Arc<Door>, mut session: Session) {
    let guest = Guest::new(&door, &stream);
    let mut language = Language::Legacy;
    let outcome = match guest.receive(&mut stream, &mut language).await {
        Ok(sent) => guest.keep(sent, &mut session).await,
        Err(refusal) => Err(refusal),
    };
    if let Err(refusal) = &outcome {
        if matches!(refusal, Refusal::Nothing) {
            return;
        }
        account(refusal, &session);
        tracing::debug!(error = %refusal, "a record was refused on the local socket");
    }
    // Clients that do not read have closed already.
    if let Err(error) = stream.write_all(&language.answer(&outcome)).await {
        tracing::trace!(%error, "the sender did not wait for its answer");
    }
}

/// Counts a refused record as lost, when consent says that it would have been kept.
fn account(refusal: &Refusal, session: &Session) {
    if let Some(recorder) = &*session.borrow() {
        match refusal {
            Refusal::Quota { .. } | Refusal::Connections(_) => recorder.limit(),
            refusal if refusal.is_senders_fault() => recorder.reject(),
            // No record was due, or the keeper has counted it.
            _ => {}
        }
    }
}

/// Who may come in.
#[derive(Debug)]
pub struct Door {
    consent: Consent,
    quotas: Mutex<Quotas>,
    guests: Mutex<Guests>,
}

impl Door {
    /// Gives every user another quota, full at first.
    pub fn set_quota(&self, quota: Quota) {
        *lock(&self.quotas) = Quotas::new(quota);
    }
}

/// A connection, and what the kernel says about its peer.
#[derive(Debug)]
struct Guest<'a> {
    door: &'a Door,
    uid: Option<u32>,
    pid: u32,
    /// Whether its user has no more connections than one may.
    welcome: bool,
}

impl<'a> Guest<'a> {
    fn new(door: &'a Door, stream: &UnixStream) -> Self {
        let peer = stream.peer_cred().ok();
        let uid = peer.map(|peer| peer.uid());
        let pid = peer.and_then(|peer| peer.pid()).unwrap_or(0);
        Self {
            door,
            uid,
            pid: u32::try_from(pid).unwrap_or(0),
            welcome: lock(&door.guests).come(uid.unwrap_or(NOBODY)),
        }
    }

    /// Reads the record, if its sender may send one.
    async fn receive(&self, stream: &mut UnixStream, language: &mut Language) -> Result<Sent, Refusal> {
        let limit = if self.welcome { FRAME_TIME } else { EXCESS_TIME };
        let sent = talk::read(stream, language, limit).await;
        if !self.welcome && !matches!(sent, Err(Refusal::Nothing)) {
            return Err(Refusal::Connections(self.user()));
        }
        let sent = sent?;
        if sent.names_config && self.user() != 0 {
            return Err(Refusal::Config);
        }
        if sent.submission.core_dump.is_some() && !self.is_trusted() {
            return Err(Refusal::CoreDump);
        }
        if !self.door.consent.given() {
            return Err(Refusal::NoConsent);
        }
        Ok(sent)
    }

    /// Keeps the record, if its user's quota has room for it.
    async fn keep(&self, sent: Sent, session: &mut Session) -> Result<Kept, Refusal> {
        let recorder = recorder(session).await.ok_or(Refusal::NoSession)?;
        let now = Moment::now();
        let Sent {
            mut submission,
            bytes,
            ..
        } = sent;
        let record = match submission.core_dump.take() {
            Some(dump) => {
                let record = recorder.boot().core_dump(dump, now);
                match recorder.crashes().dump(record, now.since_boot_ns) {
                    Some(record) => record,
                    None => return Ok(Kept::Counted),
                }
            }
            None => recorder.boot().custom(submission, &self.sender(), now),
        };
        if !recorder.allows(&record) {
            return Err(Refusal::Unwanted);
        }
        if !self.is_trusted() {
            let uid = self.user();
            let taken = lock(&self.door.quotas).take(uid, bytes, now.since_boot_ms());
            taken.map_err(|Exceeded { retry_s }| Refusal::Quota { uid, retry_s })?;
        }
        Ok(recorder.keep(record, now).await?)
    }

    fn sender(&self) -> Sender {
        Sender {
            uid: self.uid,
            pid: self.pid,
            comm: process::name(Path::new("/proc"), self.pid).unwrap_or_default(),
        }
    }

    /// Whether it is root or telemd's own user.
    fn is_trusted(&self) -> bool {
        let uid = self.user();
        uid == 0 || uid == rustix::process::geteuid().as_raw()
    }

    fn user(&self) -> u32 {
        self.uid.unwrap_or(NOBODY)
    }
}

impl Drop for Guest<'_> {
    fn drop(&mut self) {
        lock(&self.door.guests).go(self.user());
    }
}

/// Who takes records in, once a session that is just being started does.
async fn recorder(session: &mut Session) -> Option<Arc<Recorder>> {
    let started = tokio::time::timeout(SESSION_TIME, session.wait_for(Option::is_some)).await;
    let recorder = started.ok()?.ok()?;
    recorder.as_ref().map(Arc::clone)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Each change is one call.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

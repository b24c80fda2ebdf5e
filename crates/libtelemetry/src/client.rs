//! The way to the agent: a connection a record, in the language that is answered.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use local::framed::{self, FramedError, LENGTH_BYTES};
use local::rules::ValueError;
use local::{Outcome, RefusalReason, Submission};
use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType};

use crate::{Places, PlacesError, Record};

#[cfg(test)]
mod tests;

/// How long the agent may take to answer when nobody says otherwise: longer than a disk that is busy, not so long that a
/// daemon misses its own deadlines.
const ANSWER_TIME: Duration = Duration::from_secs(10);
/// First pause before a record is sent again to an agent that is starting or stopping; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// Longest pause: an agent is hardly ever away for longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Sends records to one agent. Any number of threads may use it at the same time.
#[derive(Debug, Clone)]
pub struct Client {
    places: Places,
    answer_time: Duration,
    /// How long the pauses are in all between sending a record again.
    retry_time: Duration,
}

/// What became of a record that was not refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// It is on this host's disk, and will be delivered, under this sequence.
    Durable(u64),
    /// Storm control counted it: the agent has enough of its kind.
    Counted,
}

/// Why a record was not kept, or why that is not known.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// This host has not opted in. Nothing was sent.
    #[error("this host has not opted in: `telemctl opt-in` agrees that records of it are kept and shipped")]
    NotOptedIn,
    /// A value of the record is out of its range. Nothing was sent.
    #[error(transparent)]
    Value(#[from] ValueError),
    /// Nobody listens. Nothing was sent.
    #[error("cannot connect to telemd at {}", path.display())]
    Connect {
        /// The agent's socket.
        path: PathBuf,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// The connection broke, or the agent did not answer in time: the record may be kept or not.
    #[error("telemd did not answer: the record may be kept or not")]
    Answer(#[source] io::Error),
    /// The answer is not one of this protocol: the record may be kept or not.
    #[error("telemd's answer is not understood: it and this library may be of different versions")]
    Foreign(#[source] FramedError),
    /// The agent did not keep it.
    #[error("{message}")]
    Refused {
        /// Why, for programs.
        reason: RefusalReason,
        /// Why, for people.
        message: String,
    },
}

impl Client {
    /// A client of this host's agent.
    pub fn new() -> Result<Self, PlacesError> {
        Ok(Self::of_places(Places::of_host()?))
    }

    /// A client of the agent that has this configuration file.
    pub fn of_file(path: &Path) -> Result<Self, PlacesError> {
        Ok(Self::of_places(Places::of_file(path)?))
    }

    /// A client of the agent at these places.
    pub fn of_places(places: Places) -> Self {
        Self {
            places,
            answer_time: ANSWER_TIME,
            retry_time: ANSWER_TIME,
        }
    }

    /// Sets how long connecting, sending and waiting for the answer may take each, and how long the pauses are in all
    /// before a record is sent again to an agent that is starting or stopping; 10 s when it is not set.
    #[must_use]
    pub fn answer_time(mut self, time: Duration) -> Self {
        self.answer_time = time;
        self.retry_time = time;
        self
    }

    /// Whether this host takes part: records of hosts that don't are not sent. A file that cannot be looked at counts as
    /// missing.
    pub fn is_opted_in(&self) -> bool {
        self.places.opt_in_file.exists()
    }

    /// Sends a record, and returns when the agent has said what became of it. One that is starting or stopping says that it
    /// has not kept the record: it is sent again, so nothing is lost or doubled while an agent is exchanged.
    pub fn send(&self, record: &Record) -> Result<Kept, SendError> {
        self.submit(record.submission())
    }

    /// Sends what the agent's own programs say to it in another form than a [`Record`], as [`Client::send`] does.
    pub fn submit(&self, submission: &Submission) -> Result<Kept, SendError> {
        let bytes = framed::write_submission(submission)?;
        let mut left = self.retry_time;
        let mut pause = FIRST_PAUSE;
        loop {
            if !self.is_opted_in() {
                return Err(SendError::NotOptedIn);
            }
            let outcome = self.send_once(&bytes);
            let unavailable = matches!(
                &outcome,
                Err(SendError::Refused { reason, .. }) if *reason == RefusalReason::Unavailable
            );
            if !unavailable || left.is_zero() {
                return outcome;
            }
            let wait = pause.min(left);
            std::thread::sleep(wait);
            left -= wait;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn send_once(&self, bytes: &[u8]) -> Result<Kept, SendError> {
        let stream = self.connect().map_err(|errno| SendError::Connect {
            path: self.places.socket_path.clone(),
            source: errno.into(),
        })?;
        // An agent that refuses may close before it has taken everything: its answer counts.
        let sent = send_all(&stream, bytes);
        match receive(&stream) {
            Err(SendError::Answer(error)) => {
                Err(SendError::Answer(sent.err().map_or(error, io::Error::from)))
            }
            answer => answer,
        }
    }

    fn connect(&self) -> rustix::io::Result<OwnedFd> {
        let address = SocketAddrUnix::new(self.places.socket_path.as_path())?;
        let stream = rustix::net::socket_with(
            AddressFamily::UNIX,
            SocketType::STREAM,
            SocketFlags::CLOEXEC,
            None,
        )?;
        // The first also bounds how long connecting may wait for room in the agent's queue (unix(7)).
        set_socket_timeout(&stream, Timeout::Send, Some(self.answer_time))?;
        set_socket_timeout(&stream, Timeout::Recv, Some(self.answer_time))?;
        rustix::io::retry_on_intr(|| rustix::net::connect(&stream, &address))?;
        Ok(stream)
    }
}

fn send_all(stream: &OwnedFd, mut bytes: &[u8]) -> rustix::io::Result<()> {
    while !bytes.is_empty() {
        // A C program that does not ignore SIGPIPE must not die of it.
        let sent = rustix::io::retry_on_intr(|| rustix::net::send(stream, bytes, SendFlags::NOSIGNAL));
        bytes = bytes.get(sent.map_err(in_time)?..).unwrap_or_default();
    }
    Ok(())
}

fn receive(stream: &OwnedFd) -> Result<Kept, SendError> {
    let mut length = [0; LENGTH_BYTES];
    receive_all(stream, &mut length).map_err(|errno| SendError::Answer(errno.into()))?;
    let mut body = vec![0; framed::receipt_bytes(length).map_err(SendError::Foreign)?];
    receive_all(stream, &mut body).map_err(|errno| SendError::Answer(errno.into()))?;
    match framed::read_receipt(&body).map_err(SendError::Foreign)?.outcome {
        Some(Outcome::KeptSeq(seq)) => Ok(Kept::Durable(seq)),
        Some(Outcome::Counted(_)) => Ok(Kept::Counted),
        Some(Outcome::Refused(refused)) => Err(SendError::Refused {
            reason: refused.reason(),
            message: refused.message,
        }),
        None => Err(SendError::Foreign(FramedError::NoOutcome)),
    }
}

fn receive_all(stream: &OwnedFd, mut buffer: &mut [u8]) -> rustix::io::Result<()> {
    while !buffer.is_empty() {
        let received =
            rustix::io::retry_on_intr(|| rustix::net::recv(stream, &mut *buffer, RecvFlags::empty()));
        match received.map_err(in_time)?.0 {
            0 => return Err(Errno::CONNRESET),
            bytes => buffer = buffer.get_mut(bytes..).unwrap_or_default(),
        }
    }
    Ok(())
}

/// A time limit of a socket that has passed is told as EAGAIN (socket(7)).
fn in_time(errno: Errno) -> Errno {
    if errno == Errno::AGAIN {
        Errno::TIMEDOUT
    } else {
        errno
    }
}

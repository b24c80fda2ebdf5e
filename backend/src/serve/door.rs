//! The door of a TCP port: who comes in, and how many.
//!
//! A connection takes a descriptor, and descriptors end. Each port has room for a part of them, so that whoever fills the one of
//! pages keeps no agent out, and the database and files have theirs. A connection for which there is no room is closed at once.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use crate::metrics::Metrics;

/// Descriptors that are not for connections but for the database, for files and for what is listened on.
const OWN: usize = 128;
/// Connections that there is room for in any case.
const LEAST: usize = 64;
/// Connections to pages and REST, of which one browser has six, at most.
const MOST_HTTP: usize = 4096;
/// Connections altogether, at most: each takes some memory, too.
const MOST: usize = 1 << 20;
/// How long nothing is accepted after that failed: descriptors may have run out all the same.
const PAUSE: Duration = Duration::from_millis(100);
/// How often it is said that somebody was not let in; the metrics count them all.
const TELL: Duration = Duration::from_mins(1);

/// How many connections each port has room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Room {
    pub(super) grpc: usize,
    pub(super) http: usize,
}

impl Room {
    /// Raises the limit of descriptors as far as this program may, and divides what there is.
    pub(super) fn make() -> Self {
        let limit = getrlimit(Resource::Nofile);
        let raised = Rlimit {
            current: limit.maximum,
            ..limit
        };
        if let Err(error) = setrlimit(Resource::Nofile, raised) {
            tracing::warn!(%error, "the limit of descriptors could not be raised");
        }
        let descriptors = getrlimit(Resource::Nofile).current;
        Self::of(descriptors.map_or(MOST, |most| usize::try_from(most).unwrap_or(MOST)))
    }

    fn of(descriptors: usize) -> Self {
        let all = descriptors.saturating_sub(OWN).clamp(LEAST, MOST);
        let http = MOST_HTTP.min(all / 4);
        Self {
            grpc: all - http,
            http,
        }
    }
}

/// A listener, and the room behind it.
#[derive(Debug)]
pub(super) struct Door {
    listener: TcpListener,
    port: &'static str,
    room: Arc<Semaphore>,
    metrics: Metrics,
    shutdown: CancellationToken,
    told: Option<Instant>,
}

/// A connection that was let in.
#[derive(Debug)]
pub(super) struct Entered {
    pub(super) stream: TcpStream,
    pub(super) address: SocketAddr,
    /// Its place in the room, until this is dropped.
    pub(super) place: OwnedSemaphorePermit,
}

impl Door {
    /// Before so many places; `port` is its name in metrics.
    pub(super) fn new(
        listener: TcpListener,
        port: &'static str,
        places: usize,
        metrics: &Metrics,
        shutdown: &CancellationToken,
    ) -> Self {
        Self {
            listener,
            port,
            room: Arc::new(Semaphore::new(places)),
            metrics: metrics.clone(),
            shutdown: shutdown.clone(),
            told: None,
        }
    }

    /// The next connection that there is room for; `None`: it is time to end.
    pub(super) async fn next(&mut self) -> Option<Entered> {
        loop {
            let accepted = self.shutdown.run_until_cancelled(self.listener.accept()).await?;
            match accepted {
                Ok((stream, address)) => match Arc::clone(&self.room).try_acquire_owned() {
                    Ok(place) => {
                        return Some(Entered {
                            stream,
                            address,
                            place,
                        });
                    }
                    Err(_full) => {
                        self.metrics.turned_away(self.port);
                        self.tell("there is no room for more connections");
                    }
                },
                Err(error) if is_of_the_client(&error) => {}
                Err(error) => {
                    self.tell(&format!("connections cannot be accepted: {error}"));
                    self.shutdown.run_until_cancelled(sleep(PAUSE)).await?;
                }
            }
        }
    }

    fn tell(&mut self, reason: &str) {
        if self.told.is_none_or(|told| told.elapsed() >= TELL) {
            self.told = Some(Instant::now());
            tracing::warn!(port = self.port, reason, "clients are not let in");
        }
    }
}

/// Whether the client was gone before it was accepted.
fn is_of_the_client(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionReset
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agents_have_most_of_the_room_and_pages_a_bounded_part() {
        let room = |descriptors| {
            let Room { grpc, http } = Room::of(descriptors);
            (grpc, http)
        };
        assert_eq!(room(1024), (672, 224));
        assert_eq!(room(65_536), (61_312, 4096));
        assert_eq!(room(0), (48, 16));
        assert_eq!(room(usize::MAX), (MOST - MOST_HTTP, MOST_HTTP));
    }
}

//! Shipping: what is durable in the spool goes to the collector, in order, until it is acknowledged.
//!
//! One stream at a time. It begins with a Hello; the collector answers with the sequence up to which it has stored
//! everything, and shipping resumes behind that. Batches are read from the spool as they are sent, so an absent
//! collector costs no memory. Several are in flight, bounded by count and bytes; each answer frees what it covers, here
//! and in the spool.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use proto::v1::Hello;
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::clock::Moment;
use crate::journal::Journal;
use crate::keeper::{Handle, KeepError};
use crate::retry::{Backoff, Pauses, Recovery};
use crate::text::chain;

mod session;

/// How shipping behaves. The defaults are the agent's; tests shorten them.
#[derive(Debug, Clone)]
pub struct Options {
    /// Pauses between tries.
    pub pauses: Pauses,
    /// How long a connection may take to come up.
    pub connect: Duration,
    /// How long an answer may take: more than a collector needs to store eight batches while its database restarts.
    pub answer: Duration,
    /// How often an idle connection is checked: below the idle limit of common proxies and address translators.
    pub keepalive: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            pauses: Pauses::default(),
            connect: Duration::from_secs(10),
            answer: Duration::from_mins(1),
            keepalive: Duration::from_secs(30),
        }
    }
}

/// How the connection to the collector is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// What is going on.
    pub state: LinkState,
    /// Why the last try failed; empty when none did or one succeeded since.
    pub last_error: String,
    /// What somebody should do about it; empty when it passes by itself.
    pub advice: String,
    /// When the next try begins, milliseconds since the Unix epoch; 0 when none is planned.
    pub next_try_unix_ms: u64,
    /// Tries that failed in a row.
    pub failures: u32,
}

/// What the connection to the collector is doing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkState {
    /// Being made.
    #[default]
    Connecting,
    /// Up; records flow when there are any.
    Connected,
    /// Down; the next try waits.
    Waiting,
}

/// Why a stream ended.
#[derive(Debug, thiserror::Error)]
pub enum ShipError {
    /// The address is none.
    #[error("{url} is no address")]
    Url {
        /// The configured address.
        url: String,
        /// What is wrong.
        #[source]
        source: tonic::transport::Error,
    },
    /// No connection.
    #[error("no connection to {url}")]
    Connect {
        /// The configured address.
        url: String,
        /// What went wrong.
        #[source]
        source: tonic::transport::Error,
    },
    /// The collector ended the stream.
    #[error("the collector answered {:?}: {}", .0.code(), .0.message())]
    Status(Box<tonic::Status>),
    /// The collector closed the stream without a word.
    #[error("the collector closed the stream")]
    Closed,
    /// The collector did not answer in time.
    #[error("no answer from the collector in {} s", .0.as_secs())]
    Silent(Duration),
    /// The collector has stored what this spool never held.
    #[error("the collector has stored up to {stored}, but this spool only reaches {durable}")]
    Ahead {
        /// What the collector says.
        stored: u64,
        /// The last durable sequence.
        durable: u64,
    },
    /// The spool cannot be read.
    #[error("cannot read the spool")]
    Spool(#[from] KeepError),
}

impl ShipError {
    fn recovery(&self) -> Recovery {
        match self {
            Self::Status(status) => Recovery::of(status),
            Self::Url { .. } => Recovery::Fatal {
                advice: "correct collector.url in the configuration",
            },
            Self::Ahead { .. } => Recovery::Fatal {
                advice: "the state directory was copied from another host or restored from a backup: \
                         stop telemd, remove its spool and agent_id, start it again",
            },
            Self::Connect { .. } | Self::Closed | Self::Silent(_) | Self::Spool(_) => Recovery::Retry,
        }
    }
}

/// Ships until told to stop.
#[derive(Debug)]
pub struct Shipper {
    /// The collector's address.
    pub url: String,
    /// First message of every stream.
    pub hello: Hello,
    /// The spool.
    pub keeper: Handle,
    /// Where it is noted what was delivered; `None`: nowhere.
    pub journal: Option<Arc<Mutex<Journal>>>,
    /// How to behave.
    pub options: Options,
    /// Where the connection's state is told.
    pub link: watch::Sender<Link>,
    /// Cuts a pause short.
    pub kick: Arc<Notify>,
}

impl Shipper {
    /// Runs until `stop`; never gives up.
    pub async fn run(self, stop: CancellationToken) {
        let mut backoff = Backoff::new(self.options.pauses);
        let mut failures = 0u32;
        while !stop.is_cancelled() {
            self.link.send_modify(|link| {
                link.state = LinkState::Connecting;
                link.next_try_unix_ms = 0;
            });
            let started = Instant::now();
            let mut session = session::Session::new(&self);
            let Err(error) = session.run(&stop).await else {
                break;
            };
            if session.progressed() || started.elapsed() > self.options.pauses.longest {
                backoff.reset();
                failures = 0;
            }
            failures = failures.saturating_add(1);
            let recovery = error.recovery();
            let pause = backoff.next(recovery, fastrand::f64());
            self.tell(&error, recovery, pause, failures);
            tokio::select! {
                () = stop.cancelled() => break,
                () = self.kick.notified() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    fn tell(&self, error: &ShipError, recovery: Recovery, pause: Duration, failures: u32) {
        let said = chain(error);
        let retry_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
        let advice = match recovery {
            Recovery::Fatal { advice } => {
                tracing::error!(
                    error = said,
                    retry_ms,
                    advice,
                    "delivery is refused, records are kept on disk"
                );
                advice
            }
            Recovery::Retry => {
                // One warning an outage; the rest is for whoever looks closer.
                if failures == 1 {
                    tracing::warn!(
                        error = said,
                        retry_ms,
                        "delivery failed, records are kept on disk"
                    );
                } else {
                    tracing::debug!(error = said, retry_ms, failures, "delivery failed again");
                }
                ""
            }
        };
        self.link.send_replace(Link {
            state: LinkState::Waiting,
            last_error: said,
            advice: advice.to_owned(),
            next_try_unix_ms: (Moment::now().unix_ns / 1_000_000).saturating_add(retry_ms),
            failures,
        });
    }
}

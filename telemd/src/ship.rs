//! Shipping: what is durable in the spool goes to the collector, in order, until it is acknowledged.
//!
//! One stream at a time. It begins with a Hello; the collector answers with the sequence up to which it has stored
//! everything, and shipping resumes behind that. Batches are read from the spool as they are sent, so an absent
//! collector costs no memory. Several are in flight, bounded by count and bytes; each answer frees what it covers, here
//! and in the spool.
//!
//! There may be several servers, which are collectors of one database. They are tried in their order; while a later one is
//! in use, those before it are asked now and then, and are gone back to when one takes records again.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proto::v1::Hello;
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::clock::Moment;
use crate::config::collector::Server;
use crate::config::{Collector, Config};
use crate::enrolment::Enrolment;
use crate::journal::Journal;
use crate::keeper::Handle;
use crate::ledger::Ledger;
use crate::retry::{Backoff, Pauses, Recovery, Refusal};
use crate::text::chain;

pub mod asking;
mod dial;
pub mod enrol;
mod error;
pub mod message;
mod open;
mod session;
mod skew;
mod stream;
pub mod trust;

pub use dial::Proxies;
pub use error::ShipError;
pub use session::{BYTES, RECORDS};
pub use skew::Skew;

use session::End;

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
    /// How often servers that come before the one in use are asked whether they are back.
    pub back: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            pauses: Pauses::default(),
            connect: Duration::from_secs(10),
            answer: Duration::from_mins(1),
            keepalive: Duration::from_secs(30),
            back: Duration::from_secs(30),
        }
    }
}

/// How the connection to the collector is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// What is going on.
    pub state: LinkState,
    /// The server that it is about; empty when nothing leaves this host.
    #[serde(default)]
    pub server: String,
    /// Why nothing is delivered until somebody acts; `None` when it passes by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<Refusal>,
    /// Why the last try failed; empty when none did or one succeeded since.
    pub last_error: String,
    /// What somebody should do about it; empty when it passes by itself.
    pub advice: String,
    /// When the next try begins, milliseconds since the Unix epoch; 0 when none is planned.
    pub next_try_unix_ms: u64,
    /// Tries that failed in a row.
    pub failures: u32,
    /// How far the collector's clock is ahead of this host's, seconds; 0 while it is not known.
    #[serde(default)]
    pub clock_skew_s: i64,
    /// When the certificate of this host ends to be valid, seconds since the Unix epoch; `None` without enrolment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate_until_unix_s: Option<i64>,
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
    /// Not wanted: nothing leaves this host.
    Off,
}

/// Where the records of a host go, for people: the servers in their order.
pub fn target(config: &Config) -> String {
    if !config.collector.enabled {
        return "nobody (collector.enabled is false)".to_owned();
    }
    let servers = servers(&config.collector, &config.state_dir);
    let urls: Vec<_> = servers.iter().map(Server::url).collect();
    urls.join(", ")
}

/// The servers of a host, at least one.
pub fn servers(collector: &Collector, state_dir: &Path) -> Vec<Server> {
    // What is wrong with the file is told when it is needed; whoever may not read it sees the configuration.
    let enrolment = Enrolment::load(state_dir).ok().flatten();
    collector.servers(enrolment.as_ref().map(|enrolment| enrolment.server.as_str()))
}

/// Ships until told to stop.
#[derive(Debug)]
pub struct Shipper {
    /// Where to, and by what the ends know each other.
    pub collector: Collector,
    /// Where it is kept what enrolment brought.
    pub state_dir: PathBuf,
    /// Proxies on the way.
    pub proxies: Proxies,
    /// Who this is.
    pub agent_id: Uuid,
    /// First message of every stream.
    pub hello: Hello,
    /// The spool.
    pub keeper: Handle,
    /// Where it is noted what was delivered; `None`: nowhere.
    pub journal: Option<Arc<Mutex<Journal>>>,
    /// Where it is noted what leaves this host; `None`: nowhere.
    pub ledger: Option<Arc<Mutex<Ledger>>>,
    /// How to behave.
    pub options: Options,
    /// Where the connection's state is told.
    pub link: watch::Sender<Link>,
    /// Cuts a pause short.
    pub kick: Arc<Notify>,
}

impl Shipper {
    /// Runs until `stop`; never gives up. What a server sends must not end it either: should a library panic over that, a
    /// new stream is begun after the longest pause.
    pub async fn run(self, stop: CancellationToken) {
        let shipper = Arc::new(self);
        loop {
            let (running, until) = (Arc::clone(&shipper), stop.clone());
            let ended = tokio::spawn(async move { running.ship(&until).await }).await;
            if ended.is_ok() || stop.is_cancelled() {
                return;
            }
            tracing::error!("shipping ended by itself, which is a bug: it begins anew");
            let pause = tokio::time::sleep(shipper.options.pauses.longest);
            if stop.run_until_cancelled(pause).await.is_none() {
                return;
            }
        }
    }

    async fn ship(&self, stop: &CancellationToken) {
        let mut backoff = Backoff::new(self.options.pauses);
        let mut failures = 0u32;
        let mut turn = 0;
        while !stop.is_cancelled() {
            // Asked for again and again: a host may be enrolled while its agent runs.
            let servers = servers(&self.collector, &self.state_dir);
            turn = turn.min(servers.len() - 1);
            self.begin(&servers[turn]);
            let started = Instant::now();
            let mut session = session::Session::new(self, &servers, turn);
            let error = match session.run(stop).await {
                Ok(End::Stopped) => break,
                Ok(End::Back) => {
                    turn = 0;
                    continue;
                }
                Ok(End::Renewed) => {
                    tokio::time::sleep(self.options.pauses.first).await;
                    continue;
                }
                Err(error) => error,
            };
            let recovery = error.recovery();
            if session.progressed() || started.elapsed() > self.options.pauses.longest {
                backoff.reset();
                failures = 0;
                turn = 0;
            } else if !matches!(recovery, Recovery::After(_)) {
                turn = (turn + 1) % servers.len();
            }
            failures = failures.saturating_add(1);
            let is_next = turn > 0 && !matches!(recovery, Recovery::After(_));
            let pause = if is_next {
                Duration::ZERO
            } else {
                backoff.next(recovery, fastrand::f64())
            };
            self.tell(&error, recovery, pause, failures);
            tokio::select! {
                () = stop.cancelled() => break,
                () = self.kick.notified() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    fn begin(&self, server: &Server) {
        self.link.send_modify(|link| {
            link.state = LinkState::Connecting;
            server.url().clone_into(&mut link.server);
            link.next_try_unix_ms = 0;
        });
    }

    fn tell(&self, error: &ShipError, recovery: Recovery, pause: Duration, failures: u32) {
        let said = chain(error);
        let retry_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
        let (refusal, advice) = match recovery {
            Recovery::Fatal { refusal, advice } => {
                tracing::error!(
                    error = said,
                    retry_ms,
                    advice,
                    "delivery is refused, records are kept on disk"
                );
                (Some(refusal), advice)
            }
            Recovery::Retry | Recovery::Soon | Recovery::After(_) => {
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
                (None, "")
            }
        };
        self.link.send_modify(|link| {
            // The next server's turn comes at once.
            link.state = if pause.is_zero() {
                LinkState::Connecting
            } else {
                LinkState::Waiting
            };
            link.refusal = refusal;
            link.last_error = said;
            advice.clone_into(&mut link.advice);
            link.next_try_unix_ms = (Moment::now().unix_ns / 1_000_000).saturating_add(retry_ms);
            link.failures = failures;
        });
    }
}

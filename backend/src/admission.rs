//! Who may deliver, and under which name.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use proto::reasons;
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};
use uuid::Uuid;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::collector::store_status;
use crate::store::{Store, StoreError, chain};

/// How soon the streams of an agent that is shut out end.
const LOOK: Duration = Duration::from_secs(5);

/// Which agents are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Agents {
    /// All that are not shut out; those that have a certificate have to show it.
    Any,
    /// Only those that show a certificate.
    Enrolled,
}

/// Who is at the other end of a connection.
#[derive(Debug, Clone, Default)]
pub struct Peer {
    /// From where.
    pub address: Option<SocketAddr>,
    /// Whether over TLS.
    pub is_tls: bool,
    /// What its certificate says, which an authority of ours has signed.
    pub certificate: Option<Shown>,
}

impl Peer {
    /// Whether it is on this machine.
    fn is_local(&self) -> bool {
        self.address
            .is_some_and(|address| address.ip().to_canonical().is_loopback())
    }
}

/// What a certificate says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shown {
    /// The agent; `None`: it names none.
    pub agent_id: Option<Uuid>,
    /// When it ends to be valid, seconds since the Unix epoch.
    pub not_after_unix_s: i64,
}

impl Shown {
    /// Reads a certificate, DER. `None`: it is none.
    pub fn read(certificate: &[u8]) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
        let name = certificate.subject().iter_common_name().next();
        let name = name.and_then(|name| name.as_str().ok());
        Some(Self {
            agent_id: name.and_then(|name| Uuid::try_parse(name).ok()),
            not_after_unix_s: certificate.validity().not_after.timestamp(),
        })
    }

    /// Whether it is over.
    pub fn is_over(self) -> bool {
        self.not_after_unix_s < Timestamp::now().as_second()
    }
}

/// Decides who may deliver.
#[derive(Debug, Clone)]
pub struct Admission {
    store: Store,
    agents: Agents,
    revoked: Arc<watch::Sender<HashSet<Uuid>>>,
}

impl Admission {
    /// By what the store knows.
    pub fn new(store: Store, agents: Agents) -> Self {
        Self {
            store,
            agents,
            revoked: Arc::new(watch::Sender::new(HashSet::new())),
        }
    }

    /// Whether `peer` may deliver as `agent_id`.
    pub async fn admit(&self, peer: &Peer, agent_id: Uuid) -> Result<(), Status> {
        let standing = self.store.standing(agent_id).await;
        let standing = standing.map_err(|error| store_status(&error))?;
        if standing.revoked {
            return Err(shut_out());
        }
        // It may have been let in again since that was last looked at.
        self.revoked.send_if_modified(|revoked| revoked.remove(&agent_id));
        match peer.certificate {
            Some(shown) if shown.agent_id != Some(agent_id) => Err(refusal(
                Code::PermissionDenied,
                reasons::AGENT_MISMATCH,
                "the certificate is of another agent",
            )),
            Some(shown) if shown.is_over() => Err(expired()),
            None if self.agents == Agents::Enrolled => Err(refusal(
                Code::Unauthenticated,
                reasons::CERTIFICATE_REQUIRED,
                "this collector takes records of enrolled agents only",
            )),
            // In clear there is nothing to show a certificate in, and on the way from this machine itself nobody who could
            // say that they are somebody else.
            None if standing.enrolled && (peer.is_tls || !peer.is_local()) => Err(refusal(
                Code::Unauthenticated,
                reasons::CERTIFICATE_REQUIRED,
                "this agent is enrolled: it is taken with its certificate, over TLS (`https://` in collector.url, --tls-name or \
                 --tls-cert at the collector)",
            )),
            Some(_) | None => Ok(()),
        }
    }

    /// Comes back when an agent is shut out.
    pub async fn shut_out(&self, agent_id: Uuid) -> Status {
        let mut revoked = self.revoked.subscribe();
        // The sender lives as long as this value.
        revoked.wait_for(|revoked| revoked.contains(&agent_id)).await.ok();
        shut_out()
    }

    /// Learns who is shut out until `shutdown`.
    pub async fn keep_up(&self, shutdown: &CancellationToken) {
        while shutdown.run_until_cancelled(sleep(LOOK)).await.is_some() {
            match self.store.revoked().await {
                Ok(revoked) => drop(self.revoked.send_if_modified(|known| {
                    let changed = *known != revoked;
                    *known = revoked;
                    changed
                })),
                // The outage itself is told elsewhere.
                Err(StoreError::Unavailable(_)) => {}
                Err(error) => {
                    tracing::warn!(error = %chain(&error), "it is not known which agents are shut out");
                }
            }
        }
    }
}

/// A refusal that an agent can tell from others.
pub(crate) fn refusal(code: Code, reason: &str, message: &str) -> Status {
    let details = ErrorDetails::with_error_info(reason, reasons::DOMAIN, HashMap::new());
    Status::with_error_details(code, message, details)
}

/// An agent that is shut out.
pub(crate) fn shut_out() -> Status {
    refusal(
        Code::PermissionDenied,
        reasons::AGENT_REVOKED,
        "this agent was shut out",
    )
}

/// A certificate that is over.
pub(crate) fn expired() -> Status {
    refusal(
        Code::Unauthenticated,
        reasons::CERTIFICATE_EXPIRED,
        "the certificate of this agent is over",
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_bytes_are_a_certificate_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
            let _either = Shown::read(&bytes);
        }
    }
}

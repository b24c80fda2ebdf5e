//! Enrolling this host, for `telemctl enroll`.

use tonic_types::StatusExt as _;
use uuid::Uuid;

use super::open::{self, Connection};
use super::trust::{Belief, Fingerprint, Trust};
use super::{Options, Proxies, ShipError};
use crate::config::Collector;
use crate::config::collector::Server;
use crate::enrolment::Enrolment;
use crate::enrolment::request::{self, RequestError};
use crate::retry::Recovery;

/// Why a host is not enrolled.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    /// The key and the token must not cross a network in clear.
    #[error("{0} is not an https URL: enrolment goes over TLS only")]
    Clear(String),
    /// No connection.
    #[error(transparent)]
    Ship(#[from] ShipError),
    /// No certificate.
    #[error(transparent)]
    Request(#[from] RequestError),
}

impl EnrolError {
    /// What to do about it; empty when trying again is all there is.
    pub fn advice(&self) -> &'static str {
        let recovery = match self {
            Self::Clear(_) => return "give --server https://HOST:PORT",
            Self::Ship(error) => error.recovery(),
            Self::Request(RequestError::Refused(status)) => {
                let info = status.get_details_error_info();
                return match info.as_ref().map(|info| info.reason.as_str()) {
                    Some(proto::reasons::TOKEN_REFUSED) => {
                        "ask the collector's operator for a new token (`backend token create`)"
                    }
                    Some(proto::reasons::ALREADY_ENROLLED) => {
                        "ask the collector's operator for a token for this agent (`backend token create --agent ID`)"
                    }
                    _ => advice(Recovery::of(status)),
                };
            }
            Self::Request(_) => return "",
        };
        advice(recovery)
    }
}

fn advice(recovery: Recovery) -> &'static str {
    match recovery {
        Recovery::Fatal { advice, .. } => advice,
        Recovery::Retry | Recovery::Soon | Recovery::After(_) => "",
    }
}

/// Makes a key, has it certified by the collector at `server`, and gives back what is to be kept. The server is believed by
/// the authority with the fingerprint `pin`, otherwise by what the configuration says.
pub async fn enrol(
    collector: &Collector,
    server: &Server,
    token: &str,
    agent_id: Uuid,
    pin: Option<Fingerprint>,
) -> Result<Enrolment, EnrolError> {
    if !server.is_tls() {
        return Err(EnrolError::Clear(server.url().to_owned()));
    }
    let (proxies, options) = (Proxies::of_environment(), Options::default());
    let belief = match pin {
        Some(pin) => Belief::Pinned(pin),
        None => Belief::of(collector, None).map_err(ShipError::from)?,
    };
    let trust = Trust::new(belief.clone(), None, None).map_err(ShipError::from)?;
    let connection = match Connection::open(server, Some(&trust), &proxies, &options).await {
        Err(ShipError::Dial(refused)) => {
            return Err(open::explain(refused, server, &belief, &proxies, &options)
                .await
                .into());
        }
        connection => connection?,
    };
    let authority = trust.pinned_authority();
    let asked = request::enrol(
        connection.channel,
        server.url(),
        token,
        agent_id,
        authority.as_ref(),
    );
    let within = options.answer;
    let answer = tokio::time::timeout(within, asked).await;
    Ok(answer.map_err(|_elapsed| ShipError::Silent(within))??)
}

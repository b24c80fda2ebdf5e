//! The beginning of a stream: the connection, the greeting, a new certificate where the old one is over; and what is noted
//! of everything that leaves.

use std::sync::{Arc, PoisonError};

use proto::limits::MESSAGE_BYTES;
use proto::reasons;
use proto::v1::collector_client::CollectorClient;
use proto::v1::deliver_request::Message;
use proto::v1::{DeliverRequest, DeliverResponse};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;
use tonic::codec::CompressionEncoding;
use tonic_types::StatusExt as _;

use super::open::{self, Connection};
use super::skew::Skew;
use super::trust::{self, Belief, Trust};
use super::{ShipError, Shipper};
use crate::clock::Moment;
use crate::config::collector::Server;
use crate::enrolment::{Enrolment, EnrolmentError, request};
use crate::text::chain;

/// A stream and what it was made with.
pub(super) struct Opened {
    pub(super) connection: Connection,
    pub(super) enrolment: Option<Enrolment>,
    pub(super) requests: mpsc::Sender<DeliverRequest>,
    pub(super) answers: Streaming<DeliverResponse>,
    /// To the Hello.
    pub(super) first: DeliverResponse,
    pub(super) skew: Skew,
}

/// Connects to a server with what the configuration and enrolment bring.
pub(super) async fn connect(
    shipper: &Shipper,
    server: &Server,
) -> Result<(Connection, Option<Enrolment>), ShipError> {
    let Shipper {
        collector,
        proxies,
        options,
        ..
    } = shipper;
    if !server.is_tls() {
        return Ok((Connection::open(server, None, proxies, options).await?, None));
    }
    let enrolment = Enrolment::load(&shipper.state_dir)?;
    let belief = Belief::of(collector, enrolment.as_ref())?;
    let identity = trust::identity(collector, enrolment.as_ref())?;
    let trust = Trust::new(belief.clone(), identity, None)?;
    let connection = match Connection::open(server, Some(&trust), proxies, options).await {
        Err(ShipError::Dial(refused)) => {
            return Err(open::explain(refused, server, &belief, proxies, options).await);
        }
        connection => connection?,
    };
    // A certificate that somebody else provides somebody else renews.
    let renewed_here = enrolment.filter(|_| collector.certificate_file.is_none());
    Ok((connection, renewed_here))
}

pub(super) enum Begun {
    Opened(Box<Opened>),
    Renewed,
}

/// Says Hello. Where the collector answers that the certificate is over, it is asked for a new one instead.
pub(super) async fn begin(
    shipper: &Shipper,
    server: &Server,
    connection: Connection,
    enrolment: Option<Enrolment>,
) -> Result<Begun, ShipError> {
    match hello(shipper, server, &connection).await {
        Ok((requests, answers, first, skew)) => Ok(Begun::Opened(Box::new(Opened {
            connection,
            enrolment,
            requests,
            answers,
            first,
            skew,
        }))),
        Err(ShipError::Status(status)) if is_expired(&status) => {
            let Some(old) = &enrolment else {
                return Err(ShipError::Status(status));
            };
            let renewed = renew(shipper, &connection, old).await;
            renewed.map(|_new| Begun::Renewed).map_err(|error| match error {
                RenewError::Request(error) => ShipError::Renewal(error),
                RenewError::Store(error) => ShipError::Enrolment(error),
                RenewError::Silent => ShipError::Silent(shipper.options.answer),
            })
        }
        Err(error) => Err(error),
    }
}

type Stream = (
    mpsc::Sender<DeliverRequest>,
    Streaming<DeliverResponse>,
    DeliverResponse,
    Skew,
);

async fn hello(shipper: &Shipper, server: &Server, connection: &Connection) -> Result<Stream, ShipError> {
    let within = shipper.options.answer;
    let mut client = CollectorClient::new(connection.channel.clone())
        .send_compressed(CompressionEncoding::Zstd)
        .accept_compressed(CompressionEncoding::Zstd)
        .max_encoding_message_size(MESSAGE_BYTES);
    // Two: one being sent, one ready. What is in flight is bounded elsewhere.
    let (requests, queue) = mpsc::channel(2);
    let hello = DeliverRequest {
        message: Some(Message::Hello(shipper.hello.clone())),
    };
    enter(shipper, server, &hello).await;
    requests.try_send(hello).map_err(|_full| ShipError::Closed)?;
    let call = client.deliver(ReceiverStream::new(queue));
    let called = tokio::time::timeout(within, call).await;
    let response = called.map_err(|_elapsed| ShipError::Silent(within))?;
    let response = response.map_err(|status| connection.status(status))?;
    let skew = Skew::of(response.metadata(), Moment::now()).unwrap_or_default();
    let mut answers = response.into_inner();
    let first = tokio::time::timeout(within, answers.message()).await;
    let first = answer(connection, first.map_err(|_elapsed| ShipError::Silent(within))?)?;
    Ok((requests, answers, first, skew))
}

/// Comes back when one of `servers` takes records.
pub(super) async fn back(shipper: &Shipper, servers: &[Server]) {
    if servers.is_empty() {
        return std::future::pending().await;
    }
    loop {
        // Agents that came here together go back apart.
        tokio::time::sleep(shipper.options.back.mul_f64(0.75 + fastrand::f64() / 2.0)).await;
        for server in servers {
            let asked = async {
                let (connection, _) = connect(shipper, server).await?;
                hello(shipper, server, &connection).await
            };
            match asked.await {
                Ok(_stream) => return,
                Err(error) => tracing::debug!(server = server.url(), error = chain(&error), "not back yet"),
            }
        }
    }
}

/// Why there is no new certificate.
#[derive(Debug, thiserror::Error)]
pub(super) enum RenewError {
    #[error("no new certificate")]
    Request(#[from] request::RequestError),
    #[error("the new certificate cannot be kept")]
    Store(#[from] EnrolmentError),
    #[error("no answer from the collector")]
    Silent,
}

pub(super) async fn renew(
    shipper: &Shipper,
    connection: &Connection,
    old: &Enrolment,
) -> Result<Enrolment, RenewError> {
    let asked = request::renew(connection.channel.clone(), old, shipper.agent_id);
    let answer = tokio::time::timeout(shipper.options.answer, asked).await;
    let new = answer.map_err(|_elapsed| RenewError::Silent)??;
    let (state_dir, kept) = (shipper.state_dir.clone(), new.clone());
    let stored = tokio::task::spawn_blocking(move || kept.store(&state_dir)).await;
    stored.map_err(|_panicked| RenewError::Silent)??;
    tracing::info!(
        not_after_unix_s = new.not_after_unix_s,
        "the certificate of this host was renewed"
    );
    Ok(new)
}

fn is_expired(status: &tonic::Status) -> bool {
    let info = status.get_details_error_info();
    info.is_some_and(|info| info.domain == reasons::DOMAIN && info.reason == reasons::CERTIFICATE_EXPIRED)
}

/// Writes into the ledger what is about to leave. A ledger that cannot be written stops nothing: the next entry says how
/// many are missing.
pub(super) async fn enter(shipper: &Shipper, server: &Server, request: &DeliverRequest) {
    let Some(ledger) = &shipper.ledger else {
        return;
    };
    let (ledger, request, now) = (Arc::clone(ledger), request.clone(), Moment::now());
    let (server, agent_id) = (server.url().to_owned(), shipper.agent_id);
    let written = tokio::task::spawn_blocking(move || {
        let mut ledger = ledger.lock().unwrap_or_else(PoisonError::into_inner);
        ledger.enter(&server, agent_id, &request, now)
    });
    if let Ok(Err(error)) = written.await {
        tracing::warn!(%error, "the ledger of what leaves this host could not be written");
    }
}

/// What came as an answer.
pub(super) fn answer(
    connection: &Connection,
    came: Result<Option<DeliverResponse>, tonic::Status>,
) -> Result<DeliverResponse, ShipError> {
    let answer = came.map_err(|status| connection.status(status))?;
    answer.ok_or(ShipError::Closed)
}

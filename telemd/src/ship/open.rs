//! A connection to a server, up to the point where gRPC can be spoken.

use std::time::Duration;

use hyper_util::rt::TokioIo;
use proto::v1::RenewRequest;
use proto::v1::enrolment_client::EnrolmentClient;
use rustls::CertificateError;
use rustls::pki_types::UnixTime;
use tonic::transport::{Channel, Endpoint, Uri};
use tower::service_fn;

use super::Options;
use super::dial::{self, DialError, Noted, Proxies};
use super::error::ShipError;
use super::skew::Skew;
use super::trust::{Belief, Identity, Trust};
use crate::clock::Moment;
use crate::config::collector::Server;

/// A connection to a server.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) channel: Channel,
    noted: Noted,
}

impl Connection {
    /// Connects, with all that is needed for it.
    pub(super) async fn open(
        server: &Server,
        trust: Option<&Trust>,
        proxies: &Proxies,
        options: &Options,
    ) -> Result<Self, ShipError> {
        let (stream, noted) = dial::dial(server, trust, proxies, options.connect).await?;
        let connect = |source| ShipError::Connect {
            url: server.url().to_owned(),
            source,
        };
        let endpoint = Endpoint::from(server.uri().clone())
            .connect_timeout(options.connect)
            .http2_keep_alive_interval(options.keepalive)
            .keep_alive_timeout(options.connect)
            .keep_alive_while_idle(true)
            .user_agent(concat!("telemd/", env!("CARGO_PKG_VERSION")))
            .map_err(connect)?;
        let mut ready = Some(TokioIo::new(stream));
        let given = service_fn(move |_server: Uri| {
            let gone = || std::io::Error::from(std::io::ErrorKind::NotConnected);
            std::future::ready(ready.take().ok_or_else(gone))
        });
        let channel = endpoint.connect_with_connector(given).await;
        match channel {
            Ok(channel) => Ok(Self { channel, noted }),
            Err(source) => Err(noted.take().map_or_else(|| connect(source), ShipError::Tls)),
        }
    }

    /// A status, or what TLS said when that is the cause of it.
    pub(super) fn status(&self, status: tonic::Status) -> ShipError {
        self.noted
            .take()
            .map_or_else(|| ShipError::Status(Box::new(status)), ShipError::Tls)
    }
}

/// Why TLS refused a server, once it is known whether its certificate is over or this host's clock wrong: the server is
/// believed as of a time when its certificate was good, nothing is told to it, and it is asked what time it is.
pub(super) async fn explain(
    refused: DialError,
    server: &Server,
    belief: &Belief,
    proxies: &Proxies,
    options: &Options,
) -> ShipError {
    let DialError::Tls { source, .. } = &refused else {
        return refused.into();
    };
    let Some(at) = good_at(source) else {
        return refused.into();
    };
    let nobody: Option<Identity> = None;
    let Ok(trust) = Trust::new(belief.clone(), nobody, Some(at)) else {
        return refused.into();
    };
    let Ok(connection) = Connection::open(server, Some(&trust), proxies, options).await else {
        return refused.into();
    };
    match ask_time(connection.channel, options.answer).await {
        Some(skew) if skew.is_wrong() => ShipError::Clock { skew },
        _ => refused.into(),
    }
}

/// A moment at which a certificate that is refused for its time was good.
fn good_at(refused: &rustls::Error) -> Option<UnixTime> {
    let rustls::Error::InvalidCertificate(wrong) = refused else {
        return None;
    };
    let seconds = match wrong {
        CertificateError::ExpiredContext { not_after, .. } => not_after.as_secs().saturating_sub(1),
        CertificateError::NotValidYetContext { not_before, .. } => not_before.as_secs().saturating_add(1),
        _ => return None,
    };
    Some(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
}

/// How far the clocks are apart, by an answer to a question that is refused in any case.
async fn ask_time(channel: Channel, within: Duration) -> Option<Skew> {
    let mut client = EnrolmentClient::new(channel);
    let asked = tokio::time::timeout(within, client.renew(RenewRequest::default())).await;
    let metadata = match asked.ok()? {
        Ok(answer) => answer.metadata().clone(),
        Err(status) => status.metadata().clone(),
    };
    Skew::of(&metadata, Moment::now())
}

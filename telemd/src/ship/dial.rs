//! The way to a server: its name, TCP, a proxy where the environment names one, TLS.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::transport::Uri;
use tower::{Service as _, service_fn};

use super::trust::Trust;
use crate::config::collector::Server;

/// Addresses of one name that are tried.
const ADDRESSES: usize = 4;
/// The port of a proxy that names none.
const PROXY_PORT: u16 = 80;

/// Why there is no way to a server.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// Its name, or the proxy's, is not known: the network is not up, or the name is wrong.
    #[error("the name {host} cannot be resolved")]
    Name {
        /// The name.
        host: String,
        /// What the resolver said.
        #[source]
        source: io::Error,
    },
    /// No address of it answers.
    #[error("no connection to {host}:{port}")]
    Connect {
        /// The name.
        host: String,
        /// The port.
        port: u16,
        /// What the kernel said of the last address.
        #[source]
        source: io::Error,
    },
    /// The proxy that the environment names cannot be used.
    #[error(
        "the proxy {proxy} of the environment is not spoken to over HTTP: write HTTPS_PROXY=http://HOST:PORT"
    )]
    ProxyKind {
        /// The proxy.
        proxy: String,
    },
    /// The proxy does not let through.
    #[error("the proxy {proxy} gives no way to {server}")]
    Proxy {
        /// The proxy.
        proxy: String,
        /// The server.
        server: String,
        /// What it said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// TLS refuses.
    #[error("no TLS with {server}")]
    Tls {
        /// The server.
        server: String,
        /// Why.
        #[source]
        source: rustls::Error,
    },
    /// The connection broke while TLS began.
    #[error("{server} breaks off while TLS begins: is TLS spoken there?")]
    Handshake {
        /// The server.
        server: String,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// Its host name cannot stand in a certificate.
    #[error("{host} is no name that a certificate can hold")]
    ServerName {
        /// The name.
        host: String,
    },
    /// It took too long.
    #[error("no connection to {server} in {} s", within.as_secs())]
    Slow {
        /// The server.
        server: String,
        /// How long.
        within: Duration,
    },
}

/// A connection of bytes.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// Where a connection notes why TLS ended it: what gRPC makes of that tells nothing.
#[derive(Debug, Clone, Default)]
pub(super) struct Noted(Arc<Mutex<Option<rustls::Error>>>);

impl Noted {
    /// What was noted, once.
    pub(super) fn take(&self) -> Option<rustls::Error> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn note(&self, error: &io::Error) {
        if let Some(error) = tls_error(error) {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        }
    }
}

fn tls_error(error: &io::Error) -> Option<rustls::Error> {
    error.get_ref()?.downcast_ref::<rustls::Error>().cloned()
}

/// Proxies as the environment names them: `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY`.
#[derive(Debug, Clone)]
pub struct Proxies(Arc<Matcher>);

impl Proxies {
    /// Those of this process.
    pub fn of_environment() -> Self {
        Self(Arc::new(Matcher::from_env()))
    }

    /// The proxy on the way to a server; to this host itself there is none.
    fn to(&self, server: &Server) -> Option<Intercept> {
        if server.is_loopback() {
            return None;
        }
        self.0.intercept(server.uri())
    }

    /// The port that is connected to for a server: its own, or its proxy's.
    pub fn port(&self, server: &Server) -> u16 {
        self.to(server).map_or(server.port(), |proxy| {
            proxy.uri().port_u16().unwrap_or(PROXY_PORT)
        })
    }
}

/// Connects to `server` within a time, over TLS where its URL says so.
pub(super) async fn dial(
    server: &Server,
    trust: Option<&Trust>,
    proxies: &Proxies,
    within: Duration,
) -> Result<(Box<dyn Stream>, Noted), DialError> {
    let slow = || DialError::Slow {
        server: server.url().to_owned(),
        within,
    };
    let way = tokio::time::timeout(within, connect(server, trust, proxies, within));
    way.await.map_err(|_elapsed| slow())?
}

async fn connect(
    server: &Server,
    trust: Option<&Trust>,
    proxies: &Proxies,
    within: Duration,
) -> Result<(Box<dyn Stream>, Noted), DialError> {
    let tcp = match proxies.to(server) {
        Some(proxy) => through(&proxy, server, within).await?,
        None => tcp(server.host(), server.port(), within).await?,
    };
    let noted = Noted::default();
    let Some(trust) = trust.filter(|_| server.is_tls()) else {
        return Ok((Box::new(tcp), noted));
    };
    let name = ServerName::try_from(server.host().to_owned()).map_err(|_no_name| DialError::ServerName {
        host: server.host().to_owned(),
    })?;
    let connector = TlsConnector::from(Arc::clone(&trust.config));
    let stream = connector.connect(name, tcp).await.map_err(|source| {
        let server = server.url().to_owned();
        match tls_error(&source) {
            Some(source) => DialError::Tls { server, source },
            None => DialError::Handshake { server, source },
        }
    })?;
    let noting = Noting {
        stream,
        noted: noted.clone(),
    };
    Ok((Box::new(noting), noted))
}

/// TCP to a name: its addresses one after the other.
async fn tcp(host: &str, port: u16, within: Duration) -> Result<TcpStream, DialError> {
    let name = |source| DialError::Name {
        host: host.to_owned(),
        source,
    };
    let found = tokio::net::lookup_host((host, port)).await.map_err(name)?;
    let addresses: Vec<SocketAddr> = found.take(ADDRESSES).collect();
    let each = within / u32::try_from(addresses.len().max(1)).unwrap_or(1);
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in addresses {
        match tokio::time::timeout(each, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                // Small messages go at once; what cannot be set stays as it is.
                stream.set_nodelay(true).ok();
                return Ok(stream);
            }
            Ok(Err(error)) => last = error,
            Err(_elapsed) => last = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(DialError::Connect {
        host: host.to_owned(),
        port,
        source: last,
    })
}

/// TCP through a proxy that is asked to CONNECT (RFC 9110, 9.3.6).
async fn through(proxy: &Intercept, server: &Server, within: Duration) -> Result<TcpStream, DialError> {
    let uri = proxy.uri().clone();
    let (Some("http"), Some(host)) = (uri.scheme_str(), uri.host()) else {
        return Err(DialError::ProxyKind {
            proxy: uri.to_string(),
        });
    };
    let (host, port) = (host.to_owned(), uri.port_u16().unwrap_or(PROXY_PORT));
    let stream = tcp(&host, port, within).await?;
    // The tunnel is made on a connection that is there already: what goes wrong with that is told by its own name.
    let mut ready = Some(TokioIo::new(stream));
    let given = service_fn(move |_proxy: Uri| {
        std::future::ready(
            ready
                .take()
                .ok_or_else(|| io::Error::from(io::ErrorKind::NotConnected)),
        )
    });
    let mut tunnel = Tunnel::new(uri.clone(), given);
    if let Some(authorization) = proxy.basic_auth() {
        tunnel = tunnel.with_auth(authorization.clone());
    }
    let way = tunnel.call(server.uri().clone()).await;
    way.map(TokioIo::into_inner).map_err(|source| DialError::Proxy {
        proxy: uri.to_string(),
        server: server.url().to_owned(),
        source: source.into(),
    })
}

/// A stream that notes why TLS ended it.
struct Noting<S> {
    stream: S,
    noted: Noted,
}

impl<S> Noting<S> {
    fn look<T>(&self, outcome: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if let Poll::Ready(Err(error)) = &outcome {
            self.noted.note(error);
        }
        outcome
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Noting<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.look(outcome)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Noting<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.look(outcome)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_flush(context);
        self.look(outcome)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

//! Connections of agents and gRPC clients, in clear or over TLS.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::time::{Sleep, sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::server::Connected;

use super::door::{Door, Entered};
use crate::admission::{Peer, Shown};

/// How long a client may take to begin TLS, to finish the handshake, and then to begin HTTP/2.
const BEGIN: Duration = Duration::from_secs(10);
/// Handshakes at the same time: each is a millisecond of a core.
const HANDSHAKES: usize = 256;
/// Connections that wait to be served.
const WAITING: usize = 16;
/// Bytes that every connection of HTTP/2 begins with (RFC 9113, 3.4).
const PREFACE: usize = 24;

/// A connection, and who is at its other end.
#[derive(Debug)]
pub(super) struct Connection {
    stream: Bytes,
    peer: Peer,
    /// None: it has come.
    preface: Option<Preface>,
    _place: OwnedSemaphorePermit,
}

#[derive(Debug)]
enum Bytes {
    Clear(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// How a connection has to begin, and until when.
#[derive(Debug)]
struct Preface {
    missing: usize,
    deadline: Pin<Box<Sleep>>,
}

/// Lets connections in until the door is closed; with a configuration, over TLS.
pub(super) fn incoming(
    mut door: Door,
    tls: Option<watch::Receiver<Arc<ServerConfig>>>,
) -> ReceiverStream<io::Result<Connection>> {
    let (ready, connections) = mpsc::channel(WAITING);
    let handshakes = Arc::new(Semaphore::new(HANDSHAKES));
    tokio::spawn(async move {
        while let Some(Entered {
            stream,
            address,
            place,
        }) = door.next().await
        {
            let config = tls.as_ref().map(|tls| Arc::clone(&tls.borrow()));
            let (ready, handshakes) = (ready.clone(), Arc::clone(&handshakes));
            tokio::spawn(async move {
                match begin(stream, address, config, &handshakes).await {
                    Ok((stream, peer)) => {
                        let connection = Connection {
                            stream,
                            peer,
                            preface: Some(Preface {
                                missing: PREFACE,
                                deadline: Box::pin(sleep(BEGIN)),
                            }),
                            _place: place,
                        };
                        // Nobody to serve it while shutting down.
                        ready.send(Ok(connection)).await.ok();
                    }
                    Err(error) => tracing::info!(%address, %error, "a client did not get through TLS"),
                }
            });
        }
    });
    ReceiverStream::new(connections)
}

async fn begin(
    stream: TcpStream,
    address: SocketAddr,
    config: Option<Arc<ServerConfig>>,
    handshakes: &Semaphore,
) -> io::Result<(Bytes, Peer)> {
    stream.set_nodelay(true)?;
    let mut peer = Peer {
        address: Some(address),
        ..Peer::default()
    };
    let Some(config) = config else {
        return Ok((Bytes::Clear(stream), peer));
    };
    let late = |_elapsed| io::Error::from(io::ErrorKind::TimedOut);
    // Whoever says nothing keeps nobody from a handshake.
    timeout(BEGIN, stream.readable()).await.map_err(late)??;
    // Invariant: the semaphore is never closed, so a permit always comes.
    let permit = handshakes.acquire().await;
    let stream = timeout(BEGIN, TlsAcceptor::from(config).accept(stream))
        .await
        .map_err(late)??;
    drop(permit);
    peer.is_tls = true;
    let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
    peer.certificate = shown.and_then(|certificate| Shown::read(certificate));
    Ok((Bytes::Tls(Box::new(stream)), peer))
}

impl Connected for Connection {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.peer.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = match &mut self.stream {
            Bytes::Clear(stream) => Pin::new(stream).poll_read(context, buffer),
            Bytes::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        };
        let Some(preface) = &mut self.preface else {
            return read;
        };
        preface.missing = preface.missing.saturating_sub(buffer.filled().len() - before);
        if preface.missing == 0 {
            self.preface = None;
        } else if read.is_pending() {
            ready!(preface.deadline.as_mut().poll(context));
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        read
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.stream {
            Bytes::Clear(stream) => Pin::new(stream).poll_write(context, bytes),
            Bytes::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Bytes::Clear(stream) => Pin::new(stream).poll_flush(context),
            Bytes::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Bytes::Clear(stream) => Pin::new(stream).poll_shutdown(context),
            Bytes::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}

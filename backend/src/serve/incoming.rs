//! Connections of agents and gRPC clients, in clear or over TLS.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::server::Connected;

use crate::admission::{Peer, Shown};

/// How long a client may take to begin TLS.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Handshakes at the same time: each is a millisecond of a core, and the rest waits in the kernel's queue.
const HANDSHAKES: usize = 256;
/// Connections that wait to be served.
const WAITING: usize = 16;
/// How long nothing is accepted after that failed: descriptors may have run out.
const PAUSE: Duration = Duration::from_millis(100);

/// A connection, and who is at its other end.
#[derive(Debug)]
pub(super) struct Connection {
    stream: Bytes,
    peer: Peer,
}

#[derive(Debug)]
enum Bytes {
    Clear(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// Accepts connections until `shutdown`; with a configuration, over TLS.
pub(super) fn incoming(
    listener: TcpListener,
    tls: Option<watch::Receiver<Arc<ServerConfig>>>,
    shutdown: CancellationToken,
) -> ReceiverStream<io::Result<Connection>> {
    let (ready, connections) = mpsc::channel(WAITING);
    let handshakes = Arc::new(Semaphore::new(HANDSHAKES));
    tokio::spawn(async move {
        loop {
            // Invariant: the semaphore is never closed, so a permit always comes.
            let permit = Arc::clone(&handshakes).acquire_owned().await;
            let accepted = shutdown.run_until_cancelled(listener.accept()).await;
            let (stream, address) = match accepted {
                None => return,
                Some(Ok(accepted)) => accepted,
                Some(Err(error)) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    sleep(PAUSE).await;
                    continue;
                }
            };
            let config = tls.as_ref().map(|tls| Arc::clone(&tls.borrow()));
            let ready = ready.clone();
            tokio::spawn(async move {
                let connection = begin(stream, address, config).await;
                drop(permit);
                match connection {
                    // Nobody to serve it while shutting down.
                    Ok(connection) => drop(ready.send(Ok(connection)).await),
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
) -> io::Result<Connection> {
    stream.set_nodelay(true)?;
    let mut peer = Peer {
        address: Some(address),
        ..Peer::default()
    };
    let Some(config) = config else {
        let stream = Bytes::Clear(stream);
        return Ok(Connection { stream, peer });
    };
    let accept = timeout(HANDSHAKE, TlsAcceptor::from(config).accept(stream));
    let stream = accept
        .await
        .map_err(|_elapsed| io::Error::from(io::ErrorKind::TimedOut))??;
    peer.is_tls = true;
    let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
    peer.certificate = shown.and_then(|certificate| Shown::read(certificate));
    Ok(Connection {
        stream: Bytes::Tls(Box::new(stream)),
        peer,
    })
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
        match &mut self.stream {
            Bytes::Clear(stream) => Pin::new(stream).poll_read(context, buffer),
            Bytes::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        }
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

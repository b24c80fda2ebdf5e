//! The collector's ports.

use std::{fs, net::SocketAddr, path::Path};

use tokio::net::{TcpListener, UdpSocket};

use super::{Config, ServeError};
use crate::netconsole;

/// Everything that is listened on.
#[derive(Debug)]
pub(super) struct Listeners {
    pub(super) grpc: TcpListener,
    pub(super) http: TcpListener,
    pub(super) netconsole: Option<UdpSocket>,
}

/// Where that is.
#[derive(Debug, Clone, Copy, serde::Serialize)]
pub(super) struct Addresses {
    pub(super) grpc: SocketAddr,
    pub(super) http: SocketAddr,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) netconsole: Option<SocketAddr>,
}

impl Listeners {
    /// Opens the ports.
    pub(super) async fn open(config: &Config) -> Result<Self, ServeError> {
        Ok(Self {
            grpc: listen(config.grpc).await?,
            http: listen(config.http).await?,
            netconsole: match config.netconsole {
                Some(address) => Some(
                    netconsole::listen(address)
                        .await
                        .map_err(|source| ServeError::Listen { address, source })?,
                ),
                None => None,
            },
        })
    }

    /// Where the ports are, whatever was asked for.
    pub(super) fn addresses(&self, config: &Config) -> Result<Addresses, ServeError> {
        let failed = |address| move |source| ServeError::Listen { address, source };
        let netconsole = match (&self.netconsole, config.netconsole) {
            (Some(socket), Some(address)) => Some(socket.local_addr().map_err(failed(address))?),
            _ => None,
        };
        Ok(Addresses {
            grpc: self.grpc.local_addr().map_err(failed(config.grpc))?,
            http: self.http.local_addr().map_err(failed(config.http))?,
            netconsole,
        })
    }
}

impl Addresses {
    /// Writes `{"grpc":"ip:port","http":"ip:port"}`, and `"netconsole"` where there is one; whoever waits for the file never
    /// sees half of it.
    pub(super) fn write(&self, path: &Path) -> Result<(), ServeError> {
        let failed = |source| ServeError::AddressFile {
            path: path.to_owned(),
            source,
        };
        let json = serde_json::to_vec(self).map_err(|error| failed(error.into()))?;
        let new = path.with_extension("new");
        fs::write(&new, json).map_err(failed)?;
        fs::rename(&new, path).map_err(failed)
    }
}

async fn listen(address: SocketAddr) -> Result<TcpListener, ServeError> {
    TcpListener::bind(address)
        .await
        .map_err(|source| ServeError::Listen { address, source })
}

//! Unix sockets: binding, and serving a bounded number of connections.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Pause after `accept` failed, as it does while the process has no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long open connections may take when the agent stops.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Why a socket cannot be listened on.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another program listens there.
    #[error("another program listens on {}: stop it, or choose another path in the configuration", path.display())]
    InUse {
        /// The socket.
        path: PathBuf,
    },
    /// Something that is no socket is there.
    #[error("{} is not a socket: move it away, or choose another path in the configuration", path.display())]
    NoSocket {
        /// The path.
        path: PathBuf,
    },
    /// The kernel refused.
    #[error("cannot listen on {}", path.display())]
    Io {
        /// The socket.
        path: PathBuf,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
}

/// A socket. One that was made here is removed when it is dropped.
#[derive(Debug)]
pub struct Listener {
    inner: std::os::unix::net::UnixListener,
    path: PathBuf,
    made: Made,
}

/// What was made for a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Made {
    /// Nothing: the service manager did it.
    Nothing,
    Socket,
    SocketAndFolder,
}

impl Listener {
    /// Listens on `path`, replacing a socket that nobody listens on any more.
    pub fn bind(path: &Path, mode: u32) -> Result<Self, BindError> {
        let failed = |source| BindError::Io {
            path: path.to_owned(),
            source,
        };
        let mut made = Made::Socket;
        match std::fs::symlink_metadata(path) {
            Ok(found) if !found.file_type().is_socket() => {
                return Err(BindError::NoSocket {
                    path: path.to_owned(),
                });
            }
            Ok(_) if std::os::unix::net::UnixStream::connect(path).is_ok() => {
                return Err(BindError::InUse {
                    path: path.to_owned(),
                });
            }
            Ok(_) => std::fs::remove_file(path).map_err(failed)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let folder = path.parent().unwrap_or(Path::new("."));
                if !folder.exists() {
                    made = Made::SocketAndFolder;
                }
                std::fs::create_dir_all(folder).map_err(failed)?;
            }
            Err(error) => return Err(failed(error)),
        }
        let listener = std::os::unix::net::UnixListener::bind(path).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).map_err(failed)?;
        Ok(Self {
            inner: listener,
            path: path.to_owned(),
            made,
        })
    }

    /// The socket at `path` that the service manager listens on and hands over as the standard input
    /// (`StandardInput=socket` of `systemd.exec(5)`); `None` when the standard input is anything else.
    pub fn inherited(path: &Path) -> Option<Self> {
        Self::of_descriptor(std::io::stdin().as_fd().try_clone_to_owned().ok()?, path)
    }

    fn of_descriptor(descriptor: OwnedFd, path: &Path) -> Option<Self> {
        let listens = rustix::net::sockopt::socket_acceptconn(&descriptor);
        if !matches!(listens, Ok(true)) {
            return None;
        }
        let inner = std::os::unix::net::UnixListener::from(descriptor);
        let address = inner.local_addr().ok()?;
        if address.as_pathname() != Some(path) || inner.set_nonblocking(true).is_err() {
            return None;
        }
        Some(Self {
            inner,
            path: path.to_owned(),
            made: Made::Nothing,
        })
    }

    /// Whether the socket was made here.
    pub fn is_own(&self) -> bool {
        self.made != Made::Nothing
    }

    /// Whether the socket's folder was made for it.
    pub fn made_folder(&self) -> bool {
        self.made == Made::SocketAndFolder
    }

    /// Serves until `stop`: each connection by `talk`, at most `connections` at the same time, each for at most
    /// `limit`. More wait in the kernel's queue.
    pub async fn serve<T, F>(self, connections: usize, limit: Duration, stop: CancellationToken, talk: T)
    where
        T: Fn(UnixStream) -> F,
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = match self.inner.try_clone().and_then(UnixListener::from_std) {
            Ok(listener) => listener,
            Err(error) => {
                tracing::error!(path = %self.path.display(), %error, "the socket cannot be served: restart telemd");
                return;
            }
        };
        let room = Arc::new(Semaphore::new(connections));
        let mut open = JoinSet::new();
        loop {
            let next = async {
                let permit = Arc::clone(&room).acquire_owned().await;
                (permit, listener.accept().await)
            };
            tokio::select! {
                () = stop.cancelled() => break,
                Some(_ended) = open.join_next() => {}
                (permit, accepted) = next => match accepted {
                    Ok((stream, _address)) => {
                        let talking = tokio::time::timeout(limit, talk(stream));
                        open.spawn(async move {
                            // Too slow: the connection is dropped.
                            let _slow = talking.await.is_err();
                            drop(permit);
                        });
                    }
                    Err(error) => {
                        tracing::warn!(path = %self.path.display(), %error, "a connection could not be accepted");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                }
            }
        }
        let last_words = async { while open.join_next().await.is_some() {} };
        if tokio::time::timeout(LAST_WORDS, last_words).await.is_err() {
            tracing::debug!(path = %self.path.display(), "connections were cut off");
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if !self.is_own() {
            return;
        }
        // In a folder of root's, such as /run, it stays behind, and the next start replaces it.
        if let Err(error) = std::fs::remove_file(&self.path)
            && !matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied
            )
        {
            tracing::warn!(path = %self.path.display(), %error, "the socket could not be removed");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_left_behind_is_replaced_and_one_in_use_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run/s");
        let first = Listener::bind(&path, 0o600).unwrap();
        assert!(matches!(
            Listener::bind(&path, 0o600),
            Err(BindError::InUse { .. })
        ));
        drop(first);
        assert!(!path.exists());
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let second = Listener::bind(&path, 0o640).unwrap();
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o640
        );
        drop(second);
        std::fs::write(&path, "mine").unwrap();
        assert!(matches!(
            Listener::bind(&path, 0o600),
            Err(BindError::NoSocket { .. })
        ));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
    }

    #[test]
    fn a_socket_of_the_service_manager_is_taken_when_it_is_the_right_one_and_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        let manager = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let handed_over = || manager.as_fd().try_clone_to_owned().unwrap();
        assert!(Listener::of_descriptor(handed_over(), Path::new("/elsewhere")).is_none());
        let client = std::os::unix::net::UnixStream::connect(&path).unwrap();
        assert!(Listener::of_descriptor(client.into(), &path).is_none());
        let file = tempfile::tempfile().unwrap();
        assert!(Listener::of_descriptor(file.into(), &path).is_none());
        let taken = Listener::of_descriptor(handed_over(), &path).unwrap();
        assert!(!taken.is_own());
        drop(taken);
        assert!(path.exists());
    }
}

//! Where a privileged half comes from: telemd has it started, or the service manager does.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use privilege::channel::{Channel, ChannelError};

use super::Introduction;
use super::client::{Client, ClientError};

/// The program of the privileged half, beside `telemd`.
const PROGRAM: &str = "telemd-probes";
/// How long splitting a process off may take.
const SPLIT_TIME: Duration = Duration::from_secs(10);

/// Why there is no privileged half.
#[derive(Debug, thiserror::Error)]
pub(super) enum LaunchError {
    /// It is not installed.
    #[error("{} is missing: install it beside telemd", path.display())]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// It cannot be started.
    #[error("cannot start {}", path.display())]
    Start {
        /// The program.
        path: PathBuf,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// What telemd started to start it again is not there any more.
    #[error("{PROGRAM} cannot be started again: restart telemd")]
    Supervisor(#[source] ChannelError),
    /// Nobody answers where it should be.
    #[error("cannot reach {PROGRAM} at {}: start its socket unit", path.display())]
    Connect {
        /// The socket.
        path: PathBuf,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// There is no channel.
    #[error("cannot make a channel to {PROGRAM}")]
    Channel(#[source] io::Error),
    /// It does not answer.
    #[error("{PROGRAM} does not answer")]
    Client(#[source] ClientError),
}

/// Where a privileged half comes from.
#[derive(Debug)]
pub(super) enum Source {
    /// A process of telemd's, which starts one for each descriptor that it is sent, see [`super::supervise`].
    Supervisor {
        requests: Channel,
        /// Kept so that it is this process's child that ends, and nobody else's.
        _child: Child,
    },
    /// The service manager starts one for whoever connects.
    Socket(PathBuf),
}

/// A privileged half that has said who it is.
pub(super) struct Reached {
    pub(super) client: Client,
    pub(super) introduction: Introduction,
    /// How the one before ended, where that is known.
    pub(super) ended: String,
}

impl Source {
    /// With `socket` it is the service manager's. Without, the program beside this one is started with the configuration
    /// file `config` and the privileges of this process; it ends when this process does.
    pub(super) fn new(config: Option<&Path>, socket: Option<&Path>) -> Result<Self, LaunchError> {
        if let Some(socket) = socket {
            return Ok(Self::Socket(socket.to_owned()));
        }
        let own = std::env::current_exe().map_err(LaunchError::Channel)?;
        let path = own.with_file_name(PROGRAM);
        let (here, there) = Channel::pair().map_err(LaunchError::Channel)?;
        here.set_patience(Some(SPLIT_TIME))
            .map_err(LaunchError::Channel)?;
        let mut command = Command::new(&path);
        command.arg("--supervise");
        if let Some(config) = config {
            command.arg("--config").arg(config);
        }
        let input = Stdio::from(OwnedFd::from(there.into_stream()));
        match command.stdin(input).stdout(Stdio::null()).spawn() {
            Ok(child) => Ok(Self::Supervisor {
                requests: here,
                _child: child,
            }),
            Err(source) if source.kind() == io::ErrorKind::NotFound => Err(LaunchError::Missing { path }),
            Err(source) => Err(LaunchError::Start { path, source }),
        }
    }

    /// Has a privileged half started, and an earlier one ended.
    pub(super) fn reach(&mut self) -> Result<Reached, LaunchError> {
        let (channel, ended) = match self {
            Self::Supervisor { requests, .. } => split_off(requests)?,
            Self::Socket(path) => (connect(path)?, String::new()),
        };
        let mut client = Client::new(channel).map_err(LaunchError::Client)?;
        let introduction = client.introduce().map_err(LaunchError::Client)?;
        Ok(Reached {
            client,
            introduction,
            ended,
        })
    }
}

fn split_off(requests: &mut Channel) -> Result<(Channel, String), LaunchError> {
    let (here, there) = Channel::pair().map_err(LaunchError::Channel)?;
    let answer = requests
        .send(b"", &[there.as_fd()])
        .and_then(|()| requests.receive())
        .map_err(LaunchError::Supervisor)?;
    Ok((here, String::from_utf8_lossy(&answer.bytes).into_owned()))
}

fn connect(socket: &Path) -> Result<Channel, LaunchError> {
    UnixStream::connect(socket)
        .map(Channel::new)
        .map_err(|source| LaunchError::Connect {
            path: socket.to_owned(),
            source,
        })
}

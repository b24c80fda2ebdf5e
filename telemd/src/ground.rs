//! Before the work: what takes the privileges that telemd was started with is done first, then they are given up.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use privilege::account::{self, Account, ListError};
use privilege::calls::{self, Role};
use privilege::credentials::{self, CredentialsError};
use privilege::reach::{self, Enforced, Reach};
use privilege::standing::Standing;
use rustix::fs::{AtFlags, CWD, chownat};
use rustix::thread::CapabilitySet;
use tokio::sync::mpsc;

use crate::config::{Config, DEFAULT_USER, Probes};
use crate::control::{Asked, Control};
use crate::identity::{StateDir, StateError};
use crate::listener::{BindError, Listener};
use crate::ship::{self, Proxies};
use crate::socket;
use crate::status::Confinement;
use crate::text::chain;

/// What the C library, the runtime and the agent read: names of hosts and the configuration, the processors and memory of
/// the host, libraries of name services, the settings of a resolver on this host, what container this is.
const READ: [&str; 10] = [
    "/etc",
    "/proc",
    "/sys",
    "/usr",
    "/lib",
    "/lib64",
    "/run/systemd/resolve",
    "/run/systemd/container",
    "/dev/null",
    "/dev/urandom",
];
/// Where names of hosts are asked over TCP when an answer is long (RFC 7766).
const DNS_PORT: u16 = 53;

/// Why the agent cannot run.
#[derive(Debug, thiserror::Error)]
pub enum GroundError {
    /// The configured user is not there.
    #[error(
        "there is no user {name:?}: make one (`useradd --system {name}`) or correct `user` in the configuration"
    )]
    NoUser {
        /// Its name.
        name: String,
    },
    /// The users cannot be looked up.
    #[error(transparent)]
    Users(#[from] ListError),
    /// The state directory.
    #[error(transparent)]
    State(#[from] StateError),
    /// A socket.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// A file cannot be given to the user.
    #[error("give {} to the user that telemd runs as", path.display())]
    Own {
        /// The file.
        path: PathBuf,
        /// What the kernel said.
        #[source]
        source: std::io::Error,
    },
    /// Privileges are not given up.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
}

/// What the agent stands on.
#[derive(Debug)]
pub struct Ground {
    /// The state directory.
    pub state: StateDir,
    /// The socket that `telemctl` asks, and its questions.
    pub control: (Control, mpsc::Receiver<Asked>),
    /// The socket that programs send records to.
    pub socket: Listener,
    /// What the agent is left with.
    pub confinement: Confinement,
}

impl Ground {
    /// Opens the state directory and the sockets, gives them to the user of the configuration, becomes that user, and gives
    /// everything up that talking to the network does not take. Must be called before there are threads; whatever needs
    /// more must have been started. `file` is where the configuration came from, when that is not the default file.
    pub fn prepare(config: &Config, file: Option<&Path>) -> Result<Self, GroundError> {
        let account = if credentials::is_root() {
            account(config)?
        } else {
            None
        };
        let state = StateDir::open(&config.state_dir)?;
        let control = Control::bind(&config.control_path)?;
        let socket = match Listener::inherited(&config.socket_path) {
            Some(socket) => socket,
            None => Listener::bind(&config.socket_path, socket::MODE)?,
        };
        if let Some(account) = &account {
            own_state(&config.state_dir, account)?;
            own(&config.control_path, account)?;
            if socket.is_own() {
                own(&config.socket_path, account)?;
            }
            if control.0.made_folder() {
                own(folder(&config.control_path), account)?;
            }
        }
        let confinement = confine(config, file, account.as_ref())?;
        Ok(Self {
            state,
            control,
            socket,
            confinement,
        })
    }
}

/// Whom to become; `None` is to stay root.
fn account(config: &Config) -> Result<Option<Account>, GroundError> {
    let name = config.user.as_deref().unwrap_or(DEFAULT_USER);
    let found = account::find(Path::new(account::PASSWD), name)?;
    match (found, &config.user) {
        (None, Some(name)) => Err(GroundError::NoUser { name: name.clone() }),
        (found, _) => Ok(found.filter(|account| account.uid != 0)),
    }
}

/// Gives the state directory and what is in it to `account`, unless it is that user's already: then that user has made
/// what is in it, and may have linked files of others there. While the directory is root's, nobody else could.
fn own_state(state_dir: &Path, account: &Account) -> Result<(), GroundError> {
    let failed = |source| GroundError::Own {
        path: state_dir.to_owned(),
        source,
    };
    if fs::metadata(state_dir).map_err(failed)?.uid() == account.uid {
        return Ok(());
    }
    let mut folders = vec![state_dir.to_owned()];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if entry.file_type().map_err(failed)?.is_dir() {
                folders.push(entry.path());
            }
            found.push(entry.path());
        }
    }
    // The directory comes last: nobody else can change what is in it before.
    found.push(state_dir.to_owned());
    found.iter().try_for_each(|path| own(path, account))
}

fn own(path: &Path, account: &Account) -> Result<(), GroundError> {
    let uid = rustix::fs::Uid::from_raw(account.uid);
    let gid = rustix::fs::Gid::from_raw(account.gid);
    chownat(CWD, path, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW).map_err(|errno| GroundError::Own {
        path: path.to_owned(),
        source: errno.into(),
    })
}

/// Gives everything up that talking to the network does not take.
fn confine(
    config: &Config,
    file: Option<&Path>,
    account: Option<&Account>,
) -> Result<Confinement, GroundError> {
    let was_root = credentials::is_root();
    // It is remembered: a process that has changed its user is not shown its own auxiliary vector any more, and before
    // Linux 6.4 there is no other way to it.
    let _page_bytes = rustix::param::page_size();
    let mut missing = Vec::new();
    if let Some(account) = account {
        credentials::limit_programs(CapabilitySet::empty())?;
        credentials::become_user(account)?;
    } else if was_root {
        missing.push(format!(
            "a user of its own: make one (`useradd --system {DEFAULT_USER}`) or name one in `user`; files of root are its files"
        ));
    }
    credentials::keep_capabilities(CapabilitySet::empty())?;
    credentials::no_new_privileges()?;
    let landlock = match reach::restrict(&wanted(config, file)) {
        Ok(Enforced::Landlock(abi)) => Some(abi),
        Ok(Enforced::Not) => {
            missing.push("Landlock: it came with Linux 5.13 and must be in the kernel's `lsm=`".to_owned());
            None
        }
        Err(error) => {
            missing.push(format!("Landlock: {}", chain(&error)));
            None
        }
    };
    if let Err(error) = calls::restrict(Role::Networked) {
        missing.push(format!("seccomp: {}", chain(&error)));
    }
    let standing = Standing::own().unwrap_or_default();
    Ok(Confinement {
        user: account.map_or_else(|| format!("uid {}", standing.uid), |account| account.name.clone()),
        standing,
        landlock,
        missing,
    })
}

/// The files and ports that the agent will use.
fn wanted(config: &Config, file: Option<&Path>) -> Reach {
    let mut read: BTreeSet<PathBuf> = READ.map(PathBuf::from).into();
    // The file may be made later, and its folder too.
    let made = config
        .opt_in_file
        .ancestors()
        .skip(1)
        .find(|folder| folder.is_dir());
    read.extend(made.map(Path::to_owned));
    // The configuration is read again when it is asked for, and editors put another file in its place.
    read.extend(file.map(|file| folder(file).to_owned()));
    // What the privileged half hands over is read here where there is none.
    let Probes {
        kmsg_path,
        pstore_dir,
        earlier_root,
        ..
    } = &config.probes;
    read.extend([kmsg_path, pstore_dir].map(Clone::clone));
    if earlier_root != Path::new("/") {
        read.insert(earlier_root.clone());
    }
    // Certificates are exchanged by others put beside them and renamed.
    let collector = &config.collector;
    let files = [
        &collector.ca_file,
        &collector.certificate_file,
        &collector.key_file,
    ];
    read.extend(files.into_iter().flatten().map(|file| folder(file).to_owned()));
    let mut write = BTreeSet::from([config.state_dir.clone()]);
    write.extend(config.drop.iter().map(|folder| folder.dir.clone()));
    // Sockets are removed at the end, where that does not open a folder that holds other programs' files too.
    let folders = [&config.socket_path, &config.control_path].map(|path| folder(path));
    write.extend(
        folders
            .into_iter()
            .filter(|folder| folder.components().count() > 2)
            .map(Path::to_owned),
    );
    Reach {
        read: read.into_iter().collect(),
        write: write.into_iter().collect(),
        connect: ports(config),
        // A service manager in a container may listen in the abstract namespace.
        others: std::env::var("NOTIFY_SOCKET").is_ok_and(|path| path.starts_with('@')),
    }
}

/// The ports of the collectors, or of the proxies on the way to them, and of name servers.
fn ports(config: &Config) -> Vec<u16> {
    if !config.collector.enabled {
        return Vec::new();
    }
    let proxies = Proxies::of_environment();
    let servers = ship::servers(&config.collector, &config.state_dir);
    let ports = servers.iter().map(|server| proxies.port(server));
    ports.chain([DNS_PORT]).collect()
}

fn folder(path: &Path) -> &Path {
    let parent = path.parent().unwrap_or(Path::new("/"));
    if parent.as_os_str().is_empty() {
        Path::new(".")
    } else {
        parent
    }
}

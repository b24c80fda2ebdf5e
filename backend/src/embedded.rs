//! A private PostgreSQL: the database of a collector that was given none.
//!
//! ```text
//! DATA_DIR/lock              held by the one backend that may use the folder
//! DATA_DIR/postgres/data/    the cluster
//! DATA_DIR/postgres/socket/  its only way in: a Unix socket in a folder that only its owner may enter
//! DATA_DIR/postgres/log      what PostgreSQL prints; log.old before that
//! ```
//!
//! The server ends with the backend, also when that is killed: the kernel then sends it SIGINT, a fast shutdown. Should
//! one survive all the same, the next start stops it first. PostgreSQL refuses to run as root: root's backend runs it
//! as `postgres`, or as `nobody` where there is no such user.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use rustix::{
    fs::{FlockOperation, flock},
    process::{Pid, Signal, kill_process},
};
use tokio::{
    process::Child,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

mod account;
mod orphan;
mod programs;

use account::Account;
pub use programs::{Programs, client_program};

/// How long PostgreSQL may take to answer after a start; recovery after a crash is part of it.
const START: Duration = Duration::from_mins(2);
/// How long a fast shutdown may take, and then an immediate one.
const STOP: Duration = Duration::from_secs(30);
/// How often its state is looked at.
const POLL: Duration = Duration::from_millis(50);
/// The pause before a server that ended by itself is started again.
const RESTART: Duration = Duration::from_secs(1);
/// Larger than this, PostgreSQL's log makes room for a new one at the next start. Bytes.
const LOG: u64 = 16 * 1024 * 1024;
/// Longest path of a Unix socket that Linux takes.
const SOCKET_PATH: usize = 107;

/// Why there is no private PostgreSQL.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    /// PostgreSQL is not installed, or too old, or not the version that made the data.
    #[error(
        "{0}. Install it (Debian and Ubuntu: `apt install postgresql`), name the folder of its programs with \
         --postgres-bin, or use another server with --database"
    )]
    Missing(String),
    /// `setpriv` of util-linux is needed to run it as another user and to end it with this process.
    #[error("`setpriv` could not be run; install util-linux")]
    Setpriv(#[source] io::Error),
    /// A file or folder could not be used.
    #[error("{path}")]
    Io {
        /// Which one.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Another backend uses the data directory.
    #[error("{0} is in use by another backend: stop that one, or give this one its own --data-dir")]
    InUse(PathBuf),
    /// The user that PostgreSQL runs as cannot get at its folder.
    #[error(
        "PostgreSQL runs as the user {user}, who may not enter {folder}: choose another --data-dir, such as \
         /var/lib/telemetrics-backend, or `chmod o+x {folder}`"
    )]
    Unreachable {
        /// The user.
        user: String,
        /// The first folder that is closed to it.
        folder: PathBuf,
    },
    /// The path of the socket is too long.
    #[error("{0} is too long for the path of a Unix socket: choose a shorter --data-dir")]
    LongPath(PathBuf),
    /// There is no user to run it as.
    #[error("root cannot run PostgreSQL, and there is neither a user `postgres` nor `nobody`")]
    NoUser,
    /// A program of PostgreSQL failed.
    #[error("{program} failed: {output}")]
    Failed {
        /// Which.
        program: &'static str,
        /// What it said.
        output: String,
    },
}

/// A running private PostgreSQL.
#[derive(Debug)]
pub struct Cluster {
    dir: PathBuf,
    programs: Programs,
    account: Account,
    child: Child,
    /// Held as long as this lives.
    _lock: File,
}

impl Cluster {
    /// Starts the server of a data directory, which is made when it does not exist.
    ///
    /// The server ends with the *thread* that calls this: call it from the main thread.
    pub async fn start(data_dir: &Path, postgres_bin: Option<&Path>) -> Result<Self, EmbeddedError> {
        let data_dir = &std::path::absolute(data_dir).map_err(at(data_dir))?;
        let lock = lock(data_dir)?;
        let dir = data_dir.join("postgres");
        let socket = dir.join("socket").join(".s.PGSQL.5432");
        if socket.as_os_str().len() > SOCKET_PATH {
            return Err(EmbeddedError::LongPath(socket));
        }
        let account = Account::for_folder(&dir)?;
        account.check_path(data_dir)?;
        account.own(&dir)?;
        account.own(&dir.join("socket"))?;
        let programs = Programs::find(postgres_bin, &dir.join("data")).await?;
        orphan::stop(&dir).await?;
        if !dir.join("data").exists() {
            init(&dir, &programs, &account).await?;
        }
        let child = spawn(&dir, &programs, &account)?;
        let mut cluster = Self {
            dir,
            programs,
            account,
            child,
            _lock: lock,
        };
        cluster.wait_until_ready().await?;
        Ok(cluster)
    }

    /// How it is reached: a connection string of libpq.
    pub fn url(&self) -> String {
        url(&self.dir)
    }

    /// How that of a data directory is reached while a collector runs it.
    pub fn url_in(data_dir: &Path) -> String {
        let data_dir = std::path::absolute(data_dir).unwrap_or_else(|_no_current_folder| data_dir.to_owned());
        url(&data_dir.join("postgres"))
    }

    /// The data directory unless another is named. None: there is no home to have it in.
    pub fn default_dir() -> Option<PathBuf> {
        // Not the agent's folder, which only the agent may enter and which it locks.
        const NAME: &str = "telemetrics-backend";
        if rustix::process::geteuid().is_root() {
            return Some(Path::new("/var/lib").join(NAME));
        }
        let folder = |name: &str| {
            std::env::var_os(name)
                .map(PathBuf::from)
                .filter(|path| path.is_absolute())
        };
        let share = folder("XDG_DATA_HOME").or_else(|| Some(folder("HOME")?.join(".local/share")));
        Some(share?.join(NAME))
    }

    /// Whether a data directory has one. What cannot be looked at counts: starting it says why not.
    pub fn is_in(data_dir: &Path) -> bool {
        data_dir.join("postgres/data").try_exists().unwrap_or(true)
    }

    /// Starts the server again whenever it ends by itself, until `shutdown`. Call it from the main thread, too.
    pub async fn supervise(&mut self, shutdown: &CancellationToken) {
        loop {
            let Some(status) = shutdown.run_until_cancelled(self.child.wait()).await else {
                return;
            };
            tracing::warn!(status = %ended(status), log = %self.log().display(), "PostgreSQL ended, starting it again");
            let again = async {
                sleep(RESTART).await;
                self.child = spawn(&self.dir, &self.programs, &self.account)?;
                self.wait_until_ready().await
            };
            match shutdown.run_until_cancelled(again).await {
                Some(Ok(())) => tracing::info!("PostgreSQL answers again"),
                Some(Err(error)) => {
                    tracing::error!(error = %crate::store::chain(&error), "PostgreSQL does not start");
                }
                None => return,
            }
        }
    }

    /// Stops the server.
    pub async fn stop(mut self) {
        let Some(pid) = self
            .child
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .and_then(Pid::from_raw)
        else {
            return;
        };
        for signal in [Signal::INT, Signal::QUIT, Signal::KILL] {
            // It may have ended this very moment: then the wait below returns at once.
            kill_process(pid, signal).ok();
            if timeout(STOP, self.child.wait()).await.is_ok() {
                return;
            }
            tracing::warn!(?signal, "PostgreSQL does not end");
        }
    }

    fn log(&self) -> PathBuf {
        self.dir.join("log")
    }

    async fn wait_until_ready(&mut self) -> Result<(), EmbeddedError> {
        let failed = |output| EmbeddedError::Failed {
            program: "postgres",
            output,
        };
        let deadline = Instant::now() + START;
        loop {
            if crate::store::answers(&self.url()).await {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait().map_err(at(&self.dir))? {
                return Err(failed(format!("{status}; {}", log_tail(&self.log()))));
            }
            if Instant::now() > deadline {
                return Err(failed(format!(
                    "no answer within {START:?}; {}",
                    log_tail(&self.log())
                )));
            }
            sleep(POLL).await;
        }
    }
}

/// A connection string of libpq for the cluster in `dir`.
fn url(dir: &Path) -> String {
    let socket = dir.join("socket").display().to_string();
    let quoted = socket.replace('\\', r"\\").replace('\'', r"\'");
    format!("host='{quoted}' user=postgres dbname=postgres")
}

/// Takes the folder for this process. The lock ends with the process, however that ends.
fn lock(data_dir: &Path) -> Result<File, EmbeddedError> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create(data_dir)
        .map_err(at(data_dir))?;
    let path = data_dir.join("lock");
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(at(&path))?;
    flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|error| {
        if error == rustix::io::Errno::WOULDBLOCK {
            EmbeddedError::InUse(data_dir.to_owned())
        } else {
            at(&path)(error.into())
        }
    })?;
    Ok(file)
}

/// Makes the cluster, under another name first: a half-made one is never taken for a whole one.
async fn init(dir: &Path, programs: &Programs, account: &Account) -> Result<(), EmbeddedError> {
    let new = dir.join("data.new");
    if new.exists() {
        fs::remove_dir_all(&new).map_err(at(&new))?;
    }
    tracing::info!(folder = %dir.join("data").display(), "making a private PostgreSQL");
    let output = account
        .command(&programs.initdb())
        .args([
            "--no-locale",
            "--encoding=UTF8",
            "--username=postgres",
            "--auth=trust",
            "--pgdata",
        ])
        .arg(&new)
        .stdin(Stdio::null())
        .output()
        .await
        .map_err(EmbeddedError::Setpriv)?;
    if !output.status.success() {
        let output = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(EmbeddedError::Failed {
            program: "initdb",
            output,
        });
    }
    fs::rename(&new, dir.join("data")).map_err(at(&new))
}

/// Settings of the private server; docs/operations.md recommends those of its pace for others.
const SETTINGS: &[&str] = &[
    "listen_addresses=",
    "unix_socket_permissions=0700",
    "max_connections=50",
    "shared_buffers=128MB",
    "log_line_prefix=%m [%p] ",
    "max_wal_size=4GB",
    "wal_buffers=32MB",
    // Segments are kept for the next burst: a new one is filled with zeros first, for which commits wait.
    "min_wal_size=1GB",
    // What was written goes to the disk steadily: left to pile up in memory until a checkpoint syncs the files, it has
    // commits wait for a second.
    "backend_flush_after=1MB",
    // The background writer does most of that, so that those who store records seldom have to.
    "bgwriter_delay=10ms",
    "bgwriter_lru_maxpages=1000",
    "bgwriter_lru_multiplier=4",
];

fn spawn(dir: &Path, programs: &Programs, account: &Account) -> Result<Child, EmbeddedError> {
    let path = dir.join("log");
    if fs::metadata(&path).is_ok_and(|log| log.len() > LOG) {
        fs::rename(&path, dir.join("log.old")).map_err(at(&path))?;
    }
    let log = File::options()
        .create(true)
        .append(true)
        .open(&path)
        .map_err(at(&path))?;
    // Trust is for whoever gets at the socket: its folder is closed to everyone but its owner.
    let socket_dir = dir.join("socket").display().to_string();
    account
        .command(&programs.postgres())
        .arg("-D")
        .arg(dir.join("data"))
        .args([
            "-c",
            &format!("unix_socket_directories=\"{}\"", socket_dir.replace('"', "\"\"")),
        ])
        .args(SETTINGS.iter().flat_map(|setting| ["-c", *setting]))
        .stdin(Stdio::null())
        .stdout(log.try_clone().map_err(at(&path))?)
        .stderr(log)
        // Ctrl-C in a terminal is for the backend, which then stops PostgreSQL last.
        .process_group(0)
        .spawn()
        .map_err(EmbeddedError::Setpriv)
}

fn ended(status: io::Result<ExitStatus>) -> String {
    status.map_or_else(|error| error.to_string(), |status| status.to_string())
}

fn log_tail(path: &Path) -> String {
    let text = fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(5)..].join("; ")
}

/// Adds the path to an I/O error.
fn at(path: &Path) -> impl FnOnce(io::Error) -> EmbeddedError + use<> {
    let path = path.to_owned();
    move |source| EmbeddedError::Io { path, source }
}

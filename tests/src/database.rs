//! A PostgreSQL cluster of one test's own, which can be stopped and started again.

use std::{
    ffi::OsString,
    fs::{self, File},
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use prost::Message as _;
use proto::v1::{Custom, Record, record::Payload};
use rustix::process::{Pid, Signal};
use tokio_postgres::{NoTls, Row};

use crate::process::wait_for;

/// How long PostgreSQL may take to start or to stop.
const PATIENCE: Duration = Duration::from_mins(1);
/// Superuser of the cluster and its one database.
const NAME: &str = "telemetrics";
/// Users that PostgreSQL may run as when the test is root, which it refuses to be.
const USERS: [&str; 2] = ["postgres", "nobody"];

/// A running PostgreSQL that listens on a Unix socket only. It ends, and its files go, with this value.
#[derive(Debug)]
pub struct Database {
    programs: PathBuf,
    user: Option<User>,
    server: Option<Child>,
    // Dropped last: the server uses it.
    dir: tempfile::TempDir,
}

/// What the agents of one sender have told, as the view `books` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Books {
    /// Every sequence up to the stored one, and every event that never got one.
    pub produced: i64,
    /// Records that are there.
    pub stored: i64,
    /// Events that are lost with a reason.
    pub lost: i64,
    /// Whether every sequence is stored once or lost.
    pub balanced: bool,
}

#[derive(Debug, Clone, Copy)]
struct User {
    uid: u32,
    gid: u32,
}

impl Database {
    /// Makes a cluster and starts it; the error says why that is not possible here.
    pub fn start() -> Result<Self, String> {
        let programs = programs()?;
        let user = if rustix::process::geteuid().is_root() {
            let found = USERS.iter().find_map(|name| user(name));
            Some(found.ok_or("PostgreSQL refuses to run as root and there is no user postgres or nobody")?)
        } else {
            None
        };
        let dir = tempfile::Builder::new()
            .prefix("telemetrics-pg-")
            .tempdir()
            .map_err(|error| format!("no temporary folder: {error}"))?;
        let mut database = Self {
            programs,
            user,
            server: None,
            dir,
        };
        database.make().expect("a new PostgreSQL cluster");
        database.restart().expect("PostgreSQL starts");
        Ok(database)
    }

    fn make(&self) -> Result<()> {
        if let Some(user) = self.user {
            std::os::unix::fs::chown(self.dir.path(), Some(user.uid), Some(user.gid))?;
        }
        fs::set_permissions(self.dir.path(), fs::Permissions::from_mode(0o700))?;
        let output = self
            .command("initdb")
            .args([
                "--username",
                NAME,
                "--auth",
                "trust",
                "--encoding",
                "UTF8",
                "--locale",
                "C",
            ])
            .args(["--no-sync", "--pgdata"])
            .arg(self.data())
            .output()?;
        ensure!(
            output.status.success(),
            "initdb: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(())
    }

    /// Starts the server, and waits until it takes connections.
    pub fn restart(&mut self) -> Result<()> {
        let log = File::options().create(true).append(true).open(self.log())?;
        let mut socket_dir = OsString::from("unix_socket_directories=");
        socket_dir.push(self.dir.path());
        let server = self
            .command("postgres")
            .arg("-D")
            .arg(self.data())
            .arg("-c")
            .arg(socket_dir)
            // The machine does not die in these tests, so nothing has to reach the disk.
            .args([
                "-c",
                "listen_addresses=",
                "-c",
                "fsync=off",
                "-c",
                "max_connections=50",
            ])
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        self.server = Some(server);
        if wait_for("PostgreSQL", PATIENCE, || {
            self.query_in("postgres", "SELECT 1").is_ok()
        })
        .is_err()
        {
            bail!(
                "PostgreSQL did not start:\n{}",
                fs::read_to_string(self.log()).unwrap_or_default()
            );
        }
        if self
            .query_in(
                "postgres",
                &format!("SELECT 1 FROM pg_database WHERE datname = '{NAME}'"),
            )?
            .is_empty()
        {
            self.query_in("postgres", &format!("CREATE DATABASE {NAME}"))?;
        }
        Ok(())
    }

    /// Stops the server; clients are cut off.
    pub fn stop(&mut self) -> Result<()> {
        let Some(mut server) = self.server.take() else {
            return Ok(());
        };
        // "Fast shutdown".
        rustix::process::kill_process(Pid::from_child(&server), Signal::INT)?;
        let stopped = wait_for("PostgreSQL to stop", PATIENCE, || {
            !matches!(server.try_wait(), Ok(None))
        });
        if stopped.is_err() {
            server.kill()?;
            server.wait()?;
        }
        stopped
    }

    /// Where the collector finds its database.
    pub fn url(&self) -> String {
        self.url_of(NAME)
    }

    fn url_of(&self, database: &str) -> String {
        format!(
            "postgresql://{NAME}@/{database}?host={}",
            self.dir.path().display()
        )
    }

    /// Rows of a query.
    pub fn query(&self, sql: &str) -> Result<Vec<Row>> {
        self.query_in(NAME, sql)
    }

    fn query_in(&self, database: &str, sql: &str) -> Result<Vec<Row>> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(async {
            let (client, connection) = tokio_postgres::connect(&self.url_of(database), NoTls).await?;
            let connection = tokio::spawn(connection);
            let rows = client.query(sql, &[]).await.with_context(|| sql.to_owned())?;
            drop(client);
            connection.await??;
            Ok(rows)
        })
    }

    /// One number.
    pub fn number(&self, sql: &str) -> Result<i64> {
        Ok(self.query(sql)?.first().context("no row")?.try_get(0)?)
    }

    /// Payloads of all stored custom records, as often as they are stored.
    pub fn stored_payloads(&self) -> Result<Vec<String>> {
        let customs = self.stored_customs()?;
        Ok(customs.into_iter().map(|custom| custom.payload).collect())
    }

    /// Every record of a program that is stored.
    pub fn stored_customs(&self) -> Result<Vec<Custom>> {
        let mut customs = Vec::new();
        for row in self.query("SELECT record FROM records WHERE NOT housekeeping")? {
            let record = Record::decode(row.try_get::<_, &[u8]>(0)?)?;
            if let Some(Payload::Custom(custom)) = record.payload {
                customs.push(custom);
            }
        }
        Ok(customs)
    }

    /// The books of every sender.
    pub fn books(&self) -> Result<Vec<Books>> {
        let rows = self.query(
            "SELECT b.produced::bigint, b.stored, b.lost::bigint, b.balanced AND a.balanced
             FROM books b JOIN audit a ON a.agent_id = b.agent_id AND a.epoch = b.epoch
             ORDER BY b.agent_id, b.epoch",
        )?;
        rows.iter()
            .map(|row| {
                Ok(Books {
                    produced: row.try_get(0)?,
                    stored: row.try_get(1)?,
                    lost: row.try_get(2)?,
                    balanced: row.try_get(3)?,
                })
            })
            .collect()
    }

    /// Every sender's books must say produced = stored + lost.
    pub fn assert_books_balance(&self) {
        let books = self.books().expect("read the books");
        assert!(!books.is_empty(), "no sender has told anything");
        for sender in books {
            assert!(
                sender.balanced && sender.produced == sender.stored + sender.lost,
                "the books do not balance: {sender:?}"
            );
        }
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        command.current_dir("/").env_remove("PGDATA");
        if let Some(user) = self.user {
            command.uid(user.uid).gid(user.gid);
        }
        command
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    fn log(&self) -> PathBuf {
        self.dir.path().join("log")
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if self.stop().is_err() {
            // It was killed then.
        }
    }
}

/// The folder of the newest installed PostgreSQL's programs.
fn programs() -> Result<PathBuf, String> {
    let installed = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let mut found: Vec<(u32, PathBuf)> = installed
        .filter_map(|entry| {
            Some((
                entry.file_name().to_str()?.parse().ok()?,
                entry.path().join("bin"),
            ))
        })
        .filter(|(_, bin)| bin.join("initdb").is_file() && bin.join("postgres").is_file())
        .collect();
    found.sort();
    let on_path = || {
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path)
            .find(|bin| bin.join("initdb").is_file() && bin.join("postgres").is_file())
    };
    found
        .pop()
        .map(|(_, bin)| bin)
        .or_else(on_path)
        .ok_or_else(|| "PostgreSQL's server programs are not installed".to_owned())
}

fn user(name: &str) -> Option<User> {
    let passwd = fs::read_to_string(Path::new("/etc/passwd")).ok()?;
    let line = passwd.lines().find(|line| line.split(':').next() == Some(name))?;
    let mut ids = line.split(':').skip(2).map(str::parse);
    Some(User {
        uid: ids.next()?.ok()?,
        gid: ids.next()?.ok()?,
    })
}

//! Backups of the database by PostgreSQL's own programs, in their custom format: `pg_restore` reads them too.
//!
//! A backup is of one moment. Spools go on from it: what they still hold is sent again, and the rest is a gap in the books.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    process::Stdio,
};

use tokio::process::Command;
use tokio_postgres::config::Host;

use crate::embedded::{EmbeddedError, client_program};

/// Why there is no backup, or nothing was restored from one.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// PostgreSQL's programs are not here.
    #[error(transparent)]
    Programs(#[from] EmbeddedError),
    /// The database's URL.
    #[error("the URL of the database cannot be understood")]
    Url(#[source] tokio_postgres::Error),
    /// The file.
    #[error("{path}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// One of the programs failed.
    #[error("{program} failed: {said}")]
    Failed {
        /// Which.
        program: &'static str,
        /// What it said.
        said: String,
    },
}

/// Writes a backup to a file that only its owner may read: it has the key of the authority in it. It is there once it is
/// whole. Rights of roles are left out; `backend migrate --roles` grants them.
pub async fn dump(database: &str, file: &Path) -> Result<(), BackupError> {
    let mut dump = client("pg_dump", database)?;
    let partial = file.with_added_extension("partial");
    let open = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&partial);
    open.map_err(at(&partial))?;
    dump.args(["--format=custom", "--no-owner", "--no-privileges", "--file"])
        .arg(&partial);
    if let Err(error) = run("pg_dump", dump).await {
        // It is the failure that counts.
        fs::remove_file(&partial).ok();
        return Err(error);
    }
    File::open(&partial)
        .and_then(|file| file.sync_all())
        .map_err(at(&partial))?;
    fs::rename(&partial, file).map_err(at(file))
}

/// Fills an empty database from a backup, or leaves it empty.
pub async fn restore(database: &str, file: &Path) -> Result<(), BackupError> {
    File::open(file).map_err(at(file))?;
    let mut restore = client("pg_restore", database)?;
    restore
        .args([
            "--single-transaction",
            "--exit-on-error",
            "--no-owner",
            "--no-privileges",
            "--dbname",
        ])
        .arg(name(database)?)
        .arg(file);
    run("pg_restore", restore).await
}

fn parsed(database: &str) -> Result<tokio_postgres::Config, BackupError> {
    database.parse().map_err(BackupError::Url)
}

fn name(database: &str) -> Result<String, BackupError> {
    let config = parsed(database)?;
    let name = config.get_dbname().or(config.get_user());
    Ok(name.unwrap_or("postgres").to_owned())
}

/// A program that connects to the database. The environment tells it how: everyone may read command lines.
fn client(program: &str, database: &str) -> Result<Command, BackupError> {
    let config = parsed(database)?;
    let hosts = config.get_hosts().iter().map(|host| match host {
        Host::Tcp(name) => name.clone(),
        Host::Unix(folder) => folder.display().to_string(),
    });
    let ports = config.get_ports().iter().map(u16::to_string);
    let mut command = Command::new(client_program(program)?);
    command
        .env("PGHOST", hosts.collect::<Vec<_>>().join(","))
        .env("PGDATABASE", name(database)?)
        .env_remove("PGOPTIONS")
        .arg("--no-password")
        .stdin(Stdio::null());
    if !config.get_ports().is_empty() {
        command.env("PGPORT", ports.collect::<Vec<_>>().join(","));
    }
    if let Some(user) = config.get_user() {
        command.env("PGUSER", user);
    }
    if let Some(password) = config.get_password() {
        command.env("PGPASSWORD", String::from_utf8_lossy(password).as_ref());
    }
    Ok(command)
}

async fn run(program: &'static str, mut command: Command) -> Result<(), BackupError> {
    let output = command.output().await.map_err(at(Path::new(program)))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(BackupError::Failed { program, said })
}

/// Adds the path to an I/O error.
fn at(path: &Path) -> impl FnOnce(io::Error) -> BackupError + use<> {
    let path = path.to_owned();
    move |source| BackupError::File { path, source }
}

//! `telemctl updates`: records about what package managers changed since this host opted in.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use jiff::tz::TimeZone;
use privilege::{account, credentials};
use telemd::clock::Moment;
use telemd::config::{Config, DEFAULT_USER};
use telemd::text::chain;
use telemd::updates::{self, Action, Told, Update, apt, dnf};
use telemd::{cli, durable};
use telemetry::{Client, Kept, Places, Record, Severity};

/// What of a log is read, from its end, bytes: months of updates.
const LOG_BYTES: u64 = 8 << 20;

/// Send a record for each update of apt and dnf since this host opted in that was not told yet.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  telemctl updates             after an update, or from a timer\n  \
                  telemctl updates --dry-run   what would be told\n\n\
                  Exit codes: 0 all are kept, 1 one is not, 64 wrong command line or configuration."
)]
pub(crate) struct Options {
    /// Print what would be told, and send nothing.
    #[arg(long)]
    dry_run: bool,
    /// The root of the file system whose logs are read.
    #[arg(long, value_name = "DIR", default_value = "/")]
    root: PathBuf,
}

pub(crate) fn tell(options: &Options, config: &Config) -> ExitCode {
    match send_all(options, config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            cli::complain(&format!("telemctl: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn send_all(options: &Options, config: &Config) -> Result<(), String> {
    let Ok(consent) = std::fs::metadata(&config.opt_in_file) else {
        return Err("this host has not opted in: nothing is told\n  `telemctl opt-in` agrees".to_owned());
    };
    let consent_s = u64::try_from(consent.mtime()).unwrap_or(0);
    let found = found(&options.root)?;
    become_owner(config)?;
    let path = config.state_dir.join(updates::FILE);
    let mut told = read_told(&path)?;
    let client = Client::of_places(Places {
        socket_path: config.socket_path.clone(),
        opt_in_file: config.opt_in_file.clone(),
    });
    for update in found {
        if !told.is_due(&update, consent_s) {
            continue;
        }
        if options.dry_run {
            cli::say(&format!(
                "{} at {}:\n{}",
                update.manager,
                update.started_s,
                update.text()
            ));
            continue;
        }
        match client.send(&record(&update)) {
            Ok(Kept::Durable(_) | Kept::Counted) => {}
            Err(error) => return Err(format!("{}\n  it is told by the next run", chain(&error))),
        }
        told.note(&update);
        let bytes = serde_json::to_vec(&told).unwrap_or_default();
        durable::write(&path, &bytes)
            .map_err(|error| format!("cannot write {}: {error}\n  run this as root", path.display()))?;
    }
    Ok(())
}

/// Gives root up for the user whose the state directory is: that user may have linked other files there.
pub(crate) fn become_owner(config: &Config) -> Result<(), String> {
    let owner = std::fs::metadata(&config.state_dir).map_or(0, |folder| folder.uid());
    if !credentials::is_root() || owner == 0 {
        return Ok(());
    }
    let name = config.user.as_deref().unwrap_or(DEFAULT_USER);
    let account = account::find(Path::new(account::PASSWD), name).map_err(|error| chain(&error))?;
    let Some(account) = account.filter(|account| account.uid == owner) else {
        return Err(format!(
            "{} is neither root's nor {name}'s\n  correct `user` in the configuration",
            config.state_dir.display()
        ));
    };
    credentials::become_user(&account).map_err(|error| chain(&error))
}

fn read_told(path: &Path) -> Result<Told, String> {
    let bytes = durable::read(path)
        .map_err(|error| format!("cannot read {}: {error}\n  run this as root", path.display()))?;
    // One that is damaged is as good as none: at worst an update is told twice.
    Ok(bytes
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .unwrap_or_default())
}

/// The updates of all logs, oldest first.
fn found(root: &Path) -> Result<Vec<Update>, String> {
    let now_s = Moment::now().unix_ns / 1_000_000_000;
    let mut found = Vec::new();
    if let Some(log) = read(&root.join(apt::LOG))? {
        found.extend(apt::updates(&log, &TimeZone::system()));
    }
    if let Some(log) = read(&root.join(dnf::LOG))? {
        found.extend(dnf::updates(&log, now_s));
    }
    found.sort_by_key(|update| update.started_s);
    Ok(found)
}

/// The end of a log; `None` when there is none.
fn read(path: &Path) -> Result<Option<String>, String> {
    let end = || -> io::Result<String> {
        let mut file = File::open(path)?;
        let size = file.metadata()?.len();
        file.seek(SeekFrom::Start(size.saturating_sub(LOG_BYTES)))?;
        let mut bytes = Vec::new();
        file.take(LOG_BYTES).read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    match end() {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!(
            "cannot read {}: {error}\n  run this as root",
            path.display()
        )),
    }
}

fn record(update: &Update) -> Record {
    let severity = if update.succeeded == Some(false) {
        Severity::Medium
    } else {
        Severity::Low
    };
    let result = match update.succeeded {
        Some(true) => "ok",
        Some(false) => "error",
        None => "unknown",
    };
    let count = |action| update.count(action) as u64;
    let record = Record::new(&format!("org.telemetrics/update/{}", update.manager), severity)
        .payload(update.text())
        .event_id(&update.id().simple().to_string())
        .field("result", result)
        .field("started_s", update.started_s)
        .field("installed", count(Action::Installed))
        .field("upgraded", count(Action::Upgraded))
        .field("downgraded", count(Action::Downgraded))
        .field("removed", count(Action::Removed));
    match update.ended_s {
        Some(ended_s) => record.field("duration_s", ended_s.saturating_sub(update.started_s)),
        None => record,
    }
}

//! Telemd's own look into the folders of `[[drop]]`.
//!
//! A file is removed once its record is durable, so a crash between the two tells it twice, under the same event id. Files from before
//! this host opted in are removed and not told.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use local::rules;
use local::{Severity, Submission};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{Dropped, list};
use crate::clock::Moment;
use crate::config::DropFolder;
use crate::consent::Consent;
use crate::keeper::KeepError;
use crate::record::Sender;
use crate::recorder::Recorder;
use crate::socket::Session;

/// How often the folders are looked into.
const EVERY: Duration = Duration::from_secs(5);
/// Files that are told of a folder in one look: nobody else is kept waiting while they are read.
const TAKEN: usize = 64;
/// Files that are left alone because they cannot be read or removed. One more, and a folder that is full of them is told again.
const STUCK: usize = 1_000;

/// Takes in what programs drop into `folders`, until `stop`.
pub async fn watch(folders: &[DropFolder], consent: &Consent, session: Session, stop: CancellationToken) {
    if folders.is_empty() {
        return;
    }
    let mut watch = Watch::default();
    let mut look = tokio::time::interval(EVERY);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = look.tick() => {}
        }
        for folder in folders {
            let recorder = session.borrow().as_ref().map(Arc::clone);
            if let (Some(recorder), Some(since)) = (recorder, consent.since())
                && recorder.keeper().stats().borrow().failing.is_none()
            {
                watch.look(folder, since, &recorder).await;
            }
        }
    }
}

/// What became of a file.
enum Outcome {
    /// It is kept, counted, or can never be.
    Done,
    /// The next look tells it.
    Later,
}

#[derive(Debug, Default)]
struct Watch {
    /// Files that cannot be read or removed.
    stuck: BTreeSet<PathBuf>,
}

impl Watch {
    /// Tells what is in a folder; what is older than `since`, seconds since the Unix epoch, is removed.
    async fn look(&mut self, folder: &DropFolder, since: i64, recorder: &Recorder) {
        let found = match list(&folder.dir, |path| !self.stuck.contains(path)) {
            Ok(found) => found,
            // It is made by whoever drops the first file.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return,
            Err(error) => return self.give_up(&folder.dir, &error),
        };
        for dropped in found.into_iter().take(TAKEN) {
            match tell(&dropped, &folder.class, since, recorder).await {
                Ok(Outcome::Later) => return,
                Ok(Outcome::Done) => {
                    if let Err(error) = fs::remove_file(&dropped.path) {
                        self.give_up(&dropped.path, &error);
                    }
                }
                Err(error) => self.give_up(&dropped.path, &error),
            }
        }
    }

    fn give_up(&mut self, path: &Path, error: &io::Error) {
        if self.stuck.len() >= STUCK {
            self.stuck.clear();
        }
        if self.stuck.insert(path.to_owned()) {
            tracing::error!(
                path = %path.display(), %error,
                "a dropped record cannot be read or removed: give its folder to telemd's user"
            );
        }
    }
}

async fn tell(dropped: &Dropped, class: &str, since: i64, recorder: &Recorder) -> io::Result<Outcome> {
    let file = fs::symlink_metadata(&dropped.path)?;
    if file.mtime() < since {
        return Ok(Outcome::Done);
    }
    let submission = Submission {
        classification: format!("{class}/{}", dropped.class),
        severity: i32::from(severity(dropped.severity)),
        payload: dropped.payload()?,
        payload_version: dropped.payload_version,
        event_id: event_id(dropped, &file),
        ..Submission::default()
    };
    if let Err(wrong) = rules::check(&submission) {
        tracing::warn!(path = %dropped.path.display(), %wrong, "a dropped record can never be kept and is removed");
        recorder.reject();
        return Ok(Outcome::Done);
    }
    let now = Moment::now();
    let sender = Sender {
        uid: Some(file.uid()),
        ..Sender::default()
    };
    let record = recorder.boot().custom(submission, &sender, now);
    if !recorder.allows(&record) {
        return Ok(Outcome::Done);
    }
    match recorder.keep(record, now).await {
        Ok(_kept_or_counted) => Ok(Outcome::Done),
        Err(KeepError::Unfit(_)) => Ok(Outcome::Done),
        // The file is there still.
        Err(_disk_or_stopping) => Ok(Outcome::Later),
    }
}

fn severity(number: u8) -> Severity {
    match number {
        1 => Severity::Low,
        2 => Severity::Medium,
        3 => Severity::High,
        _ => Severity::Critical,
    }
}

/// The same whenever the file is read.
fn event_id(dropped: &Dropped, file: &fs::Metadata) -> String {
    let all = format!(
        "{} {}.{:09} {}",
        dropped.path.display(),
        file.mtime(),
        file.mtime_nsec(),
        file.ino()
    );
    Uuid::new_v5(&Uuid::NAMESPACE_OID, all.as_bytes())
        .simple()
        .to_string()
}

#[cfg(test)]
mod tests {
    use faults::scrub::{Policy, Scrubber};
    use prost::Message as _;
    use proto::v1::Record;
    use proto::v1::record::Payload;
    use spool::Chunk;

    use super::*;
    use crate::record::Boot;
    use crate::storm::Storm;

    fn recorder(dir: &Path) -> Recorder {
        let opened = spool::Spool::open(&dir.join("spool"), spool::Options::default(), [1; 16]).unwrap();
        let kept = crate::kept::Kept::default();
        let (keeper, _thread) = crate::keeper::start(opened.spool, kept, dir.join("kept.json")).unwrap();
        let scrubber = Scrubber::new(&Policy::default()).unwrap();
        Recorder::new(Boot::default(), keeper, Storm::new(10, 1_000), scrubber)
    }

    async fn kept(recorder: &Recorder) -> Vec<(String, String)> {
        let Chunk::Records { records, .. } = recorder.keeper().read(1, 100, 1 << 20).await.unwrap() else {
            return Vec::new();
        };
        let custom = |bytes: &Vec<u8>| match Record::decode(bytes.as_slice()).unwrap().payload {
            Some(Payload::Custom(custom)) => Some((custom.classification, custom.payload)),
            _ => None,
        };
        records.iter().filter_map(custom).collect()
    }

    #[tokio::test]
    async fn what_is_dropped_is_told_once_and_removed_and_nothing_from_before_opt_in() {
        let dir = tempfile::tempdir().unwrap();
        let recorder = recorder(dir.path());
        let folder = DropFolder {
            dir: dir.path().join("drop"),
            class: "org.clearlinux/swupd-client".into(),
        };
        let mut watch = Watch::default();
        watch.look(&folder, 0, &recorder).await;
        fs::create_dir(&folder.dir).unwrap();
        fs::write(folder.dir.join("2.update.1.a1B2c3"), "from 10 to 20").unwrap();
        fs::write(folder.dir.join("notes"), "mine").unwrap();
        // Such a class cannot be: it would have four parts.
        fs::write(folder.dir.join("1.a b.1.x"), "").unwrap();
        for _ in 0..2 {
            watch.look(&folder, 0, &recorder).await;
        }
        let told = [(
            "org.clearlinux/swupd-client/update".to_owned(),
            "from 10 to 20".to_owned(),
        )];
        assert_eq!(kept(&recorder).await, told);
        let left: Vec<_> = fs::read_dir(&folder.dir)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(left, ["notes"]);

        fs::write(folder.dir.join("2.update.1.early"), "before opt-in").unwrap();
        watch.look(&folder, i64::MAX, &recorder).await;
        assert_eq!(kept(&recorder).await, told);
        assert!(!folder.dir.join("2.update.1.early").exists());
    }
}

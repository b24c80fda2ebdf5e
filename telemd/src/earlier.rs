//! Faults of earlier boots: what a dying kernel, the firmware and kdump left.
//!
//! [`keep`] makes records of what is not known yet and says which files of pstore may be removed: those whose records are
//! durable. Removing is somebody else's, and so is telling how the boot ended (`obituary`).

use std::path::PathBuf;

use faults::mce::MachineCheck;
use probe_user::past::Past;
use probe_user::pstore::{BinaryRecord, Dump, Origin};
use proto::v1::Record;
use uuid::Uuid;

use crate::clock::Moment;
use crate::identity::Boots;
use crate::keeper::KeepError;
use crate::kept::{Kept, Mark, digest};
use crate::pipeline::Found;
use crate::record::{Boot, hook};
use crate::recorder::Recorder;

mod dump;
#[cfg(test)]
mod tests;

/// Errors of one BERT region that become records. Firmware keeps a handful.
const BERT_ERRORS: usize = 32;
/// A copy or a log of kdump that is older is not told: it is of another time, seconds. Thirty days.
const OLD_S: u64 = 30 * 86_400;

/// Tells what earlier boots left, durably.
#[derive(Debug)]
pub(crate) struct Teller<'a> {
    pub(crate) boots: &'a Boots,
    /// When the boot before began, nanoseconds since 1970.
    pub(crate) previous_began_ns: Option<u64>,
    /// What was known at the start, and what was told since; the keeper has a list of its own for the disk.
    pub(crate) kept: Kept,
    pub(crate) recorder: &'a Recorder,
    pub(crate) now: Moment,
}

impl Teller<'_> {
    /// Keeps what `past` tells and is not known yet. Appends the files of pstore that are kept to `done`; when the disk
    /// refuses, the rest stays where it is.
    pub(crate) async fn keep(&mut self, past: &Past, done: &mut Vec<PathBuf>) -> Result<(), KeepError> {
        for dump in &past.dumps {
            if self.is_old(dump.origin, dump.written_unix_ns) {
                continue;
            }
            tracing::info!(
                origin = ?dump.origin,
                reason = ?dump.reason,
                bytes = dump.text.len(),
                files = dump.files.len(),
                "an earlier boot left a dump"
            );
            if self.keep_dump(dump).await? && dump.origin == Origin::Pstore {
                done.extend(dump.files.iter().cloned());
            }
        }
        for stored in &past.machine_checks {
            if self.is_old(stored.origin, stored.written_unix_ns) {
                continue;
            }
            if self.keep_machine_check(stored).await? && stored.origin == Origin::Pstore {
                done.push(stored.file.clone());
            }
        }
        self.keep_bert(&past.bert).await
    }

    /// Files that others keep stay for years; those of pstore go once they are told.
    fn is_old(&self, origin: Origin, written_unix_ns: u64) -> bool {
        let age_s = self.now.unix_ns.saturating_sub(written_unix_ns) / 1_000_000_000;
        origin != Origin::Pstore && age_s > OLD_S
    }

    /// Whether the dump is kept now; one that tells of no fault is left to whoever wants it.
    async fn keep_dump(&mut self, dump: &Dump) -> Result<bool, KeepError> {
        let digest = digest(dump.text.as_bytes());
        if self.kept.has_dump(digest) {
            return Ok(true);
        }
        let Some(found) = dump::reports(
            dump,
            self.boot_of(dump.written_unix_ns),
            &self.boots.current,
            &self.kept,
        ) else {
            return Ok(false);
        };
        self.keep_all(found, digest).await
    }

    async fn keep_machine_check(&mut self, stored: &BinaryRecord) -> Result<bool, KeepError> {
        let digest = digest(&stored.bytes);
        if self.kept.has_dump(digest) {
            return Ok(true);
        }
        let boot = self.boot_of(stored.written_unix_ns);
        let at = at(stored.written_unix_ns);
        let mut record = match MachineCheck::from_record(&stored.bytes) {
            Ok(check) => boot.saved_machine_check(&check, at),
            Err(error) => boot.undecodable("pstore", &stored.bytes, &error.to_string(), at),
        };
        record.hook = Some(hook("pstore", ""));
        self.keep_all(vec![Found { record, mark: None }], digest).await
    }

    /// The firmware shows the same region for as long as a boot lasts.
    async fn keep_bert(&mut self, region: &[u8]) -> Result<(), KeepError> {
        let digest = digest(&[self.boots.current.as_bytes(), region].concat());
        let read = faults::cper::region(region);
        if read.sections().next().is_none() || self.kept.has_dump(digest) {
            return Ok(());
        }
        let found = read.sections().take(BERT_ERRORS).map(|section| {
            let body = region.get(section.offset..).unwrap_or_default();
            let body = body.get(..section.length).unwrap_or(body);
            let record = Record {
                boot_id: self.boots.previous.clone(),
                hook: Some(hook("bert", "")),
                ..wire::hardware_error(&section.hardware_error(), "BERT", 1, body)
            };
            Found { record, mark: None }
        });
        self.keep_all(found.collect(), digest).await.map(drop)
    }

    /// Keeps records; the last stands for all of `digest`: once it is durable so are the ones before it. Answers whether all
    /// are kept: what this host did not agree to is left where it is.
    async fn keep_all(&mut self, mut found: Vec<Found>, digest: Uuid) -> Result<bool, KeepError> {
        let all = found.len();
        found.retain(|found| self.recorder.allows(&found.record));
        let is_all = found.len() == all;
        let last = found.len().saturating_sub(1);
        for (index, Found { record, mark }) in found.into_iter().enumerate() {
            let mut marks: Vec<_> = mark.into_iter().collect();
            if index == last {
                marks.push(Mark::Dump { digest });
            }
            for mark in marks.iter().cloned() {
                self.kept.note(mark, Uuid::nil(), 0);
            }
            self.recorder.keep_always(record, marks).await?;
        }
        Ok(is_all)
    }

    /// The boot in which something was written. One before the last that the agent knows has no name.
    fn boot_of(&self, written_unix_ns: u64) -> Boot {
        let is_older = self
            .previous_began_ns
            .is_some_and(|began| written_unix_ns < began);
        Boot {
            id: if is_older {
                String::new()
            } else {
                self.boots.previous.clone()
            },
            kernel_release: String::new(),
        }
    }
}

/// A moment of which only the wall time is known.
fn at(unix_ns: u64) -> Moment {
    Moment {
        unix_ns,
        since_boot_ns: 0,
        asleep_ns: 0,
    }
}

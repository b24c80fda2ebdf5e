//! What was already kept, so that nothing is reported twice over restarts.
//!
//! A kernel that dies repeats in its pstore dump what was reported live, and a dump that cannot be removed is read at
//! every start. Both are known by small marks in `kept.json`. A mark is written before the record that it stands for
//! is synced and names that record's place in the spool; when the file is read, only marks whose record did become
//! durable count. So a crash between the two neither loses a report nor reports it twice.

use std::collections::VecDeque;
use std::io;
use std::path::Path;

use faults::Class;
use proto::v1::Record;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::durable;

/// Reports that are remembered: more than one boot's log buffer holds.
const REPORTS: usize = 256;
/// Dumps that are remembered: more than any pstore backend stores.
const DUMPS: usize = 256;
/// Times of one report differ between the live text and the dump by as much as printing took, seconds.
const SAME_S: u64 = 10;
/// The log's clock is not corrected by NTP: it drifts by at most 500 ppm, one second in this many.
const DRIFT_S: u64 = 2_000;

/// What a record stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// A fault of the kernel.
    Report {
        /// The boot it happened in.
        boot_id: String,
        /// Its title, or its class where a hook and the kernel's text call it by different titles.
        title: String,
        /// Seconds since that boot, by the clock of the kernel's log.
        at_s: u64,
    },
    /// All that a pstore dump holds.
    Dump {
        /// [`digest`] of its text.
        digest: Uuid,
    },
}

impl Mark {
    /// What a record of a kernel's fault stands for. `asleep_ns`: how much of its time since boot the host was
    /// suspended; 0 for what a dump tells, whose times are the log's.
    pub fn of_record(record: &Record, asleep_ns: u64) -> Self {
        let told_by_hook = [Class::MemoryOomKill, Class::HardwareMachineCheck];
        let by_class = told_by_hook.iter().any(|class| class.as_str() == record.class);
        Self::Report {
            boot_id: record.boot_id.clone(),
            title: if by_class { &record.class } else { &record.title }.clone(),
            at_s: record.since_boot_ns.saturating_sub(asleep_ns) / 1_000_000_000,
        }
    }
}

/// Tells dumps apart by their text.
pub fn digest(text: &str) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, text.as_bytes())
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    mark: Mark,
    epoch: Uuid,
    seq: u64,
}

/// The marks, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    entries: VecDeque<Entry>,
}

impl Kept {
    /// Reads the marks whose records the spool `epoch` holds durably, up to `durable_seq`.
    ///
    /// A file that cannot be understood is as good as none: at worst a report comes twice.
    pub fn load(path: &Path, epoch: Uuid, durable_seq: u64) -> io::Result<Self> {
        let mut kept: Self = match durable::read(path)? {
            Some(bytes) => serde_json::from_slice(&bytes).unwrap_or_else(|error| {
                tracing::warn!(path = %path.display(), %error, "marks of kept reports are unreadable, starting anew");
                Self::default()
            }),
            None => Self::default(),
        };
        kept.entries
            .retain(|entry| entry.epoch == epoch && entry.seq <= durable_seq);
        Ok(kept)
    }

    /// Writes the marks durably.
    pub fn save(&self, path: &Path) -> io::Result<()> {
        durable::write(path, &serde_json::to_vec(self)?)
    }

    /// Notes that the record `seq` of the spool `epoch` stands for `mark`. The oldest of its kind gives way.
    pub fn note(&mut self, mark: Mark, epoch: Uuid, seq: u64) {
        let report = matches!(mark, Mark::Report { .. });
        let same = |entry: &Entry| matches!(entry.mark, Mark::Report { .. }) == report;
        if self.entries.iter().filter(|entry| same(entry)).count() >= if report { REPORTS } else { DUMPS }
            && let Some(oldest) = self.entries.iter().position(same)
        {
            self.entries.remove(oldest);
        }
        self.entries.push_back(Entry { mark, epoch, seq });
    }

    /// Whether the fault that a dump tells was kept already, as one of the boot `boot_id`.
    pub fn has_record(&self, record: &Record, boot_id: &str) -> bool {
        match Mark::of_record(record, 0) {
            Mark::Report { title, at_s, .. } => self.has_report(boot_id, &title, at_s),
            Mark::Dump { digest } => self.has_dump(digest),
        }
    }

    pub(crate) fn has_report(&self, boot_id: &str, title: &str, at_s: u64) -> bool {
        self.entries.iter().any(|entry| match &entry.mark {
            Mark::Report {
                boot_id: boot,
                title: known,
                at_s: at,
            } => boot == boot_id && known == title && at.abs_diff(at_s) <= SAME_S + at_s / DRIFT_S,
            Mark::Dump { .. } => false,
        })
    }

    /// Whether the dump was kept already.
    pub fn has_dump(&self, digest: Uuid) -> bool {
        self.entries
            .iter()
            .any(|entry| entry.mark == Mark::Dump { digest })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(title: &str, at_s: u64) -> Mark {
        Mark::Report {
            boot_id: "b".into(),
            title: title.into(),
            at_s,
        }
    }

    #[test]
    fn only_marks_of_durable_records_count() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("kept.json");
        let epoch = Uuid::new_v4();
        let mut kept = Kept::default();
        kept.note(report("synced", 100), epoch, 1);
        kept.note(report("cut off", 100), epoch, 2);
        kept.note(Mark::Dump { digest: digest("x") }, epoch, 1);
        kept.save(&path).unwrap();
        let kept = Kept::load(&path, epoch, 1).unwrap();
        assert!(kept.has_report("b", "synced", 109));
        assert!(!kept.has_report("b", "synced", 111));
        assert!(!kept.has_report("other", "synced", 100));
        assert!(!kept.has_report("b", "cut off", 100));
        assert!(kept.has_dump(digest("x")) && !kept.has_dump(digest("y")));
        assert_eq!(Kept::load(&path, Uuid::new_v4(), 9).unwrap(), Kept::default());
    }

    #[test]
    fn the_list_is_bounded_and_the_oldest_gives_way() {
        let epoch = Uuid::new_v4();
        let mut kept = Kept::default();
        kept.note(Mark::Dump { digest: digest("x") }, epoch, 0);
        for seq in 0..=REPORTS as u64 {
            kept.note(report("t", seq * 100), epoch, seq);
        }
        assert!(!kept.has_report("b", "t", 0) && kept.has_report("b", "t", 100));
        assert!(kept.has_dump(digest("x")));
        assert_eq!(kept.entries.len(), REPORTS + 1);
    }

    #[test]
    fn a_damaged_file_is_as_good_as_none() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("kept.json");
        std::fs::write(&path, b"{\"entries\":[{").unwrap();
        assert_eq!(Kept::load(&path, Uuid::nil(), 0).unwrap(), Kept::default());
    }
}

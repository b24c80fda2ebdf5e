//! What was already kept, so that nothing is reported twice over restarts.
//!
//! A kernel that dies repeats in its pstore dump what was reported live, a dump that cannot be removed is read at every
//! start, and the kernel's log of this boot is read again by an agent that is started again. All are known by small
//! marks in `kept.json`. A mark is written before the record that it stands for is synced and names that record's place in
//! the spool; when the file is read, only marks whose record did become durable count. So a crash between the two neither
//! loses a report nor reports it twice.

use std::collections::VecDeque;
use std::io;
use std::path::Path;

use proto::v1::Record;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::durable;

/// Reports that are remembered: more than one boot's log buffer holds.
const REPORTS: usize = 256;
/// Dumps and firmware records that are remembered: more than any pstore backend stores, and the copies that are read.
const DUMPS: usize = 256;
/// Places in the log, and ends of boots, that are remembered: the newest may not be durable, the one before it is.
const PLACES: usize = 2;
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
    /// All that a dump, or a record of the firmware, holds.
    Dump {
        /// [`digest`] of it.
        digest: Uuid,
    },
    /// Every fault that the kernel's log tells before this place.
    Log {
        /// The boot whose log it is.
        boot_id: String,
        /// Sequence of the first record that is not behind it.
        next: u64,
    },
    /// How the boot before ended.
    End {
        /// The boot that came after it.
        boot_id: String,
    },
}

/// Marks of a kind are limited together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Report,
    Dump,
    Log,
    End,
}

impl Kind {
    fn limit(self) -> usize {
        match self {
            Self::Report => REPORTS,
            Self::Dump => DUMPS,
            Self::Log | Self::End => PLACES,
        }
    }
}

impl Mark {
    fn kind(&self) -> Kind {
        match self {
            Self::Report { .. } => Kind::Report,
            Self::Dump { .. } => Kind::Dump,
            Self::Log { .. } => Kind::Log,
            Self::End { .. } => Kind::End,
        }
    }

    /// What a record of a kernel's fault stands for. `asleep_ns`: how much of its time since boot the host was
    /// suspended; 0 for what a dump tells, whose times are the log's.
    pub fn of_record(record: &Record, asleep_ns: u64) -> Self {
        // The kernel's reports about itself are told by their text; all others may come from a hook.
        let by_class = !record.class.starts_with("kernel.");
        Self::Report {
            boot_id: record.boot_id.clone(),
            title: if by_class { &record.class } else { &record.title }.clone(),
            at_s: record.since_boot_ns.saturating_sub(asleep_ns) / 1_000_000_000,
        }
    }
}

/// Tells dumps apart by what they hold.
pub fn digest(bytes: &[u8]) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, bytes)
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

    /// The same marks, and once more as those of the spool `epoch`, which is not made yet.
    #[must_use]
    pub fn also_of(mut self, epoch: Uuid) -> Self {
        let copy = |entry: &Entry| Entry {
            mark: entry.mark.clone(),
            epoch,
            seq: 0,
        };
        let copies: Vec<_> = self.entries.iter().map(copy).collect();
        self.entries.extend(copies);
        self
    }

    /// Writes the marks durably.
    pub fn save(&self, path: &Path) -> io::Result<()> {
        durable::write(path, &serde_json::to_vec(self)?)
    }

    /// Notes that the record `seq` of the spool `epoch` stands for `mark`. The oldest of its kind gives way.
    pub fn note(&mut self, mark: Mark, epoch: Uuid, seq: u64) {
        let kind = mark.kind();
        let same = |entry: &Entry| entry.mark.kind() == kind;
        if self.entries.iter().filter(|entry| same(entry)).count() >= kind.limit()
            && let Some(oldest) = self.entries.iter().position(same)
        {
            self.entries.remove(oldest);
        }
        self.entries.push_back(Entry { mark, epoch, seq });
    }

    /// Whether the fault that a dump tells was kept already, as one of the boot `boot_id`.
    pub fn has_record(&self, record: &Record, boot_id: &str) -> bool {
        let Mark::Report { title, at_s, .. } = Mark::of_record(record, 0) else {
            return false;
        };
        self.entries
            .iter()
            .any(|entry| is_report(&entry.mark, boot_id, &title, at_s))
    }

    /// From where on the log of the boot `boot_id` may tell something that is not kept (`None`: from its beginning), and what
    /// it tells again from there on.
    pub(crate) fn of_log(&self, boot_id: &str) -> (Option<u64>, Told) {
        let place = |entry: &Entry| match &entry.mark {
            Mark::Log { boot_id: boot, next } if boot == boot_id => Some(*next),
            _ => None,
        };
        let newest = self.entries.iter().rposition(|entry| place(entry).is_some());
        let next = newest.and_then(|at| place(self.entries.get(at)?));
        let behind = self.entries.iter().skip(newest.map_or(0, |at| at + 1));
        let told = behind.map(|entry| entry.mark.clone()).collect();
        (next, Told(told))
    }

    /// Whether the end of the boot before `boot_id` was told.
    pub(crate) fn has_end(&self, boot_id: &str) -> bool {
        let told = |entry: &Entry| matches!(&entry.mark, Mark::End { boot_id: boot } if boot == boot_id);
        self.entries.iter().any(told)
    }

    /// Whether the dump was kept already.
    pub fn has_dump(&self, digest: Uuid) -> bool {
        self.entries
            .iter()
            .any(|entry| entry.mark == Mark::Dump { digest })
    }
}

/// What was kept of a part of the log that is read again.
#[derive(Debug, Clone, Default)]
pub(crate) struct Told(Vec<Mark>);

impl Told {
    /// Takes the mark of a fault that the log tells again; false when there is none. It stands for one fault.
    pub(crate) fn take(&mut self, mark: &Mark) -> bool {
        let Mark::Report { boot_id, title, at_s } = mark else {
            return false;
        };
        let known = |mark: &Mark| is_report(mark, boot_id, title, *at_s);
        let at = self.0.iter().position(known);
        at.map(|at| self.0.swap_remove(at)).is_some()
    }
}

fn is_report(mark: &Mark, boot_id: &str, title: &str, at_s: u64) -> bool {
    match mark {
        Mark::Report {
            boot_id: boot,
            title: known,
            at_s: at,
        } => boot == boot_id && known == title && at.abs_diff(at_s) <= SAME_S + at_s / DRIFT_S,
        Mark::Dump { .. } | Mark::Log { .. } | Mark::End { .. } => false,
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
        kept.note(Mark::Dump { digest: digest(b"x") }, epoch, 1);
        kept.save(&path).unwrap();
        let kept = Kept::load(&path, epoch, 1).unwrap();
        let (_, mut told) = kept.of_log("b");
        assert!(!told.take(&report("synced", 111)));
        assert!(!told.take(&report("cut off", 100)));
        assert!(told.take(&report("synced", 109)));
        assert!(!told.take(&report("synced", 109)), "it stands for one report");
        assert!(kept.has_dump(digest(b"x")) && !kept.has_dump(digest(b"y")));
        assert_eq!(Kept::load(&path, Uuid::new_v4(), 9).unwrap(), Kept::default());
    }

    #[test]
    fn the_list_is_bounded_and_the_oldest_gives_way() {
        let epoch = Uuid::new_v4();
        let mut kept = Kept::default();
        kept.note(Mark::Dump { digest: digest(b"x") }, epoch, 0);
        for seq in 0..=REPORTS as u64 {
            kept.note(report("t", seq * 100), epoch, seq);
        }
        assert_eq!(kept.entries.len(), REPORTS + 1);
        let (_, mut told) = kept.of_log("b");
        assert!(!told.take(&report("t", 0)) && told.take(&report("t", 100)));
        assert!(kept.has_dump(digest(b"x")));
    }

    #[test]
    fn the_log_is_read_from_its_newest_durable_place_and_marks_before_it_do_not_count() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("kept.json");
        let epoch = Uuid::new_v4();
        let place = |boot_id: &str, next| Mark::Log {
            boot_id: boot_id.into(),
            next,
        };
        let mut kept = Kept::default();
        assert_eq!(kept.of_log("b").0, None);
        kept.note(place("b", 10), epoch, 1);
        kept.note(report("before", 50), epoch, 2);
        kept.note(place("b", 20), epoch, 2);
        kept.note(report("behind", 60), epoch, 3);
        kept.note(place("b", 30), epoch, 4);
        kept.save(&path).unwrap();
        // The last sync did not come about.
        let kept = Kept::load(&path, epoch, 3).unwrap();
        assert_eq!(kept.of_log("other").0, None);
        let (next, mut told) = kept.of_log("b");
        assert_eq!(next, Some(20));
        assert!(!told.take(&report("before", 50)) && told.take(&report("behind", 60)));
    }

    #[test]
    fn the_end_of_a_boot_is_told_once_in_the_next() {
        let mut kept = Kept::default();
        kept.note(Mark::End { boot_id: "b".into() }, Uuid::nil(), 0);
        assert!(kept.has_end("b") && !kept.has_end("c"));
    }

    #[test]
    fn a_damaged_file_is_as_good_as_none() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("kept.json");
        std::fs::write(&path, b"{\"entries\":[{").unwrap();
        assert_eq!(Kept::load(&path, Uuid::nil(), 0).unwrap(), Kept::default());
    }
}

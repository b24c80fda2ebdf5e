//! Policy, and the way into the spool: storm control, the books of what is lost, scrubbing, encoding.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use faults::scrub::Scrubber;
use probe_user::hindsight::Hindsight;
use proto::v1::{LossReason, Record};

use crate::clock::Moment;
use crate::config;
use crate::keeper::{Handle, KeepError};
use crate::kept::Mark;
use crate::losses::Losses;
use crate::pipeline::Found;
use crate::policy::Policy;
use crate::record::{Boot, Lost, encode, precursors};
use crate::storm::{Storm, Suppressed, Verdict};

/// What became of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// It is durable under this sequence.
    Seq(u64),
    /// Storm control, or the limit of its class, counted it.
    Counted,
}

/// Takes records in. Shared by the hooks and the local socket.
#[derive(Debug)]
pub struct Recorder {
    boot: Boot,
    keeper: Handle,
    scrubber: Mutex<Arc<Scrubber>>,
    books: Mutex<Books>,
}

#[derive(Debug)]
struct Books {
    policy: Policy,
    storm: Storm,
    losses: Losses,
    rejected: u64,
    /// Records of [`Recorder::keep_always`] that the disk did not take. They are no loss: dumps stay in pstore and counts
    /// in the books until they are kept, and a heartbeat tells of no fault.
    refused_always: u64,
}

impl Recorder {
    /// A recorder of this boot.
    pub fn new(boot: Boot, keeper: Handle, storm: Storm, scrubber: Scrubber) -> Self {
        Self {
            boot,
            keeper,
            scrubber: Mutex::new(Arc::new(scrubber)),
            books: Mutex::new(Books {
                policy: Policy::default(),
                storm,
                losses: Losses::default(),
                rejected: 0,
                refused_always: 0,
            }),
        }
    }

    /// Whoever takes records in from now on, into another spool: what is counted goes on, this one is done with.
    #[must_use]
    pub fn successor(&self, keeper: Handle, scrubber: Scrubber) -> Self {
        let successor = Self::new(self.boot.clone(), keeper, Storm::new(1, 1), scrubber);
        std::mem::swap(&mut *successor.books(), &mut *self.books());
        let mut books = successor.books();
        books.refused_always = 0;
        books.losses.forget_counter(LossReason::SpoolWrite, "");
        drop(books);
        successor
    }

    /// Whether a record may be recorded at all.
    pub fn allows(&self, record: &Record) -> bool {
        self.books().policy.allows(record)
    }

    /// Asks another policy from now on.
    pub fn set_policy(&self, policy: Policy) {
        self.books().policy = policy;
    }

    /// Treats records by other rules from now on.
    pub fn change(&self, storm: config::Storm, scrubber: Scrubber) {
        self.books().storm.set_limit(storm.first, storm.window_s * 1_000);
        *self.scrubber.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(scrubber);
    }

    /// Which boot the records are about.
    pub fn boot(&self) -> &Boot {
        &self.boot
    }

    /// The spool.
    pub fn keeper(&self) -> &Handle {
        &self.keeper
    }

    /// Keeps a record and answers when it is durable.
    pub async fn keep(&self, mut record: Record, now: Moment) -> Result<Kept, KeepError> {
        if self.judge(&record, now) == Verdict::Counted {
            return Ok(Kept::Counted);
        }
        Ok(Kept::Seq(
            self.keeper.keep(self.encode(&mut record), Vec::new()).await?,
        ))
    }

    /// Hands over what the hooks found, with what came before it where that is known. What the disk refuses is counted by
    /// the keeper.
    pub async fn hand_over(
        &self,
        found: Found,
        hindsight: Option<&Hindsight>,
        now: Moment,
    ) -> Result<(), KeepError> {
        let Found { mut record, mark } = found;
        if !self.allows(&record) || self.judge(&record, now) == Verdict::Counted {
            return Ok(());
        }
        if let Some(hindsight) = hindsight {
            record.precursors = precursors(hindsight, &record);
        }
        tracing::trace!(class = record.class, title = record.title, "caught");
        self.keeper
            .hand_over(self.encode(&mut record), mark.into_iter().collect())
            .await
    }

    /// Keeps a record that storm control has no say in, and answers its sequence when it is durable.
    pub async fn keep_always(&self, mut record: Record, marks: Vec<Mark>) -> Result<u64, KeepError> {
        let kept = self.keeper.keep(self.encode(&mut record), marks).await;
        if let Err(KeepError::Refused | KeepError::Unfit(_)) = kept {
            self.books().refused_always += 1;
        }
        kept
    }

    /// Counts a record of the local socket that is refused because it broke the rules.
    pub fn reject(&self) {
        let mut books = self.books();
        books.rejected += 1;
        books.refuse(LossReason::Rejected);
    }

    /// Counts a record of the local socket that is refused because its sender sent too much.
    pub fn limit(&self) {
        self.books().refuse(LossReason::RateLimit);
    }

    /// Counts what a counter of `hook` that only grows has counted since it was last seen.
    pub fn lost(&self, reason: LossReason, hook: &str, total: u64) {
        self.books().losses.counter(reason, hook, total);
    }

    /// Repeats that storm control only counted, and refused frames.
    pub fn counts(&self) -> (u64, u64) {
        let books = self.books();
        (books.storm.total(), books.rejected)
    }

    /// Closes the storm windows that ended; all of them when `all`.
    pub fn close_windows(&self, now: Moment, all: bool) {
        let mut ended = Vec::new();
        let mut books = self.books();
        if all {
            books.storm.flush(&mut ended);
        } else {
            books.storm.expire(now.since_boot_ms(), &mut ended);
        }
        books.counted(ended);
    }

    /// Makes the losses of the books durable as records. What the disk does not take now stays in the books, and is the
    /// error.
    pub async fn tell_losses(&self, now: Moment) -> Result<(), KeepError> {
        let (refused, failing) = {
            let stats = self.keeper.stats();
            let stats = stats.borrow();
            (stats.refused, stats.failing.is_some())
        };
        let pending = {
            let mut books = self.books();
            let refused = refused.saturating_sub(books.refused_always);
            books.losses.counter(LossReason::SpoolWrite, "", refused);
            books.losses.pending()
        };
        if failing {
            self.keeper.retry().await?;
        }
        for entry in pending {
            let record = self.boot.loss(entry.reason, &entry.of, entry.count, now);
            match self.keep_always(record, Vec::new()).await {
                Ok(_) => self.books().losses.told(&entry),
                Err(KeepError::NotDurable) => {
                    // It is in the spool's memory, and is written before anything else.
                    self.books().losses.told(&entry);
                    return Err(KeepError::NotDurable);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// What of a record is kept.
    fn encode(&self, record: &mut Record) -> Vec<u8> {
        let scrubber = Arc::clone(&self.scrubber.lock().unwrap_or_else(PoisonError::into_inner));
        wire::scrub(record, &scrubber);
        encode(record)
    }

    fn judge(&self, record: &Record, now: Moment) -> Verdict {
        let mut ended = Vec::new();
        let mut books = self.books();
        let hook = record.hook.as_ref().map_or("", |hook| &hook.name);
        let verdict = books.storm.judge(
            hook,
            &record.class,
            &record.title,
            now.since_boot_ms(),
            &mut ended,
        );
        books.counted(ended);
        if verdict == Verdict::Keep && !books.policy.has_room(record, now.since_boot_ms()) {
            let of = Lost {
                class: record.class.clone(),
                ..Lost::default()
            };
            books.losses.add(LossReason::RateLimit, of, 1);
            return Verdict::Counted;
        }
        verdict
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        // Nothing panics between two changes that belong together.
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Books {
    fn refuse(&mut self, reason: LossReason) {
        let of = Lost {
            hook: "socket".into(),
            ..Lost::default()
        };
        self.losses.add(reason, of, 1);
    }

    fn counted(&mut self, ended: Vec<Suppressed>) {
        for Suppressed { class, title, count } in ended {
            let of = Lost {
                hook: String::new(),
                class,
                title,
            };
            self.losses.add(LossReason::Storm, of, count);
        }
    }
}

#[cfg(test)]
mod tests {
    use faults::{Class, Severity};
    use prost::Message as _;
    use proto::v1::record::Payload;
    use spool::Chunk;

    use super::*;

    fn moment(ms: u64) -> Moment {
        Moment {
            unix_ns: ms * 1_000_000,
            since_boot_ns: ms * 1_000_000,
            asleep_ns: 0,
        }
    }

    async fn losses(recorder: &Recorder) -> Vec<(LossReason, String, u64)> {
        let Chunk::Records { records, .. } = recorder.keeper().read(1, 100, 1 << 20).await.unwrap() else {
            return Vec::new();
        };
        records.iter().filter_map(|bytes| loss(bytes)).collect()
    }

    fn nothing_private() -> Scrubber {
        Scrubber::new(&faults::scrub::Policy::default()).unwrap()
    }

    fn loss(bytes: &[u8]) -> Option<(LossReason, String, u64)> {
        match Record::decode(bytes).unwrap().payload {
            Some(Payload::Loss(loss)) => Some((loss.reason(), loss.title, loss.count)),
            _ => None,
        }
    }

    #[tokio::test]
    async fn what_the_disk_refuses_is_an_error_and_told_as_soon_as_it_is_mended() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("spool");
        let limits = spool::Options {
            segment_bytes: 4_096,
            max_bytes: 1 << 20,
            ..spool::Options::default()
        };
        let opened = spool::Spool::open(&path, limits, [1; 16]).unwrap();
        let kept = crate::kept::Kept::default();
        let (keeper, _thread) =
            crate::keeper::start(opened.spool, kept, dir.path().join("kept.json")).unwrap();
        let recorder = Recorder::new(Boot::default(), keeper, Storm::new(10, 1_000), nothing_private());
        // The first segment is full and the second cannot be made.
        recorder.keeper().keep(vec![0; 4_000], Vec::new()).await.unwrap();
        let in_the_way = path.join("segment-00000000000000000002.new");
        std::fs::create_dir(&in_the_way).unwrap();
        recorder.lost(LossReason::RingFull, "panic", 4);
        let told = recorder.tell_losses(moment(1)).await;
        assert!(matches!(told, Err(KeepError::NotDurable)), "{told:?}");
        recorder.reject();
        let told = recorder.tell_losses(moment(2)).await;
        assert!(matches!(told, Err(KeepError::Refused)), "{told:?}");

        // What is told again by itself does not count as lost.
        let dump = Boot::default().record(Class::KernelOops, Severity::High, "t", moment(2));
        let kept = recorder.keep_always(dump, Vec::new()).await;
        assert!(matches!(kept, Err(KeepError::Refused)), "{kept:?}");

        std::fs::remove_dir(&in_the_way).unwrap();
        recorder.tell_losses(moment(3)).await.unwrap();
        let Chunk::Records { records, .. } = recorder.keeper().read(2, 100, 1 << 20).await.unwrap() else {
            panic!("nothing was told");
        };
        let reasons: Vec<_> = records
            .iter()
            .filter_map(|bytes| loss(bytes))
            .map(|(reason, ..)| reason)
            .collect();
        assert_eq!(reasons, [LossReason::RingFull, LossReason::Rejected]);
        assert_eq!(records.len(), 2);
    }

    #[tokio::test]
    async fn what_is_private_never_gets_to_the_disk() {
        let dir = tempfile::tempdir().unwrap();
        let opened =
            spool::Spool::open(&dir.path().join("spool"), spool::Options::default(), [1; 16]).unwrap();
        let kept = crate::kept::Kept::default();
        let (keeper, thread) =
            crate::keeper::start(opened.spool, kept, dir.path().join("kept.json")).unwrap();
        let policy = faults::scrub::Policy::all(faults::scrub::Action::Replace);
        let recorder = Recorder::new(
            Boot::default(),
            keeper,
            Storm::new(1, 1_000),
            Scrubber::new(&policy).unwrap(),
        );
        let title = "crash of alice@example.org";
        let record = || Boot::default().record(Class::KernelOops, Severity::High, title, moment(1));
        recorder.keep(record(), moment(1)).await.unwrap();
        let found = Found {
            record: record(),
            mark: None,
        };
        recorder.hand_over(found, None, moment(2_000)).await.unwrap();
        recorder.keep(record(), moment(2_001)).await.unwrap();
        recorder.close_windows(moment(4_000), true);
        recorder.tell_losses(moment(4_000)).await.unwrap();
        drop(recorder);
        thread.join().unwrap();
        for file in std::fs::read_dir(dir.path().join("spool")).unwrap() {
            let bytes = std::fs::read(file.unwrap().path()).unwrap();
            assert!(!bytes.windows(5).any(|five| five == b"alice"));
        }
    }

    #[tokio::test]
    async fn kept_and_told_as_lost_is_all_there_was() {
        let dir = tempfile::tempdir().unwrap();
        let opened =
            spool::Spool::open(&dir.path().join("spool"), spool::Options::default(), [1; 16]).unwrap();
        let (keeper, thread) = crate::keeper::start(
            opened.spool,
            crate::kept::Kept::default(),
            dir.path().join("kept.json"),
        )
        .unwrap();
        let recorder = Recorder::new(Boot::default(), keeper, Storm::new(2, 1_000), nothing_private());
        for ms in 0..7 {
            let record = Boot::default().record(Class::KernelOops, Severity::High, "t", moment(ms));
            let kept = recorder.keep(record, moment(ms)).await.unwrap();
            assert_eq!(kept == Kept::Counted, ms >= 2);
        }
        recorder.reject();
        recorder.lost(LossReason::RingFull, "panic", 4);
        recorder.close_windows(moment(2_000), false);
        recorder.tell_losses(moment(2_000)).await.unwrap();
        recorder.tell_losses(moment(2_001)).await.unwrap();
        assert_eq!(
            losses(&recorder).await,
            [
                (LossReason::RingFull, String::new(), 4),
                (LossReason::Storm, "t".into(), 5),
                (LossReason::Rejected, String::new(), 1),
            ]
        );
        assert_eq!(recorder.counts(), (5, 1));
        drop(recorder);
        thread.join().unwrap();
    }
}

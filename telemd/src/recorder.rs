//! Policy, and the way into the spool: storm control, the books of what is lost, scrubbing, encoding.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use faults::scrub::Scrubber;
use probe_user::hindsight::Hindsight;
use proto::v1::{LossCount, LossReason, Record};

use crate::clock::Moment;
use crate::config;
use crate::crashes::twins::Twins;
use crate::keeper::{Handle, KeepError};
use crate::kept::Mark;
use crate::losses::Losses;
use crate::pipeline::Found;
use crate::policy::Policy;
use crate::record::{Boot, Lost, encode, precursors};
use crate::sample::{Sample, example};
use crate::storm::{Storm, Suppressed, Verdict};

#[cfg(test)]
mod tests;

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
    crashes: Arc<Twins>,
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
            crashes: Arc::default(),
        }
    }

    /// Whoever takes records in from now on, into another spool: what is counted goes on, this one is done with.
    #[must_use]
    pub fn successor(&self, keeper: Handle, scrubber: Scrubber) -> Self {
        let mut successor = Self::new(self.boot.clone(), keeper, Storm::new(1, 1), scrubber);
        successor.crashes = Arc::clone(&self.crashes);
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

    /// Crashes that a hook and a core dump tell.
    pub fn crashes(&self) -> &Twins {
        &self.crashes
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

    /// What was counted as lost since the agent started, by reason and class.
    pub fn loss_totals(&self) -> Vec<LossCount> {
        self.books().losses.totals()
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
            let record = self.boot.loss(&entry, now);
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

    /// What takes out of texts what is private.
    pub fn scrubber(&self) -> Arc<Scrubber> {
        Arc::clone(&self.scrubber.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What of a record is kept.
    fn encode(&self, record: &mut Record) -> Vec<u8> {
        wire::scrub(record, &self.scrubber());
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
            || example(record),
            &mut ended,
        );
        books.counted(ended);
        if verdict == Verdict::Keep && !books.policy.has_room(record, now.since_boot_ms()) {
            let of = Lost {
                class: record.class.clone(),
                ..Lost::default()
            };
            let mut sample = Sample::default();
            sample.note(example(record));
            books.losses.add_sampled(LossReason::RateLimit, of, 1, sample);
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
        for Suppressed {
            class,
            title,
            count,
            sample,
        } in ended
        {
            let of = Lost {
                hook: String::new(),
                class,
                title,
            };
            self.losses.add_sampled(LossReason::Storm, of, count, sample);
        }
    }
}

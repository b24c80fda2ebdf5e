//! The thread that owns the spool: durable before acknowledged, with group commit.
//!
//! Everything that is asked while a sync runs waits in a bounded queue; the thread then appends all of it, syncs once
//! and answers. When the disk refuses, what was appended stays queued in the spool's memory, new records are refused
//! (and counted, so that they become a loss) and the sync is tried again on [`Handle::retry`].

use std::path::PathBuf;
use std::thread::JoinHandle;
use std::time::Duration;

use spool::{Spool, SpoolError};
use tokio::sync::{mpsc, watch};
use uuid::Uuid;

use crate::clock::Moment;
use crate::kept::{Kept, Mark};
use crate::text::chain;

mod handle;
#[cfg(test)]
mod tests;

pub use handle::Handle;
use handle::{Answer, Ask, Read};

/// How often the spool is told how much time has passed. Something is kept at least with every heartbeat.
const TELL_TIME: Duration = Duration::from_mins(1);
/// Questions that one sync answers.
const GROUP: usize = 256;

/// Why a record was not kept, or not yet.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// The disk refuses writes; the record is lost and counted.
    #[error("the spool cannot be written")]
    Refused,
    /// The record is in memory and is written when the disk takes it.
    #[error("the spool cannot be synced; the record waits in memory")]
    NotDurable,
    /// The record cannot be kept at all; it is lost and counted.
    #[error("the record does not fit the spool: {0}")]
    Unfit(SpoolError),
    /// The spool could not be read.
    #[error("the spool cannot be read: {0}")]
    Read(SpoolError),
    /// The agent shuts down.
    #[error("the agent shuts down")]
    Stopped,
}

/// The spool at a glance.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stats {
    /// All sequences up to this one are durable.
    pub durable_seq: u64,
    /// All sequences up to this one are stored by the collector.
    pub acknowledged_seq: u64,
    /// Records between the two.
    pub backlog: u64,
    /// Size on disk, bytes.
    pub bytes: u64,
    /// Records that could not be kept since the agent started.
    pub refused: u64,
    /// What the disk said when it last refused; `None` while it works.
    pub failing: Option<String>,
}

/// Starts the thread. `kept` is what [`Kept::load`] read from `kept_path`.
pub fn start(spool: Spool, kept: Kept, kept_path: PathBuf) -> std::io::Result<(Handle, JoinHandle<()>)> {
    let epoch = Uuid::from_bytes(spool.epoch());
    let (publish, stats) = watch::channel(Stats::default());
    let (handle, queue) = Handle::new(stats, epoch);
    let mut keeper = Keeper {
        appended_seq: spool.durable_seq(),
        spool,
        epoch,
        kept,
        kept_path,
        publish,
        refused: 0,
        failing: None,
        told_time: Moment::now(),
    };
    keeper.publish();
    let thread = std::thread::Builder::new()
        .name("spool".into())
        .spawn(move || keeper.run(queue))?;
    Ok((handle, thread))
}

struct Keeper {
    spool: Spool,
    /// Sequence of the record that was appended last.
    appended_seq: u64,
    epoch: Uuid,
    kept: Kept,
    kept_path: PathBuf,
    publish: watch::Sender<Stats>,
    refused: u64,
    failing: Option<String>,
    /// Up to when the spool was told how time passes.
    told_time: Moment,
}

/// What one sync answers.
#[derive(Default)]
struct Group {
    waiting: Vec<(u64, Answer<u64>)>,
    retries: Vec<Answer<()>>,
    reads: Vec<Read>,
    closed: bool,
    unsynced: bool,
    marked: bool,
}

impl Keeper {
    fn run(&mut self, mut queue: mpsc::Receiver<Ask>) {
        while let Some(first) = queue.blocking_recv() {
            let mut group = Group::default();
            let mut next = Some(first);
            for _ in 0..GROUP {
                let Some(ask) = next.take() else { break };
                self.take(ask, &mut group);
                next = queue.try_recv().ok();
            }
            if let Some(ask) = next {
                self.take(ask, &mut group);
            }
            let is_closed = std::mem::take(&mut group.closed);
            self.commit(group);
            if is_closed {
                break;
            }
        }
        let unsynced = self.failing.is_some();
        self.commit(Group {
            unsynced,
            ..Group::default()
        });
    }

    fn take(&mut self, ask: Ask, group: &mut Group) {
        match ask {
            Ask::Append {
                record,
                marks,
                answer,
                _room,
            } => match self.append(&record, marks, group) {
                Ok(seq) => group.waiting.extend(answer.map(|answer| (seq, answer))),
                Err(error) => {
                    self.refused += 1;
                    self.publish();
                    reply(answer, Err(error));
                }
            },
            Ask::Read(read) => group.reads.push(read),
            Ask::Note(mark) => {
                group.marked = true;
                self.kept.note(mark, self.epoch, self.appended_seq);
            }
            Ask::Acknowledge(seq) => {
                if let Err(error) = self.spool.acknowledge(seq) {
                    tracing::warn!(seq, error = %chain(&error), "acknowledgement was not kept, it will come again");
                }
            }
            Ask::Close => group.closed = true,
            Ask::Retry(answer) => {
                group.unsynced |= self.failing.is_some();
                group.retries.push(answer);
            }
        }
    }

    fn append(&mut self, record: &[u8], marks: Vec<Mark>, group: &mut Group) -> Result<u64, KeepError> {
        // While the disk refuses, more would only fill the memory.
        if self.failing.is_some() {
            return Err(KeepError::Refused);
        }
        let seq = match self.spool.append(record) {
            Ok(seq) => seq,
            Err(SpoolError::Io { action, path, source }) => {
                self.fail(&SpoolError::Io { action, path, source });
                return Err(KeepError::Refused);
            }
            Err(error) => return Err(KeepError::Unfit(error)),
        };
        self.appended_seq = seq;
        group.unsynced = true;
        group.marked |= !marks.is_empty();
        for mark in marks {
            self.kept.note(mark, self.epoch, seq);
        }
        Ok(seq)
    }

    fn commit(&mut self, group: Group) {
        // Marks first: see `kept`.
        if group.marked
            && let Err(error) = self.kept.save(&self.kept_path)
        {
            tracing::warn!(%error, "marks of kept reports were not written, a report may come twice after a crash");
        }
        let durable = if group.unsynced { self.sync() } else { Ok(()) };
        self.tell_time(Moment::now());
        self.publish();
        for (seq, answer) in group.waiting {
            let kept = if durable.is_ok() {
                Ok(seq)
            } else {
                Err(KeepError::NotDurable)
            };
            reply(Some(answer), kept);
        }
        for answer in group.retries {
            reply(Some(answer), durable.map_err(|()| KeepError::Refused));
        }
        for Read {
            from_seq,
            max_records,
            max_bytes,
            answer,
        } in group.reads
        {
            reply(
                Some(answer),
                self.spool
                    .read(from_seq, max_records, max_bytes)
                    .map_err(KeepError::Read),
            );
        }
    }

    /// Tells the spool how much time has passed, by the clock that runs while the host sleeps and that nobody sets.
    fn tell_time(&mut self, now: Moment) {
        let passed = now.since_boot_ns.saturating_sub(self.told_time.since_boot_ns);
        let passed = Duration::from_nanos(passed);
        if passed < TELL_TIME {
            return;
        }
        self.told_time = now;
        if let Err(error) = self.spool.advance(passed) {
            tracing::warn!(error = %chain(&error), "records that are too old could not be given up yet");
        }
    }

    fn sync(&mut self) -> Result<(), ()> {
        match self.spool.sync() {
            Ok(_durable_seq) => {
                if self.failing.take().is_some() {
                    tracing::info!("the spool takes records again");
                }
                Ok(())
            }
            Err(error) => {
                self.fail(&error);
                Err(())
            }
        }
    }

    fn fail(&mut self, error: &SpoolError) {
        let said = chain(error);
        if self.failing.as_ref() != Some(&said) {
            tracing::error!(
                error = said,
                "the spool cannot be written, records are being lost: free or mend its disk"
            );
        }
        self.failing = Some(said);
    }

    fn publish(&self) {
        let stats = Stats {
            durable_seq: self.spool.durable_seq(),
            acknowledged_seq: self.spool.acknowledged_seq(),
            backlog: self.spool.backlog(),
            bytes: self.spool.bytes(),
            refused: self.refused,
            failing: self.failing.clone(),
        };
        self.publish.send_if_modified(|known| {
            let changed = *known != stats;
            *known = stats;
            changed
        });
    }
}

fn reply<T>(answer: Option<Answer<T>>, value: Result<T, KeepError>) {
    if let Some(answer) = answer {
        // Whoever asked may have given up waiting.
        drop(answer.send(value));
    }
}

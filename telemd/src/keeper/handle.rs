//! What the rest of the agent asks the thread that owns the spool.

use std::sync::Arc;

use spool::Chunk;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};
use uuid::Uuid;

use super::{KeepError, Stats};
use crate::kept::Mark;

/// Questions that wait for the thread.
const QUEUE: usize = 256;
/// Records that wait for the thread, KiB: the agent's memory in a storm is bounded by it.
const QUEUE_KIB: usize = 2048;

pub(super) type Answer<T> = oneshot::Sender<Result<T, KeepError>>;

/// A question.
pub(super) enum Ask {
    Append {
        record: Vec<u8>,
        marks: Vec<Mark>,
        answer: Option<Answer<u64>>,
        _room: OwnedSemaphorePermit,
    },
    Read(Read),
    Note(Mark),
    Acknowledge(u64),
    Retry(Answer<()>),
    Close,
}

/// Which records are to be read.
pub(super) struct Read {
    pub(super) from_seq: u64,
    pub(super) max_records: usize,
    pub(super) max_bytes: usize,
    pub(super) answer: Answer<Chunk>,
}

/// Talks to the thread. The thread ends when the last handle is dropped.
#[derive(Debug, Clone)]
pub struct Handle {
    asks: mpsc::Sender<Ask>,
    room: Arc<Semaphore>,
    stats: watch::Receiver<Stats>,
    epoch: Uuid,
}

impl Handle {
    /// A handle, and where its questions arrive.
    pub(super) fn new(stats: watch::Receiver<Stats>, epoch: Uuid) -> (Self, mpsc::Receiver<Ask>) {
        let (asks, queue) = mpsc::channel(QUEUE);
        let room = Arc::new(Semaphore::new(QUEUE_KIB));
        (
            Self {
                asks,
                room,
                stats,
                epoch,
            },
            queue,
        )
    }

    /// Keeps a record and answers its sequence when it is durable.
    pub async fn keep(&self, record: Vec<u8>, marks: Vec<Mark>) -> Result<u64, KeepError> {
        let (answer, kept) = oneshot::channel();
        self.append(record, marks, Some(answer)).await?;
        kept.await.map_err(|_closed| KeepError::Stopped)?
    }

    /// Hands a record over without waiting until it is durable; a refusal is counted in [`Stats::refused`].
    pub async fn hand_over(&self, record: Vec<u8>, marks: Vec<Mark>) -> Result<(), KeepError> {
        self.append(record, marks, None).await
    }

    /// Reads durable records, as [`Spool::read`] does.
    pub async fn read(
        &self,
        from_seq: u64,
        max_records: usize,
        max_bytes: usize,
    ) -> Result<Chunk, KeepError> {
        let (answer, chunk) = oneshot::channel();
        self.ask(Ask::Read(Read {
            from_seq,
            max_records,
            max_bytes,
            answer,
        }))
        .await?;
        chunk.await.map_err(|_closed| KeepError::Stopped)?
    }

    /// Notes a mark that stands for all records that were handed over before.
    pub async fn note(&self, mark: Mark) -> Result<(), KeepError> {
        self.ask(Ask::Note(mark)).await
    }

    /// Lets go of all records up to `seq`.
    pub async fn acknowledge(&self, seq: u64) -> Result<(), KeepError> {
        self.ask(Ask::Acknowledge(seq)).await
    }

    /// Tries once more to sync when the disk refused, and answers whether it takes records now.
    pub async fn retry(&self) -> Result<(), KeepError> {
        let (answer, mended) = oneshot::channel();
        self.ask(Ask::Retry(answer)).await?;
        mended.await.map_err(|_closed| KeepError::Stopped)?
    }

    /// Has the thread write what waits and end, though there are handles.
    pub async fn close(&self) {
        // One that has ended already is closed.
        let _ended = self.ask(Ask::Close).await;
    }

    /// Whether the thread has ended although there are handles: it panicked.
    pub fn has_ended(&self) -> bool {
        self.asks.is_closed()
    }

    /// The spool at a glance, and a way to wait for changes.
    pub fn stats(&self) -> watch::Receiver<Stats> {
        self.stats.clone()
    }

    /// What the sequences belong to.
    pub fn epoch(&self) -> Uuid {
        self.epoch
    }

    async fn append(
        &self,
        record: Vec<u8>,
        marks: Vec<Mark>,
        answer: Option<Answer<u64>>,
    ) -> Result<(), KeepError> {
        let kib = (record.len() / 1024 + 1).min(QUEUE_KIB);
        let kib = u32::try_from(kib).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.room).acquire_many_owned(kib).await;
        let room = room.map_err(|_closed| KeepError::Stopped)?;
        self.ask(Ask::Append {
            record,
            marks,
            answer,
            _room: room,
        })
        .await
    }

    async fn ask(&self, ask: Ask) -> Result<(), KeepError> {
        self.asks.send(ask).await.map_err(|_closed| KeepError::Stopped)
    }
}

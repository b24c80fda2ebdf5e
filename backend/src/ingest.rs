//! From the streams of many agents into few transactions.
//!
//! Messages wait in a bounded queue. A writer that is free takes all that waits, up to a limit, and stores it in one
//! transaction: while that runs, the next one's messages gather. So many agents with a record each cost as little as one
//! with many, and nobody waits for others to fill a transaction. The messages of an agent stay in their order, which is why
//! a stream may send on before it is answered.
//!
//! Back-pressure: what waits is limited in bytes. A stream whose message finds no room is not read any further, which
//! HTTP/2 passes on to its agent; after [`PATIENCE`] it is sent away with a delay.

use std::{sync::Arc, time::Duration};

use futures::future::join_all;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, oneshot},
    task::JoinHandle,
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::{
    metrics::{Metrics, Phase},
    store::{DeliverError, Delivered, Message, Store, StoreError, chain},
    traces,
};

mod counting;
mod queue;
mod quota;

use counting::Counting;
use queue::{Inlet, Queue};

pub use quota::{Quota, Quotas};

/// Bytes that wait or are being written: with the message that each stream is reading, the memory of ingest.
const WAITING_BYTES: usize = 32 * 1024 * 1024;
/// What a message counts at least, bytes: so many messages may wait at most.
const LEAST_BYTES: usize = 1024;
/// How long a message waits for room before its agent is sent away.
const PATIENCE: Duration = Duration::from_secs(5);

/// The way in. Cheap to clone; its writers end with the last clone.
#[derive(Clone, Debug)]
pub struct Ingest {
    inlet: Arc<Inlet>,
    room: Arc<Semaphore>,
}

/// There has been no room for too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("more is sent than can be stored")]
pub struct Crowded;

/// A message on its way.
#[derive(Debug)]
struct Job {
    message: Message,
    reply: Reply,
    /// Since when it waits.
    since: Instant,
}

/// Who waits for it, and the room that it takes until then.
#[derive(Debug)]
struct Reply {
    answer: oneshot::Sender<Result<Delivered, DeliverError>>,
    room: OwnedSemaphorePermit,
}

impl Reply {
    fn send(self, outcome: Result<Delivered, DeliverError>) {
        // A stream that is gone asks again when it comes back.
        self.answer.send(outcome).ok();
        drop(self.room);
    }
}

/// What becomes of a message: resolves when it is stored or has failed.
pub type Answer = oneshot::Receiver<Result<Delivered, DeliverError>>;

impl Ingest {
    /// Starts the writers. The task ends after the last of them, when all that they stored is counted.
    pub fn start(store: &Store, metrics: &Metrics) -> (Self, JoinHandle<()>) {
        let queue = Arc::new(Queue::default());
        let ingest = Self {
            inlet: Arc::new(Inlet::new(&queue)),
            room: Arc::new(Semaphore::new(WAITING_BYTES)),
        };
        let (counting, written) = (Counting::default(), CancellationToken::new());
        let counted = counting.start(store, written.clone());
        let writers = (0..Store::WRITERS).map(|_| {
            let writer = Writer {
                store: store.clone(),
                counting: counting.clone(),
                metrics: metrics.clone(),
            };
            tokio::spawn(writer.run(Arc::clone(&queue)))
        });
        let writers: Vec<JoinHandle<()>> = writers.collect();
        let ended = tokio::spawn(async move {
            join_all(writers).await;
            written.cancel();
            // A panic has been told by its hook.
            counted.await.ok();
        });
        (ingest, ended)
    }

    /// Queues a message, waiting for room. Messages of one agent are stored in the order of these calls.
    pub async fn submit(&self, message: Message) -> Result<Answer, Crowded> {
        let bytes = message.bytes().clamp(LEAST_BYTES, WAITING_BYTES);
        // Invariant: the clamp keeps it below 2^32.
        let permits = u32::try_from(bytes).unwrap_or(u32::MAX);
        let room = timeout(PATIENCE, Arc::clone(&self.room).acquire_many_owned(permits)).await;
        let Ok(Ok(room)) = room else {
            return Err(Crowded);
        };
        let (answer, answered) = oneshot::channel();
        self.inlet.push(Job {
            message,
            reply: Reply { answer, room },
            since: Instant::now(),
        });
        Ok(answered)
    }
}

/// Stores messages, and has what it stored counted.
struct Writer {
    store: Store,
    counting: Counting,
    metrics: Metrics,
}

impl Writer {
    /// Stores what comes until nobody can send any more.
    async fn run(self, queue: Arc<Queue>) {
        while let Some(mut taken) = queue.take().await {
            let jobs = std::mem::take(&mut taken.jobs);
            for job in &jobs {
                self.metrics.ingest(Phase::Wait, job.since.elapsed());
            }
            let (messages, replies): (Vec<_>, Vec<_>) =
                jobs.into_iter().map(|job| (job.message, job.reply)).unzip();
            let span = traces::store(replies.len());
            self.store_together(messages, replies).instrument(span).await;
        }
    }

    /// Stores messages in one transaction.
    async fn store(&self, messages: &[Message]) -> Result<Vec<Result<Delivered, DeliverError>>, StoreError> {
        let stored = self.store.deliver_all(messages).await?;
        self.metrics.ingest(Phase::Write, stored.write);
        self.metrics.ingest(Phase::Commit, stored.commit);
        self.counting.add(stored.tallies).await;
        Ok(stored.outcomes)
    }

    /// Stores messages in one transaction. When the database refuses a value, it is looked for by halves, so that it spoils
    /// only the record it is in.
    async fn store_together(&self, messages: Vec<Message>, replies: Vec<Reply>) {
        let mut groups = vec![(messages, replies)];
        while let Some((mut messages, mut replies)) = groups.pop() {
            match self.store(&messages).await {
                Ok(outcomes) => {
                    for (reply, outcome) in replies.into_iter().zip(outcomes) {
                        reply.send(outcome);
                    }
                }
                Err(error) if error.is_of_data() && messages.len() > 1 => {
                    let half = messages.len() / 2;
                    let behind = (messages.split_off(half), replies.split_off(half));
                    // What is pushed last is stored next.
                    groups.extend([behind, (messages, replies)]);
                }
                Err(error) if error.is_of_data() => {
                    for (reply, message) in replies.into_iter().zip(messages) {
                        reply.send(self.salvage(message).await);
                    }
                }
                Err(error) => {
                    let error = Arc::new(error);
                    for reply in replies {
                        reply.send(Err(DeliverError::Store(Arc::clone(&error))));
                    }
                }
            }
        }
    }

    /// Stores a batch in pieces, each in a transaction of its own, until the record is found that the database refuses:
    /// that one goes into quarantine.
    async fn salvage(&self, message: Message) -> Result<Delivered, DeliverError> {
        let mut all = Delivered::default();
        let mut piece = message.records().div_ceil(2);
        let mut rest = Some(message);
        while let Some(message) = rest.take() {
            let (mut message, behind) = message.split(piece.max(1));
            let outcome = match self.store(std::slice::from_ref(&message)).await {
                Err(error) if error.is_of_data() && message.records() > 1 => {
                    piece = message.records() / 2;
                    rest = Some(message.join(behind));
                    continue;
                }
                Err(error) if error.is_of_data() => {
                    tracing::warn!(
                        agent_id = %message.agent_id(),
                        error = %chain(&error),
                        "the database refuses a record: it goes into quarantine"
                    );
                    message.quarantine(&chain(&error));
                    self.store(std::slice::from_ref(&message)).await
                }
                outcome => outcome,
            };
            for delivered in outcome? {
                all.add(delivered?);
            }
            rest = behind;
            piece *= 2;
        }
        Ok(all)
    }
}

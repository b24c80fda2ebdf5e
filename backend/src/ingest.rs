//! From the streams of many agents into few transactions.
//!
//! Messages wait in bounded queues, one a writer. A writer takes all that waits, up to a limit, and stores it in one
//! transaction: while that runs, the next one's messages gather. So many agents with a record each cost as little as one
//! with many, and nobody waits for others to fill a transaction. All messages of an agent go to the same writer and stay in
//! their order, which is why a stream may send on before it is answered.
//!
//! Back-pressure: what waits is limited in bytes over all queues. A stream whose message finds no room is not read any
//! further, which HTTP/2 passes on to its agent; after [`PATIENCE`] it is sent away with a delay.

use std::{
    hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher},
    sync::Arc,
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot},
    task::JoinHandle,
    time::timeout,
};

use crate::store::{DeliverError, Delivered, Message, Store, StoreError, Tally, chain};

mod counting;
mod quota;

pub use quota::{Quota, Quotas};

/// Records of a transaction. Places of records in it are told apart by 16 bits (`store::id`), and a batch may come on top.
const RECORDS: usize = 8 * 1024;
/// Bytes of a transaction, unless its only message is larger: what is gained beyond is little, what is held is memory.
const BYTES: usize = 4 * 1024 * 1024;
/// Bytes that wait in all queues or are being written: with the message that each stream is reading, the memory of ingest.
const WAITING_BYTES: usize = 32 * 1024 * 1024;
/// Messages that wait in the queue of one writer.
const WAITING: usize = 1024;
/// What a message counts at least. Bytes.
const LEAST_BYTES: usize = 1024;
/// How long a message waits for room before its agent is sent away.
const PATIENCE: Duration = Duration::from_secs(5);

/// The way in. Cheap to clone; its writers end with the last clone.
#[derive(Clone, Debug)]
pub struct Ingest {
    writers: Arc<[mpsc::Sender<Job>]>,
    room: Arc<Semaphore>,
}

/// There has been no room for too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("more is sent than can be stored")]
pub struct Crowded;

/// A message on its way.
struct Job {
    message: Message,
    reply: Reply,
}

/// Who waits for it, and the room that it takes until then.
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
    pub fn start(store: &Store) -> (Self, JoinHandle<()>) {
        let (counting, counted) = counting::start(store);
        let writers = (0..Store::WRITERS).map(|_| {
            let (queue, jobs) = mpsc::channel(WAITING);
            let writer = Writer {
                store: store.clone(),
                counting: counting.clone(),
            };
            tokio::spawn(writer.run(jobs));
            queue
        });
        let ingest = Self {
            writers: writers.collect(),
            room: Arc::new(Semaphore::new(WAITING_BYTES)),
        };
        (ingest, counted)
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
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(message.agent_id());
        let writer = usize::try_from(hash % self.writers.len() as u64).unwrap_or(0);
        let (answer, answered) = oneshot::channel();
        let reply = Reply { answer, room };
        // A writer that is gone drops the job, and the answer with it.
        self.writers[writer].send(Job { message, reply }).await.ok();
        Ok(answered)
    }
}

/// Stores messages, and has what it stored counted.
struct Writer {
    store: Store,
    counting: mpsc::Sender<Vec<Tally>>,
}

impl Writer {
    /// Stores what comes until nobody can send any more.
    async fn run(self, mut queue: mpsc::Receiver<Job>) {
        while let Some(first) = queue.recv().await {
            let (mut records, mut bytes) = (first.message.records(), first.message.bytes());
            let mut jobs = vec![first];
            while records < RECORDS
                && bytes < BYTES
                && let Ok(job) = queue.try_recv()
            {
                records += job.message.records();
                bytes += job.message.bytes();
                jobs.push(job);
            }
            self.store_together(jobs).await;
        }
    }

    /// Stores messages in one transaction.
    async fn store(&self, messages: &[Message]) -> Result<Vec<Result<Delivered, DeliverError>>, StoreError> {
        let stored = self.store.deliver_all(messages).await?;
        if !stored.tallies.is_empty() {
            // Counting ends after its writers.
            self.counting.send(stored.tallies).await.ok();
        }
        Ok(stored.outcomes)
    }

    /// Stores jobs in one transaction. When the database refuses a value, it is looked for by halves, so that it spoils only
    /// the record it is in.
    async fn store_together(&self, jobs: Vec<Job>) {
        let mut groups = vec![jobs];
        while let Some(jobs) = groups.pop() {
            let (mut messages, mut replies): (Vec<_>, Vec<_>) =
                jobs.into_iter().map(|job| (job.message, job.reply)).unzip();
            match self.store(&messages).await {
                Ok(outcomes) => {
                    for (reply, outcome) in replies.into_iter().zip(outcomes) {
                        reply.send(outcome);
                    }
                }
                Err(error) if error.is_of_data() && messages.len() > 1 => {
                    let half = messages.len() / 2;
                    let behind = jobs_of(messages.split_off(half), replies.split_off(half));
                    // What is pushed last is stored next.
                    groups.extend([behind, jobs_of(messages, replies)]);
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

fn jobs_of(messages: Vec<Message>, replies: Vec<Reply>) -> Vec<Job> {
    let jobs = messages.into_iter().zip(replies);
    jobs.map(|(message, reply)| Job { message, reply }).collect()
}

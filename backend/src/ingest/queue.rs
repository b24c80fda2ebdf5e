//! What waits for a writer: one queue for all of them.
//!
//! A writer that is free takes what has waited longest, of any agents but those whose messages another writer has in hand:
//! so the messages of an agent are stored in their order, and no writer is idle while something can be stored.

use std::{
    collections::{HashSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;
use uuid::Uuid;

use super::Job;

/// Records of a transaction. Places of records in it are told apart by 16 bits (`store::id`), and a batch may come on top.
const RECORDS: usize = 8 * 1024;
/// Bytes of a transaction, unless its only message is larger: what is gained beyond is little, what is held is memory.
const BYTES: usize = 4 * 1024 * 1024;

/// The end where jobs come in; the queue is closed when it is dropped.
#[derive(Debug)]
pub(super) struct Inlet(Arc<Queue>);

/// The end where writers take jobs.
#[derive(Debug, Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    /// Something may be taken, or the queue is closed.
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// Bounded by the room that each job holds.
    waiting: VecDeque<Job>,
    /// Agents whose messages are being stored.
    busy: HashSet<Uuid>,
    closed: bool,
}

/// Jobs of a writer. Their agents' next messages may be taken when this is dropped.
#[derive(Debug)]
pub(super) struct Taken<'a> {
    pub(super) jobs: Vec<Job>,
    agents: HashSet<Uuid>,
    queue: &'a Queue,
}

impl Inlet {
    pub(super) fn new(queue: &Arc<Queue>) -> Self {
        Self(Arc::clone(queue))
    }

    /// Jobs of one agent are stored in the order of these calls.
    pub(super) fn push(&self, job: Job) {
        self.0.lock().waiting.push_back(job);
        self.0.changed.notify_one();
    }
}

impl Drop for Inlet {
    fn drop(&mut self) {
        self.0.lock().closed = true;
        self.0.changed.notify_waiters();
    }
}

impl Queue {
    /// Waits for jobs; `None`: there are none and will be none.
    pub(super) async fn take(&self) -> Option<Taken<'_>> {
        loop {
            // Before the look: what changes after it is not missed.
            let changed = self.changed.notified();
            {
                let mut state = self.lock();
                let (jobs, agents) = state.take();
                if !jobs.is_empty() {
                    return Some(Taken {
                        jobs,
                        agents,
                        queue: self,
                    });
                }
                if state.closed && state.waiting.is_empty() {
                    return None;
                }
            }
            changed.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Whole between any two statements, so a panic elsewhere leaves nothing half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take(&mut self) -> (Vec<Job>, HashSet<Uuid>) {
        let (mut records, mut bytes) = (0, 0);
        let (mut jobs, mut agents) = (Vec::new(), HashSet::new());
        let mut passed_over = Vec::new();
        while records < RECORDS
            && bytes < BYTES
            && let Some(job) = self.waiting.pop_front()
        {
            let agent = job.message.agent_id();
            if self.busy.contains(&agent) {
                passed_over.push(job);
                continue;
            }
            agents.insert(agent);
            records += job.message.records();
            bytes += job.message.bytes();
            jobs.push(job);
        }
        for job in passed_over.into_iter().rev() {
            self.waiting.push_front(job);
        }
        self.busy.extend(&agents);
        (jobs, agents)
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        let mut state = self.queue.lock();
        for agent in &self.agents {
            state.busy.remove(agent);
        }
        if state.closed {
            self.queue.changed.notify_waiters();
        } else if !state.waiting.is_empty() {
            self.queue.changed.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use proto::v1::Gap;
    use tokio::sync::{Semaphore, oneshot};
    use tokio::time::Instant;

    use super::*;
    use crate::{
        ingest::Reply,
        store::{Message, Sender},
    };

    fn agent() -> Arc<Sender> {
        Arc::new(Sender::new(Uuid::new_v4(), Uuid::new_v4(), ""))
    }

    fn job(sender: &Arc<Sender>, first_seq: u64) -> Job {
        let gap = Gap {
            first_seq,
            count: 1,
            ..Gap::default()
        };
        let room = Arc::new(Semaphore::new(1));
        Job {
            message: Message::gap(sender, gap).expect("it keeps all limits"),
            reply: Reply {
                answer: oneshot::channel().0,
                room: room.try_acquire_owned().expect("nobody else has it"),
            },
            since: Instant::now(),
        }
    }

    fn agents(taken: &Taken<'_>) -> Vec<Uuid> {
        taken.jobs.iter().map(|job| job.message.agent_id()).collect()
    }

    #[tokio::test]
    async fn messages_wait_while_another_writer_has_their_agent() {
        let queue = Arc::new(Queue::default());
        let inlet = Inlet::new(&queue);
        let (one, two, three) = (agent(), agent(), agent());
        inlet.push(job(&one, 1));
        inlet.push(job(&two, 1));
        inlet.push(job(&one, 2));
        let first = queue.take().await.expect("jobs");
        assert_eq!(agents(&first), [one.agent_id, two.agent_id, one.agent_id]);
        inlet.push(job(&one, 3));
        inlet.push(job(&three, 1));
        inlet.push(job(&two, 2));
        let second = queue.take().await.expect("a job of nobody's agent");
        assert_eq!(agents(&second), [three.agent_id]);
        drop(first);
        let third = queue.take().await.expect("its agents are free");
        assert_eq!(agents(&third), [one.agent_id, two.agent_id], "in their order");
    }

    #[tokio::test]
    async fn what_waits_is_taken_after_the_end() {
        let queue = Arc::new(Queue::default());
        let inlet = Inlet::new(&queue);
        let one = agent();
        inlet.push(job(&one, 1));
        let first = queue.take().await.expect("a job");
        inlet.push(job(&one, 2));
        drop(inlet);
        let (second, ()) = tokio::join!(queue.take(), async { drop(first) });
        drop(second.expect("what waited for its agent"));
        assert!(queue.take().await.is_none());
    }
}

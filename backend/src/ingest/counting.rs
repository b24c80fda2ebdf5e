//! Counts what writers have stored: the first at once, then together what came within a second, or a few under load.
//!
//! Under load that is the difference between changing a row that counts for each batch and once for thousands of records.
//! Writers add what they stored to what is due and go on; counting takes it from there, in a transaction at a time.

use std::{
    collections::{HashMap, hash_map::Entry},
    mem::take,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::Notify,
    task::JoinHandle,
    time::{Instant, timeout_at},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::store::{Store, StoreError, Tally, chain};

/// From the end of one time to the next, at least.
const EVERY: Duration = Duration::from_secs(1);
/// At most; well below the age at which collectors count what others seem to have left behind (`store::count`).
const EVERY_AT_MOST: Duration = Duration::from_secs(4);
/// The pause in times of what the last counting took: so it takes a tenth of a connection's time where it takes long.
const PAUSE: u32 = 10;
/// How often it is looked whether something was left behind.
const LOOK: Duration = Duration::from_secs(5);
/// Kinds of records that may be due; beyond it, writers wait until they are counted. Some 300 bytes each.
const KINDS: usize = 32 * 1024;

/// What is to be counted. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct Counting(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    due: Mutex<Due>,
    /// Something is due, or so much that writers wait.
    added: Notify,
    /// There is room again.
    taken: Notify,
}

impl Counting {
    /// Adds what was stored, that of a sender in its order; waits while too much is due.
    pub(super) async fn add(&self, tallies: Vec<Tally>) {
        if tallies.is_empty() {
            return;
        }
        loop {
            // Before the look: what changes after it is not missed.
            let taken = self.0.taken.notified();
            {
                let mut due = self.due();
                if due.kinds < KINDS {
                    due.add(tallies);
                    break;
                }
            }
            taken.await;
        }
        self.0.added.notify_one();
    }

    /// Counts until it is told to stop, and then what is due.
    pub(super) fn start(&self, store: &Store, stop: CancellationToken) -> JoinHandle<()> {
        tokio::spawn(self.clone().run(store.clone(), stop))
    }

    async fn run(self, store: Store, stop: CancellationToken) {
        let (mut look, mut next) = (Instant::now(), Instant::now());
        loop {
            let is_over = stop.is_cancelled();
            let tallies = if is_over || Instant::now() >= next || self.is_much() {
                self.take()
            } else {
                Vec::new()
            };
            if !tallies.is_empty() {
                let start = Instant::now();
                tell(store.count(&tallies).await);
                let pause = (start.elapsed() * PAUSE).clamp(EVERY, EVERY_AT_MOST);
                next = Instant::now() + pause;
            } else if is_over {
                return;
            }
            if Instant::now() >= look {
                look = Instant::now() + LOOK;
                tell(store.count_abandoned().await);
            }
            self.wait(next, look, &stop).await;
        }
    }

    /// Until something is to be done.
    async fn wait(&self, next: Instant, look: Instant, stop: &CancellationToken) {
        let due = async {
            while self.due().tallies.is_empty() {
                self.0.added.notified().await;
            }
            // What comes until then is counted with it, unless it is much.
            let much = async {
                while !self.is_much() {
                    self.0.added.notified().await;
                }
            };
            timeout_at(next, much).await.ok();
        };
        // Whatever comes first: the caller looks for itself.
        stop.run_until_cancelled(timeout_at(look, due)).await;
    }

    fn is_much(&self) -> bool {
        self.due().kinds >= KINDS
    }

    fn take(&self) -> Vec<Tally> {
        let due = take(&mut *self.due());
        self.0.taken.notify_waiters();
        due.tallies.into_values().collect()
    }

    fn due(&self) -> MutexGuard<'_, Due> {
        // Tallies that a panic left half joined do not begin where their sender is counted to: they are read anew.
        self.0.due.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Nothing is lost when it fails: it is counted from the records later.
fn tell(counted: Result<(), StoreError>) {
    if let Err(error) = counted {
        tracing::warn!(error = %chain(&error), "records are stored and not counted yet, trying again later");
    }
}

#[derive(Debug, Default)]
struct Due {
    tallies: HashMap<(Uuid, Uuid), Tally>,
    /// Kinds in all of them.
    kinds: usize,
}

impl Due {
    fn add(&mut self, tallies: Vec<Tally>) {
        for tally in tallies {
            match self.tallies.entry(tally.sender()) {
                Entry::Occupied(mut first) => {
                    let first = first.get_mut();
                    self.kinds -= first.kinds();
                    first.join(tally);
                    self.kinds += first.kinds();
                }
                Entry::Vacant(new) => {
                    self.kinds += tally.kinds();
                    new.insert(tally);
                }
            }
        }
    }
}

//! Counts what writers have stored, about once a second.
//!
//! After a pause the first is counted at once; then what comes within [`EVERY`] is counted together. Under load that is the
//! difference between changing a row that counts for each batch and once a second.

use std::{
    collections::{HashMap, hash_map::Entry},
    time::Duration,
};

use tokio::{
    sync::mpsc,
    task::JoinHandle,
    time::{Instant, timeout_at},
};
use uuid::Uuid;

use crate::store::{Store, StoreError, Tally, chain};

/// From one time to the next.
const EVERY: Duration = Duration::from_secs(1);
/// How often it is looked whether something was left behind.
const LOOK: Duration = Duration::from_secs(5);
/// Transactions whose tallies wait; writers wait for room. Each has at most as many kinds as records.
const WAITING: usize = 16;
/// Kinds of records that are counted together: what waits takes some 300 bytes for each.
const KINDS: usize = 32 * 1024;

/// Where writers send tallies, those of a sender in their order; and the task, which ends after all writers.
pub(super) fn start(store: &Store) -> (mpsc::Sender<Vec<Tally>>, JoinHandle<()>) {
    let (queue, tallies) = mpsc::channel(WAITING);
    (queue, tokio::spawn(count(store.clone(), tallies)))
}

async fn count(store: Store, mut queue: mpsc::Receiver<Vec<Tally>>) {
    let (mut due, mut look, mut next) = (Due::default(), Instant::now(), Instant::now());
    let mut is_open = true;
    while is_open || !due.is_empty() {
        if is_open && due.kinds < KINDS {
            let until = if due.is_empty() { look } else { next.min(look) };
            match timeout_at(until, queue.recv()).await {
                Ok(Some(tallies)) => due.add(tallies),
                Ok(None) => is_open = false,
                Err(_nothing) => {}
            }
        }
        let now = Instant::now();
        if !due.is_empty() && (!is_open || due.kinds >= KINDS || now >= next) {
            next = now + EVERY;
            tell(store.count(&due.take()).await);
        }
        if is_open && now >= look {
            look = now + LOOK;
            tell(store.count_abandoned().await);
        }
    }
}

/// Nothing is lost when it fails: it is counted from the records later.
fn tell(counted: Result<(), StoreError>) {
    if let Err(error) = counted {
        tracing::warn!(error = %chain(&error), "records are stored and not counted yet, trying again later");
    }
}

/// What is to be counted.
#[derive(Default)]
struct Due {
    tallies: HashMap<(Uuid, Uuid), Tally>,
    kinds: usize,
}

impl Due {
    fn add(&mut self, tallies: Vec<Tally>) {
        for tally in tallies {
            self.kinds += tally.kinds();
            match self.tallies.entry(tally.sender()) {
                Entry::Occupied(mut first) => first.get_mut().join(tally),
                Entry::Vacant(new) => {
                    new.insert(tally);
                }
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.tallies.is_empty()
    }

    fn take(&mut self) -> Vec<Tally> {
        self.kinds = 0;
        self.tallies.drain().map(|(_, tally)| tally).collect()
    }
}

//! What is worked out in the background: the health of parts of machines, and who runs what; and what is over, or forgotten.

use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::store::{Store, StoreError, chain};

/// How often parts that had errors are looked at.
const EVERY: Duration = Duration::from_mins(1);
/// How many times that often hosts are counted, and old alerts forgotten.
const SELDOM: u64 = 60;

/// Works them out until `shutdown`. Several collectors before one database may.
pub async fn keep_up(store: Store, shutdown: CancellationToken) {
    let mut turn = 0;
    while shutdown.run_until_cancelled(sleep(EVERY)).await.is_some() {
        shutdown.run_until_cancelled(keep_up_once(&store, turn)).await;
        turn += 1;
    }
}

/// Does it once: what is done seldom in each 60th turn, from 0 on. One failure keeps nothing else from being worked out.
pub async fn keep_up_once(store: &Store, turn: u64) {
    told(store.score_parts(super::score).await, "health of hardware");
    told(store.end_ignoring().await, "ignored issues");
    if turn.is_multiple_of(SELDOM) {
        told(store.count_population().await, "population");
        told(store.forget_alerts().await, "alerts of the past");
    }
    // Last: it may take long, a day of records at a time.
    told(
        earlier_parts(store).await,
        "errors of hardware in earlier records",
    );
}

async fn earlier_parts(store: &Store) -> Result<(), StoreError> {
    while store.count_earlier_parts().await? {}
    Ok(())
}

fn told<T>(done: Result<T, StoreError>, what: &'static str) {
    if let Err(error) = done {
        tracing::warn!(what, error = %chain(&error), "could not be looked after, trying again later");
    }
}

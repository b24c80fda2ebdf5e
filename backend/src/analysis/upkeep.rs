//! What is worked out in the background: the health of parts of machines, and who runs what.

use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::store::{Store, StoreError, chain};

/// How often parts that had errors are looked at.
const EVERY: Duration = Duration::from_mins(1);
/// How many times that often hosts are counted.
const POPULATION_EVERY: u64 = 60;

/// Works them out until `shutdown`. Several collectors before one database may.
pub async fn keep_up(store: Store, shutdown: CancellationToken) {
    let mut turn = 0;
    while shutdown.run_until_cancelled(sleep(EVERY)).await.is_some() {
        match shutdown.run_until_cancelled(work(&store, turn)).await {
            None | Some(Ok(())) => {}
            Some(Err(error)) => {
                tracing::warn!(error = %chain(&error), "health of hardware and population could not be worked out");
            }
        }
        turn += 1;
    }
}

async fn work(store: &Store, turn: u64) -> Result<(), StoreError> {
    while store.count_earlier_parts().await? {}
    store.score_parts(super::score).await?;
    if turn.is_multiple_of(POPULATION_EVERY) {
        store.count_population().await?;
    }
    Ok(())
}

//! What people say mends issues, at hand for every answer.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use proto::{limits, v1::KnownFix};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::store::{Message, Store, StoreError, chain};

/// How often it is asked what people have said.
const LOOK: Duration = Duration::from_secs(5);

/// What mends which issue, as of some seconds ago. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Fixes {
    store: Store,
    known: Arc<RwLock<HashMap<Uuid, KnownFix>>>,
}

impl Fixes {
    /// Nothing is known yet.
    pub fn new(store: Store) -> Self {
        Self {
            store,
            known: Arc::default(),
        }
    }

    /// What mends the faults of a message, the first [`limits::KNOWN_FIXES`] of them.
    pub(super) fn of(&self, message: &Message) -> Vec<KnownFix> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let mut fixes: Vec<KnownFix> = Vec::new();
        if known.is_empty() {
            return fixes;
        }
        for fix in message.issues().filter_map(|issue| known.get(&issue)) {
            if fixes.len() == limits::KNOWN_FIXES {
                break;
            }
            if !fixes.contains(fix) {
                fixes.push(fix.clone());
            }
        }
        fixes
    }

    /// Learns what people say until `shutdown`.
    pub async fn keep_up(&self, shutdown: &CancellationToken) {
        loop {
            match self.store.known_fixes().await {
                Ok(fixes) => *self.known.write().unwrap_or_else(PoisonError::into_inner) = fixes,
                // The outage itself is told elsewhere.
                Err(StoreError::Unavailable(_)) => {}
                Err(error) => tracing::warn!(error = %chain(&error), "it is not known what mends issues"),
            }
            if shutdown.run_until_cancelled(sleep(LOOK)).await.is_none() {
                return;
            }
        }
    }
}

//! A new id for the agent, while the hooks stay attached.
//!
//! An id ends when everything that was recorded under it is stored by the collector, so nothing is lost, nothing comes twice,
//! and the books of both ids balance. While the collector is away the id stays. The new one has a spool of its own, and a key
//! of its own for the hashes of what is private. What was told under the old id is not told again under the new one.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

use super::{Session, Shipping, facts, open_spool};
use crate::agent::AgentError;
use crate::clock::Moment;
use crate::durable;
use crate::enrolment;
use crate::host;
use crate::keeper;
use crate::kept::Kept;
use crate::privacy;

/// Where the spool of the old id is while it is being deleted.
pub(crate) const OLD_SPOOL: &str = "spool.old";
/// How long the collector may take to store the last records of an id.
const LAST_SHIPPING: Duration = Duration::from_secs(5);
/// How long connections of the local socket may keep a record.
const LAST_KEEPING: Duration = Duration::from_secs(5);
/// How often that is looked at.
const POLL: Duration = Duration::from_millis(10);
/// When the next try is made after one that failed.
const AGAIN: Duration = Duration::from_mins(1);

impl Session<'_> {
    /// Whether the id has had its time and everything under it is stored.
    pub(super) fn is_rotation_due(&self) -> bool {
        let identity = self.surroundings.settings.now().identity;
        identity.rotates()
            && Instant::now() >= self.rotate_at
            && self.surroundings.state.agent_id_age_s(Moment::now()) >= identity.rotate_s
            && self.recorder.keeper().stats().borrow().backlog == 0
            // A certificate is for one id.
            && !self.surroundings.state.path().join(enrolment::FILE).exists()
    }

    /// Gives the agent another id, if the last records of the old one get stored in time. Nobody else takes records in
    /// meanwhile; what the hooks see waits in the ring.
    pub(crate) async fn rotate(&mut self) -> Result<(), AgentError> {
        self.rotate_at = Instant::now() + AGAIN;
        let now = Moment::now();
        self.recorder.close_windows(now, true);
        self.tell_losses(now).await;
        if !self.is_alone().await {
            return Ok(());
        }
        self.shipping
            .finish(&self.recorder, Instant::now() + LAST_SHIPPING)
            .await;
        let stats = self.recorder.keeper().stats().borrow().clone();
        if stats.backlog > 0 || stats.failing.is_some() {
            return Ok(());
        }
        self.begin_anew().await
    }

    /// Waits until no connection of the local socket is about to keep something.
    async fn is_alone(&self) -> bool {
        let alone = async {
            while Arc::strong_count(&self.recorder) > 1 {
                tokio::time::sleep(POLL).await;
            }
        };
        tokio::time::timeout(LAST_KEEPING, alone).await.is_ok()
    }

    async fn begin_anew(&mut self) -> Result<(), AgentError> {
        let (config, state) = (self.surroundings.config, self.surroundings.state);
        let old = self.recorder.keeper().clone();
        self.shipping.end().await;
        old.close().await;
        if let Some(thread) = self.thread.take() {
            let joined = tokio::task::spawn_blocking(move || thread.join()).await;
            if !matches!(joined, Ok(Ok(()))) {
                return Err(AgentError::Ended);
            }
        }
        let (epoch, kept_path) = (Uuid::new_v4(), state.path().join("kept.json"));
        let durable_seq = old.stats().borrow().durable_seq;
        // Both are there until the old spool is gone, whenever a crash comes.
        let kept = Kept::load(&kept_path, old.epoch(), durable_seq).map_err(AgentError::Marks)?;
        kept.also_of(epoch).save(&kept_path).map_err(AgentError::Marks)?;
        forget_spool(&config.spool_dir(), state.path()).map_err(AgentError::Forget)?;
        self.agent_id = state.renew_agent_id()?;
        let spool = open_spool(config, epoch)?;
        let kept = Kept::load(&kept_path, epoch, 0).map_err(AgentError::Marks)?;
        let (keeper, thread) = keeper::start(spool, kept, kept_path).map_err(AgentError::Thread)?;
        self.thread = Some(thread);
        let privacy = self.surroundings.settings.now().privacy;
        let scrubber = privacy::scrubber(&privacy, &self.hostname, state)?;
        let host = host::facts(Path::new("/"), config.hostname.as_deref());
        let host = facts::told(host, self.surroundings, self.agent_id, &scrubber).await;
        self.recorder = Arc::new(self.recorder.successor(keeper, scrubber));
        self.shipping = Shipping::start(config, self.agent_id, host, &self.recorder);
        tracing::info!(agent_id = %self.agent_id, "the agent has another id");
        Ok(())
    }
}

/// Deletes a spool of which everything is stored, and the key of what was hashed in it, at once as far as a crash can tell.
fn forget_spool(spool: &Path, state: &Path) -> std::io::Result<()> {
    let aside = state.join(OLD_SPOOL);
    durable::remove(&aside)?;
    std::fs::rename(spool, &aside)?;
    durable::remove(&state.join(privacy::KEY_FILE))?;
    durable::remove(&aside)
}

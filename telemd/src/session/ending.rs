//! How a session ends: in order, with what was caught last kept and shipped as far as there is time, or at once.

use std::thread::JoinHandle;
use std::time::Duration;

use tokio::time::Instant;

use super::Session;
use crate::clock::Moment;
use crate::keeper::KeepError;
use crate::sources::Buffers;

/// How long the drain at the end may take in all; the process ends within 5 s of SIGTERM.
const DRAIN: Duration = Duration::from_secs(4);
/// Until when, since its start, the last records may be kept.
const LAST_KEEPING: Duration = Duration::from_secs(2);
/// Until when, since its start, they may be shipped; the rest is for closing the spool.
const LAST_SHIPPING: Duration = Duration::from_millis(3_500);
/// How long the hooks are listened to for what is already in the ring.
const LAST_EVENTS: Duration = Duration::from_millis(20);
/// Batches of events that are taken at the end: more than the ring holds.
const LAST_BATCHES: usize = 64;

impl Session<'_> {
    /// Ends the session; records are kept, and shipped as far as there is time.
    pub(crate) async fn drain(mut self) {
        let started = Instant::now();
        let kept = tokio::time::timeout(LAST_KEEPING, self.keep_last()).await;
        if !matches!(kept, Ok(Ok(()))) {
            tracing::error!("what was caught last, or the count of what was lost, could not be kept");
        }
        // The kernel takes seconds to give up programs on a slow machine. Nothing that is to be kept waits for that.
        let last = started + LAST_SHIPPING;
        let shipping = self.shipping.finish(&self.recorder, last);
        let detaching = tokio::time::timeout_at(last, self.sources.close());
        let ((), detached) = tokio::join!(shipping, detaching);
        if detached.is_err() {
            tracing::info!("the hooks are detached when the privileged half ends");
        }
        let left = self.recorder.keeper().stats().borrow().backlog;
        self.stop_pulse();
        self.close(started + DRAIN).await;
        tracing::info!(
            backlog = left,
            "stopped; what is left is shipped after the next start"
        );
    }

    /// Keeps what the hooks have already sent, ends what waits for more, and closes the books.
    async fn keep_last(&mut self) -> Result<(), KeepError> {
        let mut buffers = Buffers::default();
        let place = self.sample_place();
        for _ in 0..LAST_BATCHES {
            let next = tokio::time::timeout(LAST_EVENTS, self.sources.next(&mut buffers, &self.recorder));
            if next.await.is_err() {
                break;
            }
            let mut found = Vec::new();
            self.take(&mut buffers, &mut found).await;
            self.hand_over(found).await;
        }
        self.settle_leftovers(&[]).await;
        self.sources.account(&self.recorder).await;
        let mut found = Vec::new();
        let now = Moment::now();
        self.pipeline.flush(now, &mut found);
        self.hand_over(found).await;
        self.tell_crashes(u64::MAX).await;
        if let Some(place) = place.filter(|_| !self.has_told()) {
            self.note_place(place).await;
        }
        self.recorder.close_windows(now, true);
        self.recorder.tell_losses(now).await
    }

    /// Ends the session at once: nothing more is kept or shipped.
    pub(crate) async fn abandon(self) {
        self.close(Instant::now() + DRAIN).await;
    }

    async fn close(self, deadline: Instant) {
        let Self {
            recorder,
            thread,
            sources,
            shipping,
            ..
        } = self;
        drop(sources);
        shipping.stop.cancel();
        let closing = async {
            // The task holds a handle of the keeper, and its failure is its end.
            let _ended = shipping.task.await.is_ok();
            drop(recorder);
            let joined = tokio::task::spawn_blocking(move || thread.map(JoinHandle::join));
            let _ended = joined.await.is_ok();
        };
        if tokio::time::timeout_at(deadline, closing).await.is_err() {
            tracing::error!("the spool could not be closed in time: its disk is slow or stuck");
        }
    }
}

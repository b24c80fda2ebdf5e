//! Histories that are kept for a moment: they are read once for all who look at the same days.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync, time::Instant};

use super::{Histories, Store, StoreError};

/// For how long a collector keeps them.
pub const KEPT: Duration = Duration::from_secs(30);

/// Days that are kept at the same time: the usual ones, and what somebody asks for beside. A month of 100,000 hosts takes some 200 MB.
const KINDS: usize = 2;

/// The latest histories, shared by all clones of a store.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    /// Nothing is kept where it is zero.
    within: Duration,
    latest: Arc<Mutex<Latest>>,
    /// Held by who reads: one at a time, because that takes connections and memory that others need.
    reading: Arc<sync::Mutex<()>>,
}

#[derive(Debug, Default)]
struct Latest {
    /// By their days, the oldest first.
    histories: Vec<(u32, Instant, Arc<Histories>)>,
    /// How often all were given up.
    forgotten: u64,
}

impl Latest {
    fn of(&self, days: u32) -> Option<Arc<Histories>> {
        let of_days = self.histories.iter().find(|(known, ..)| *known == days);
        of_days.map(|(.., histories)| Arc::clone(histories))
    }
}

impl Kept {
    pub(super) fn new(within: Duration) -> Self {
        Self {
            within,
            latest: Arc::default(),
            reading: Arc::default(),
        }
    }

    /// The histories of so many days: those that are kept, or else what `read` reads. Errors are not kept. Reading goes on when who
    /// asked does not wait any longer: he finds it done when he asks again.
    pub(super) async fn get(
        &self,
        days: u32,
        read: impl Future<Output = Result<Histories, StoreError>> + Send + 'static,
    ) -> Result<Arc<Histories>, StoreError> {
        if let Some(known) = self.fresh().of(days) {
            return Ok(known);
        }
        let turn = Arc::clone(&self.reading).lock_owned().await;
        let forgotten = {
            // Somebody may have read them meanwhile.
            let mut latest = self.fresh();
            if let Some(known) = latest.of(days) {
                return Ok(known);
            }
            while latest.histories.len() >= KINDS {
                latest.histories.remove(0);
            }
            latest.forgotten
        };
        let kept = self.clone();
        let reading = tokio::spawn(async move {
            let _turn = turn;
            let histories = Arc::new(read.await?);
            kept.keep(days, &histories, forgotten);
            Ok(histories)
        });
        reading
            .await
            .unwrap_or_else(|stopped| Err(StoreError::Unavailable(Box::new(stopped))))
    }

    /// Keeps what was read, unless it was given up meanwhile.
    fn keep(&self, days: u32, histories: &Arc<Histories>, forgotten: u64) {
        let mut latest = self.fresh();
        if !self.within.is_zero() && latest.forgotten == forgotten {
            latest
                .histories
                .push((days, Instant::now(), Arc::clone(histories)));
            self.give_up_later();
        }
    }

    /// Those that are not too old.
    fn fresh(&self) -> MutexGuard<'_, Latest> {
        // Nobody panics while it is locked.
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        latest.histories.retain(|(_, at, _)| at.elapsed() < self.within);
        latest
    }

    /// Nobody may ask again for hours.
    fn give_up_later(&self) {
        let kept = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(kept.within).await;
            drop(kept.fresh());
        });
    }

    fn forget(&self) {
        let mut latest = self.fresh();
        latest.histories.clear();
        latest.forgotten += 1;
    }
}

impl Store {
    /// This store, with what statistics are made of kept for so long.
    #[must_use]
    pub fn keeping(self, within: Duration) -> Self {
        Self {
            kept: Kept::new(within),
            ..self
        }
    }

    /// Gives up what is kept: it has changed.
    pub fn forget_histories(&self) {
        self.kept.forget();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::FutureExt as _;

    use super::*;

    /// Histories that tell how many were read before them.
    #[derive(Clone, Default)]
    struct Reads(Arc<AtomicUsize>);

    impl Reads {
        fn read(&self) -> impl Future<Output = Result<Histories, StoreError>> + Send + 'static {
            let reads = self.clone();
            async move {
                tokio::task::yield_now().await;
                let days = reads.0.fetch_add(1, Ordering::Relaxed);
                Ok(Histories {
                    days,
                    ..Histories::default()
                })
            }
        }
    }

    #[tokio::test]
    async fn they_are_read_once_for_all_who_ask_within_their_time() {
        let (kept, reads) = (Kept::new(Duration::from_hours(1)), Reads::default());
        let ask = async |days| kept.get(days, reads.read()).await.unwrap().days;
        let (first, meanwhile, other) = tokio::join!(ask(30), ask(30), ask(7));
        assert_eq!((first, meanwhile, other), (0, 0, 1));
        assert_eq!((ask(30).await, ask(7).await), (0, 1));
        assert_eq!(ask(60).await, 2, "the oldest ones go");
        assert_eq!((ask(7).await, ask(60).await, ask(30).await), (1, 2, 3));
    }

    #[tokio::test]
    async fn old_ones_are_given_up_without_being_asked_for() {
        let (kept, reads) = (Kept::new(Duration::from_millis(20)), Reads::default());
        let weak = Arc::downgrade(&kept.get(30, reads.read()).await.unwrap());
        for _ in 0..500 {
            if weak.upgrade().is_none() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert!(weak.upgrade().is_none());
        assert_eq!(kept.get(30, reads.read()).await.unwrap().days, 1);
    }

    #[tokio::test]
    async fn what_was_given_up_while_it_was_read_is_not_kept() {
        let (kept, reads) = (Kept::new(Duration::from_hours(1)), Reads::default());
        let (changing, read) = (kept.clone(), reads.read());
        let changed = async move {
            changing.forget();
            read.await
        };
        assert_eq!(kept.get(30, changed).await.unwrap().days, 0);
        assert_eq!(kept.get(30, reads.read()).await.unwrap().days, 1);
    }

    #[tokio::test]
    async fn reading_goes_on_when_nobody_waits() {
        let (kept, reads) = (Kept::new(Duration::from_hours(1)), Reads::default());
        assert!(kept.get(30, reads.read()).now_or_never().is_none());
        assert_eq!(kept.get(30, reads.read()).await.unwrap().days, 0);
        assert_eq!(reads.0.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn errors_are_not_kept_and_nothing_is_unless_the_store_is_told_to() {
        let (kept, reads) = (Kept::new(Duration::from_hours(1)), Reads::default());
        let failed = kept
            .get(30, async { Err(StoreError::InvalidFilter("no".to_owned())) })
            .await;
        failed.unwrap_err();
        assert_eq!(kept.get(30, reads.read()).await.unwrap().days, 0);

        let kept = Store::new("host=/nowhere user=nobody").unwrap().kept;
        for number in 1..3 {
            assert_eq!(kept.get(30, reads.read()).await.unwrap().days, number);
        }
    }
}

//! Answers that are kept for a moment: what a month of a fleet comes to is read once for all who look at it.

use std::{
    any::Any,
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync,
    time::{Instant, timeout},
};

use super::Store;

/// For how long a collector keeps an answer.
pub const KEPT: Duration = Duration::from_secs(30);

/// Answers that are kept at the same time.
const ANSWERS: usize = 64;
/// Histories that are: of the usual days, and of what somebody asks for beside. Those of 100,000 hosts in a month take 200 MB.
const HISTORIES: usize = 2;
/// Who waited so long for another's answer makes his own.
const WAIT: Duration = Duration::from_secs(10);

type Answer = Arc<dyn Any + Send + Sync>;
/// Locked by who makes the answer, so that others wait for it.
type Slot = Arc<sync::Mutex<Option<(Instant, Answer)>>>;

/// Answers by their questions, shared by all clones of a store.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    /// Nothing is kept where it is zero.
    within: Duration,
    /// So many at the same time.
    most: usize,
    slots: Arc<Mutex<HashMap<String, Slot>>>,
}

impl Kept {
    pub(super) fn answers(within: Duration) -> Self {
        Self::new(within, ANSWERS)
    }

    pub(super) fn histories(within: Duration) -> Self {
        Self::new(within, HISTORIES)
    }

    fn new(within: Duration, most: usize) -> Self {
        Self {
            within,
            most,
            slots: Arc::default(),
        }
    }

    /// What `make` answers to a question, or has answered a moment ago. Errors are not kept.
    pub(crate) async fn get<T: Clone + Send + Sync + 'static, E>(
        &self,
        question: String,
        make: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        if self.within.is_zero() {
            return make.await;
        }
        let slot = self.slot(question);
        let Ok(mut slot) = timeout(WAIT, slot.lock()).await else {
            return make.await;
        };
        let fresh = self.fresh(slot.as_ref());
        if let Some(answer) = fresh.and_then(|answer| answer.downcast_ref::<T>()) {
            return Ok(answer.clone());
        }
        let answer = make.await?;
        *slot = Some((Instant::now(), Arc::new(answer.clone())));
        Ok(answer)
    }

    fn forget(&self) {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn slot(&self, question: String) -> Slot {
        // Nobody panics while it is locked.
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.len() >= self.most && !slots.contains_key(&question) {
            // One that is locked is being made.
            slots.retain(|_, slot| {
                slot.try_lock()
                    .map_or(true, |slot| self.fresh(slot.as_ref()).is_some())
            });
            if slots.len() >= self.most {
                slots.clear();
            }
        }
        Arc::clone(slots.entry(question).or_default())
    }

    /// The answer of a slot, unless it is too old.
    fn fresh<'a>(&self, slot: Option<&'a (Instant, Answer)>) -> Option<&'a Answer> {
        let answer = slot.filter(|(at, _)| at.elapsed() < self.within);
        answer.map(|(_, answer)| answer)
    }
}

impl Store {
    /// This store, with the answers of statistics kept for so long.
    #[must_use]
    pub fn keeping(self, within: Duration) -> Self {
        Self {
            answers: Kept::answers(within),
            histories: Kept::histories(within),
            ..self
        }
    }

    /// Gives all answers up: what they are made of has changed.
    pub fn forget_answers(&self) {
        self.answers.forget();
        self.histories.forget();
    }
}

#[cfg(test)]
mod tests {
    use std::{
        convert::Infallible,
        sync::atomic::{AtomicU32, Ordering},
    };

    use super::*;

    #[tokio::test]
    async fn an_answer_is_made_once_for_all_who_ask_within_its_time() {
        let (kept, made) = (Kept::answers(Duration::from_hours(1)), AtomicU32::new(0));
        let ask = async |question: &str| {
            let make = async {
                tokio::task::yield_now().await;
                Ok::<_, Infallible>(made.fetch_add(1, Ordering::Relaxed))
            };
            kept.get(question.to_owned(), make).await.unwrap()
        };
        let (first, meanwhile, other) = tokio::join!(ask("a"), ask("a"), ask("b"));
        assert_eq!(first, meanwhile);
        assert_ne!(first, other);
        assert_eq!((ask("a").await, ask("b").await), (first, other));
    }

    #[tokio::test]
    async fn an_old_answer_is_made_anew() {
        let kept = Kept::answers(Duration::from_millis(1));
        let ask = async |answer: u32| {
            kept.get("a".to_owned(), async { Ok::<_, Infallible>(answer) })
                .await
        };
        assert_eq!(ask(1).await, Ok(1));
        tokio::time::sleep(Duration::from_millis(5)).await;
        assert_eq!(ask(2).await, Ok(2));
    }

    #[tokio::test]
    async fn neither_errors_are_kept_nor_answers_without_end() {
        let kept = Kept::answers(Duration::from_hours(1));
        let failed = kept.get("a".to_owned(), async { Err::<u32, _>("no") }).await;
        assert_eq!(failed, Err("no"));
        for question in 0..=ANSWERS {
            let answer = kept
                .get(question.to_string(), async { Ok::<_, Infallible>(question) })
                .await;
            assert_eq!(answer, Ok(question));
        }
        assert!(kept.slots.lock().unwrap().len() <= ANSWERS);
    }

    #[tokio::test]
    async fn a_store_keeps_nothing_unless_it_is_told_to() {
        let kept = Store::new("host=/nowhere user=nobody").unwrap().answers;
        for number in 0..2 {
            assert_eq!(
                kept.get("a".to_owned(), async { Ok::<_, Infallible>(number) })
                    .await,
                Ok(number)
            );
        }
    }
}

//! How many guests work at a time.

use std::sync::{Condvar, Mutex, PoisonError};

/// Places of guests that work. One that only waits for what comes late has given its place to the next: it takes little of
/// this host's processors.
#[derive(Debug)]
pub(super) struct Places {
    free: Mutex<usize>,
    freed: Condvar,
}

/// A place that was taken. It is free again when this value is dropped.
#[derive(Debug)]
pub(super) struct Place<'a>(&'a Places);

impl Places {
    /// So many, at least one.
    pub(super) const fn new(count: usize) -> Self {
        Self {
            free: Mutex::new(if count == 0 { 1 } else { count }),
            freed: Condvar::new(),
        }
    }

    /// Waits until there is one.
    pub(super) fn take(&self) -> Place<'_> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let free = self.freed.wait_while(free, |free| *free == 0);
        *free.unwrap_or_else(PoisonError::into_inner) -= 1;
        Place(self)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    #[test]
    fn no_more_work_at_a_time_than_there_are_places() {
        let places = Places::new(2);
        let at_work = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..100 {
                        let _place = places.take();
                        assert!(at_work.fetch_add(1, Ordering::SeqCst) < 2);
                        thread::yield_now();
                        at_work.fetch_sub(1, Ordering::SeqCst);
                    }
                });
            }
        });
        assert_eq!(*places.free.lock().unwrap(), 2);
    }

    #[test]
    fn there_is_always_one() {
        let places = Places::new(0);
        drop(places.take());
        drop(places.take());
    }
}

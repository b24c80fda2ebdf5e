//! What a sender says again and again: the first in full, then a count.

/// Reports of one class and title that are passed on in a window.
pub const FIRST: u64 = 5;
/// Length of a window, microseconds.
pub const WINDOW_US: u64 = 600_000_000;
/// Classes and titles that are told apart in a window; what is beyond them counts as one.
const TITLES: usize = 32;

/// Repeats that were not passed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repeated {
    /// Their class; empty: they have several.
    pub class: String,
    /// Their title; empty: they have several.
    pub title: String,
    /// How many.
    pub count: u64,
}

/// The counts of one sender.
#[derive(Debug, Default)]
pub struct Repeats {
    since_us: u64,
    seen: Vec<Repeated>,
}

impl Repeats {
    /// Counts a report; whether it is to be passed on.
    pub fn admit(&mut self, class: &str, title: &str, now_us: u64) -> bool {
        if self.seen.is_empty() {
            self.since_us = now_us;
        }
        let known = |seen: &Repeated| seen.class == class && seen.title == title;
        let index = match self.seen.iter().position(known) {
            Some(index) => index,
            None => self.place_for(class, title),
        };
        let seen = &mut self.seen[index];
        seen.count += 1;
        seen.count <= FIRST
    }

    /// Where what is new is counted.
    fn place_for(&mut self, class: &str, title: &str) -> usize {
        if self.seen.len() <= TITLES {
            let is_named = self.seen.len() < TITLES;
            let name = |name: &str| if is_named { name.to_owned() } else { String::new() };
            self.seen.push(Repeated {
                class: name(class),
                title: name(title),
                count: 0,
            });
        }
        self.seen.len() - 1
    }

    /// Whether the window is over.
    pub fn is_due(&self, now_us: u64) -> bool {
        !self.seen.is_empty() && self.since_us.saturating_add(WINDOW_US) <= now_us
    }

    /// Ends the window: what was not passed on in it.
    pub fn end(&mut self) -> Vec<Repeated> {
        let seen = std::mem::take(&mut self.seen).into_iter();
        let lost = seen.filter(|seen| seen.count > FIRST);
        lost.map(|seen| Repeated {
            count: seen.count - FIRST,
            ..seen
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Each report is passed on or counted.
        #[test]
        fn the_books_balance(titles in proptest::collection::vec(0u8..60, 0..400)) {
            let mut repeats = Repeats::default();
            let passed = titles.iter().filter(|title| repeats.admit("kernel.warning", &title.to_string(), 7)).count();
            prop_assert!(!repeats.is_due(7 + WINDOW_US - 1));
            prop_assert_eq!(repeats.is_due(7 + WINDOW_US), !titles.is_empty());
            let lost: u64 = repeats.end().iter().map(|repeated| repeated.count).sum();
            prop_assert_eq!(passed as u64 + lost, titles.len() as u64);
            prop_assert!(repeats.end().is_empty());
        }
    }
}

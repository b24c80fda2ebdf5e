//! Storm control: the first occurrences of a fault in full, the rest as a count.
//!
//! Occurrences are told apart by class and title. A window opens with the first occurrence of a key; the first N in it
//! are kept, the rest counted, and when the window ends the count becomes one [`Suppressed`]. At most [`KEYS`] windows
//! are open: beyond that, a new key shares one window per class (title unknown), so that a flood of ever new titles is
//! held back too and still counted. Kept + counted = seen, always.

use std::collections::HashMap;

use proto::v1::LossExample;

use crate::sample::Sample;

mod limits;

pub use limits::{Limit, Limits};

/// Windows that are open at once, those shared by a class not counted: about 64 KiB of titles.
pub const KEYS: usize = 256;
/// Classes are a fixed list in code; the limit only makes the bound independent of that.
const CLASSES: usize = 64;
/// The class that stands for all others when even [`CLASSES`] are open.
const ANY_CLASS: &str = "";

/// What to do with an occurrence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Keep it in full.
    Keep,
    /// It is counted; drop it.
    Counted,
}

/// Occurrences of one window that were only counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suppressed {
    /// Their class; empty when they had several.
    pub class: String,
    /// Their title; empty when they had several.
    pub title: String,
    /// How many. At least 1.
    pub count: u64,
    /// Some of them.
    pub sample: Sample,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    class: String,
    /// `None`: every title of the class that found no room for a window of its own.
    title: Option<String>,
}

#[derive(Debug)]
struct Window {
    limit: Limit,
    opened_ms: u64,
    kept: u32,
    counted: u64,
    sample: Sample,
}

impl Window {
    fn has_ended(&self, now_ms: u64) -> bool {
        now_ms.saturating_sub(self.opened_ms) >= self.limit.window_ms
    }
}

/// The open windows.
#[derive(Debug)]
pub struct Storm {
    limit: Limit,
    limits: Limits,
    windows: HashMap<Key, Window>,
    total: u64,
}

impl Storm {
    /// Keeps `first` occurrences of a key in `window_ms` milliseconds.
    pub fn new(first: u32, window_ms: u64) -> Self {
        Self {
            limit: Limit { first, window_ms },
            limits: Limits::default(),
            windows: HashMap::new(),
            total: 0,
        }
    }

    /// The same with other limits for some hooks.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Keeps `first` occurrences in `window_ms` milliseconds from the next window on.
    pub fn set_limit(&mut self, first: u32, window_ms: u64) {
        self.limit = Limit { first, window_ms };
    }

    /// Judges one occurrence that `hook` saw at `now_ms`; `example` is what is kept of it when it is only counted. A window that ended
    /// is reported to `out` before a new one opens.
    pub fn judge(
        &mut self,
        hook: &str,
        class: &str,
        title: &str,
        now_ms: u64,
        example: impl FnOnce() -> LossExample,
        out: &mut Vec<Suppressed>,
    ) -> Verdict {
        let key = self.key(class, title, now_ms, out);
        let limit = self.limits.of(hook).unwrap_or(self.limit);
        let fresh = || Window {
            limit,
            opened_ms: now_ms,
            kept: 0,
            counted: 0,
            sample: Sample::default(),
        };
        if let Some(window) = self.windows.get_mut(&key)
            && window.has_ended(now_ms)
        {
            let mut ended = std::mem::replace(window, fresh());
            out.extend(suppressed(&key, &mut ended));
        }
        let window = self.windows.entry(key).or_insert_with(fresh);
        if window.kept < window.limit.first {
            window.kept += 1;
            Verdict::Keep
        } else {
            window.counted += 1;
            window.sample.note(example());
            self.total += 1;
            Verdict::Counted
        }
    }

    /// Closes the windows that ended by `now_ms` and reports their counts, and those of windows that never end.
    pub fn expire(&mut self, now_ms: u64, out: &mut Vec<Suppressed>) {
        let ended = self.windows.extract_if(|_, window| window.has_ended(now_ms));
        out.extend(ended.filter_map(|(key, mut window)| suppressed(&key, &mut window)));
        for (key, window) in &mut self.windows {
            if window.limit.window_ms == u64::MAX {
                out.extend(suppressed(key, window));
            }
        }
    }

    /// Closes every window and reports its count.
    pub fn flush(&mut self, out: &mut Vec<Suppressed>) {
        out.extend(
            self.windows
                .drain()
                .filter_map(|(key, mut window)| suppressed(&key, &mut window)),
        );
    }

    /// Windows that are open.
    pub fn open(&self) -> usize {
        self.windows.len()
    }

    /// Occurrences that were only counted, ever.
    pub fn total(&self) -> u64 {
        self.total
    }

    fn key(&mut self, class: &str, title: &str, now_ms: u64, out: &mut Vec<Suppressed>) -> Key {
        let own = Key {
            class: class.to_owned(),
            title: Some(title.to_owned()),
        };
        if self.windows.contains_key(&own) || self.own_windows() < KEYS {
            return own;
        }
        self.expire(now_ms, out);
        if self.own_windows() < KEYS {
            return own;
        }
        let shared = Key {
            class: class.to_owned(),
            title: None,
        };
        if self.windows.contains_key(&shared) || self.windows.len() < KEYS + CLASSES {
            return shared;
        }
        Key {
            class: ANY_CLASS.to_owned(),
            title: None,
        }
    }

    fn own_windows(&self) -> usize {
        // Shared windows exist only once the own ones were full, so this is exact while it matters: below KEYS.
        if self.windows.len() < KEYS {
            return self.windows.len();
        }
        self.windows.keys().filter(|key| key.title.is_some()).count()
    }
}

/// What a window has counted, which is nothing from then on.
fn suppressed(key: &Key, window: &mut Window) -> Option<Suppressed> {
    (window.counted > 0).then(|| Suppressed {
        class: key.class.clone(),
        title: key.title.clone().unwrap_or_default(),
        count: std::mem::take(&mut window.counted),
        sample: std::mem::take(&mut window.sample),
    })
}

#[cfg(test)]
mod tests {
    use probe_user::user_probe::UserProbe;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_first_are_kept_and_the_rest_counted_once_the_window_ends() {
        let mut storm = Storm::new(2, 1_000);
        let mut out = Vec::new();
        let verdicts: Vec<_> = (0..5)
            .map(|ms| storm.judge("h", "c", "t", ms, LossExample::default, &mut out))
            .collect();
        assert_eq!(verdicts.iter().filter(|v| **v == Verdict::Keep).count(), 2);
        storm.expire(999, &mut out);
        assert!(out.is_empty());
        storm.expire(1_000, &mut out);
        assert_eq!(
            (
                out.len(),
                out[0].class.as_str(),
                out[0].title.as_str(),
                out[0].count
            ),
            (1, "c", "t", 3)
        );
        assert_eq!(out[0].sample.examples.len(), 3);
        assert_eq!(
            storm.judge("h", "c", "t", 1_001, LossExample::default, &mut out),
            Verdict::Keep
        );
    }

    #[test]
    fn a_hook_may_have_a_limit_of_its_own() {
        let written = probe_user::user_probe::Written {
            name: "x".into(),
            tracepoint: "a:b".into(),
            rate: 3,
            ..Default::default()
        };
        let probe = UserProbe::new(&written).unwrap();
        let mut storm = Storm::new(1, 1_000).with_limits(Limits::new([&probe]));
        let mut out = Vec::new();
        let mut kept = |hook: &str, title: &str| {
            (0..5)
                .filter(|ms| {
                    storm.judge(hook, "c", title, 2_000 * ms, LossExample::default, &mut out) == Verdict::Keep
                })
                .count()
        };
        assert_eq!((kept("user.x", "t"), kept("user.y", "u")), (3, 5));
    }

    #[test]
    fn a_window_without_end_is_counted_all_the_same() {
        let mut storm = Storm::new(1, u64::MAX);
        let mut out = Vec::new();
        for ms in 0..3 {
            storm.judge("h", "c", "t", ms, LossExample::default, &mut out);
        }
        storm.expire(10, &mut out);
        assert_eq!(out.iter().map(|told| told.count).sum::<u64>(), 2);
        assert_eq!(
            storm.judge("h", "c", "t", 20, LossExample::default, &mut out),
            Verdict::Counted
        );
        storm.flush(&mut out);
        assert_eq!(out.iter().map(|told| told.count).sum::<u64>(), 3);
    }

    #[test]
    fn a_flood_of_new_titles_is_held_back_and_bounded() {
        let mut storm = Storm::new(1, 60_000);
        let mut out = Vec::new();
        let kept = (0..100_000u32)
            .filter(|n| {
                storm.judge("h", "c", &n.to_string(), 5, LossExample::default, &mut out) == Verdict::Keep
            })
            .count();
        assert_eq!(kept, KEYS + 1);
        assert!(storm.open() <= KEYS + CLASSES + 1);
        storm.flush(&mut out);
        assert_eq!(
            (
                out.len(),
                out[0].class.as_str(),
                out[0].title.as_str(),
                out[0].count
            ),
            (1, "c", "", 100_000 - 257)
        );
    }

    #[test]
    fn even_a_flood_of_classes_is_bounded_and_counted() {
        let mut storm = Storm::new(1, 60_000);
        let mut out = Vec::new();
        let kept = (0..1_000u64)
            .filter(|n| {
                storm.judge("h", &n.to_string(), "t", 5, LossExample::default, &mut out) == Verdict::Keep
            })
            .count() as u64;
        storm.flush(&mut out);
        assert_eq!(kept + out.iter().map(|s| s.count).sum::<u64>(), 1_000);
    }

    proptest! {
        #[test]
        fn kept_and_counted_is_seen(
            first in 1u32..4,
            window in 1u64..50,
            events in prop::collection::vec((0u16..600, 0u64..20, any::<bool>()), 0..2_000),
        ) {
            let mut storm = Storm::new(first, window);
            let (mut out, mut now, mut kept, mut seen) = (Vec::new(), 0, 0u64, 0u64);
            for (key, step, expire) in events {
                now += step / 19;
                if expire && step == 0 {
                    storm.expire(now, &mut out);
                }
                seen += 1;
                let title = (key / 3).to_string();
                kept += u64::from(storm.judge("h", ["a", "b", "c"][key as usize % 3], &title, now, LossExample::default, &mut out) == Verdict::Keep);
                prop_assert!(storm.open() <= KEYS + CLASSES + 1);
            }
            storm.flush(&mut out);
            let counted: u64 = out.iter().map(|s| s.count).sum();
            prop_assert_eq!(kept + counted, seen);
            prop_assert_eq!(counted, storm.total());
        }
    }
}

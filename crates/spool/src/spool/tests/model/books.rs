//! What a spool tells of what it lost, against what it did lose.

use std::collections::BTreeMap;

use crate::{GapReason, Worth};

/// The eighth byte of a record, after its number, says what it is worth.
pub(super) fn judge(record: &[u8]) -> Worth {
    let (class, is_critical, events) = match record.get(8).map(|byte| byte % 8) {
        Some(0) => ("critical", true, 1),
        Some(1) => ("count", false, 7),
        Some(2) => ("rare", false, 1),
        _ => ("usual", false, 1),
    };
    Worth {
        class: class.to_owned(),
        is_critical,
        events,
    }
}

/// What is lost, as it is told and as it was.
#[derive(Default)]
pub(super) struct Books {
    told: BTreeMap<String, (u64, u64)>,
    lost: BTreeMap<String, (u64, u64)>,
    /// Something went without an account.
    unaccounted: bool,
    readable_ordinary: Option<u64>,
    misplaced: Option<u64>,
}

impl Books {
    pub(super) fn has(&mut self, record: &[u8]) {
        if !judge(record).is_critical {
            self.readable_ordinary.get_or_insert(number(record));
        }
    }

    pub(super) fn lost(&mut self, reason: GapReason, record: &[u8]) {
        let worth = judge(record);
        if worth.is_critical && reason == GapReason::Evicted && self.readable_ordinary.is_some() {
            self.misplaced.get_or_insert(number(record));
        }
        let known = self.lost.entry(worth.class).or_default();
        *known = (known.0 + 1, known.1 + worth.events);
    }

    pub(super) fn tell(&mut self, reason: GapReason, class: &str, count: u64, events: u64) {
        self.unaccounted |= reason != GapReason::Unreadable && class.is_empty();
        if reason != GapReason::Unreadable {
            let known = self.told.entry(class.to_owned()).or_default();
            *known = (known.0 + count, known.1 + events);
        }
    }

    pub(super) fn check(&self) {
        assert_eq!(
            self.misplaced, None,
            "a critical record went before an ordinary one that is older"
        );
        if !self.unaccounted {
            assert_eq!(self.told, self.lost, "what is lost is told by class");
        }
    }
}

/// Which of all appended records it is.
fn number(record: &[u8]) -> u64 {
    u64::from_le_bytes(record[..8].try_into().unwrap())
}

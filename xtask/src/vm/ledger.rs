//! Which record is of which scenario.

use std::collections::BTreeSet;

use super::{collector::Stored, expect::Expect, scenario::Scenario};

/// What loading an unsigned module is told as. Every scenario that loads some may leave
/// a record of each beside its own.
const MODULE_TAINT: &str = "kernel.module_taint";

/// How the boot before ended, which the agent tells after every start of another boot.
const BOOT_END: &str = "boot.end";

/// The records of a guest, each with the scenario that it is of.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    entries: Vec<Entry>,
    known: BTreeSet<String>,
    /// Boots that were ended from outside, and how many of their ends were told.
    resets: u32,
    resets_told: u32,
}

/// What one scenario left.
#[derive(Debug)]
pub(crate) struct Entry {
    /// The scenario.
    pub(crate) scenario: &'static Scenario,
    /// For each of its expectations, the records that meet it: one, or many of one that happens many times.
    pub(crate) met: Vec<(Expect, Vec<Stored>)>,
    /// Records that it should not have left.
    pub(crate) strangers: Vec<Stored>,
    /// Titles of records that belong to it beside those.
    companions: BTreeSet<String>,
}

impl Entry {
    /// Expectations that no record meets.
    pub(crate) fn missing(&self) -> impl Iterator<Item = &Expect> {
        self.met
            .iter()
            .filter(|(_, records)| records.is_empty())
            .map(|(expect, _)| expect)
    }

    /// What is missing and what is too many, a line each.
    pub(crate) fn complaints(&self) -> impl Iterator<Item = String> {
        let missing = self.missing().map(|expect| format!("no record of {expect}"));
        let strangers = self.strangers.iter().map(|record| {
            format!(
                "a record too many: {} \"{}\" by {}",
                record.class, record.title, record.hook
            )
        });
        missing.chain(strangers)
    }

    fn expectation(&mut self, stored: &Stored) -> Option<&mut Vec<Stored>> {
        self.met
            .iter_mut()
            .find(|(expect, records)| {
                expect.is_met_by(stored) && (records.is_empty() || expect.how_often() > 1)
            })
            .map(|(_, records)| records)
    }

    /// Whether a record belongs to the scenario beside what it expects: once each.
    fn takes(&mut self, stored: &Stored) -> bool {
        let comes_with_it = match stored.class.as_str() {
            MODULE_TAINT => self.scenario.loads_a_broken_module(),
            BOOT_END => self.scenario.is_fatal,
            _ => false,
        };
        let comes_with_it =
            comes_with_it || self.scenario.beside.iter().any(|expect| expect.is_met_by(stored));
        comes_with_it && self.companions.insert(stored.title.clone())
    }
}

impl Ledger {
    /// Begins the entry of a scenario.
    pub(crate) fn begin(&mut self, scenario: &'static Scenario) {
        self.entries.push(Entry {
            scenario,
            met: scenario
                .expects
                .iter()
                .map(|expect| (*expect, Vec::new()))
                .collect(),
            strangers: Vec::new(),
            companions: BTreeSet::new(),
        });
    }

    /// Enters records, the newest first, as the collector lists them; returns whether any was new.
    ///
    /// A record goes to the latest scenario that expects one more like it. A second one like it is a stranger of the same
    /// scenario, any other one of the latest scenario. What a guest sends while it boots is its first scenario's.
    pub(crate) fn enter(&mut self, records: &[Stored]) -> bool {
        if self.entries.is_empty() {
            return false;
        }
        let mut any = false;
        for stored in records.iter().rev() {
            if self.known.insert(stored.id.clone()) {
                any = true;
                self.enter_one(stored);
            }
        }
        any
    }

    fn enter_one(&mut self, stored: &Stored) {
        for entry in self.entries.iter_mut().rev() {
            if let Some(records) = entry.expectation(stored) {
                records.push(stored.clone());
                return;
            }
        }
        if self.entries.iter_mut().rev().any(|entry| entry.takes(stored)) {
            return;
        }
        // A boot that stood still may have had an agent already.
        if stored.class == BOOT_END && self.resets_told < self.resets {
            self.resets_told += 1;
            return;
        }
        let culprit = self
            .entries
            .iter()
            .rposition(|entry| entry.met.iter().any(|(expect, _)| expect.is_met_by(stored)))
            .or(self.entries.len().checked_sub(1));
        if let Some(entry) = culprit.and_then(|index| self.entries.get_mut(index)) {
            entry.strangers.push(stored.clone());
        }
    }

    /// Notes how many boots were ended from outside, which may be told once each, beside what scenarios leave.
    pub(crate) const fn note_resets(&mut self, resets: u32) {
        self.resets = resets;
    }

    /// Forgets the scenario that is under way; its records stay known.
    pub(crate) fn abandon(&mut self) {
        self.entries.pop();
    }

    /// The entry of the scenario that is under way.
    pub(crate) fn current(&self) -> Option<&Entry> {
        self.entries.last()
    }

    /// All entries, in the order of their scenarios.
    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(id: u32, class: &str, title: &str) -> Stored {
        Stored {
            id: id.to_string(),
            class: class.to_owned(),
            severity: "high".to_owned(),
            title: title.to_owned(),
            host: "guest".to_owned(),
            kernel_release: "6.1".to_owned(),
            hook: String::new(),
        }
    }

    fn ledger_of(names: &[&str]) -> Ledger {
        let mut ledger = Ledger::default();
        for name in names {
            ledger.begin(Scenario::find(name).unwrap());
        }
        ledger
    }

    fn strangers(ledger: &Ledger) -> Vec<usize> {
        ledger
            .entries()
            .iter()
            .map(|entry| entry.strangers.len())
            .collect()
    }

    #[test]
    fn a_late_record_is_its_own_scenarios() {
        let mut ledger = ledger_of(&["oops", "bug"]);
        let late = stored(1, "kernel.oops", "BUG: kernel NULL pointer dereference in x");
        assert!(ledger.enter(std::slice::from_ref(&late)));
        assert!(!ledger.enter(&[late]));
        assert_eq!(ledger.entries()[0].missing().count(), 0);
        assert_eq!(ledger.entries()[1].missing().count(), 1);
        assert_eq!(strangers(&ledger), [0, 0]);
    }

    #[test]
    fn a_second_record_is_a_stranger_of_the_scenario_that_has_one() {
        let mut ledger = ledger_of(&["oops", "bug"]);
        let title = "BUG: kernel NULL pointer dereference in x";
        ledger.enter(&[stored(2, "kernel.oops", title), stored(1, "kernel.oops", title)]);
        assert_eq!(strangers(&ledger), [1, 0]);
    }

    #[test]
    fn what_nobody_expects_is_the_latest_scenarios() {
        let mut ledger = ledger_of(&["oops", "bug"]);
        ledger.enter(&[stored(1, "hardware.thermal", "hot")]);
        assert_eq!(strangers(&ledger), [0, 1]);
    }

    #[test]
    fn a_boot_that_was_begun_again_may_be_told_once() {
        let mut ledger = ledger_of(&["oops"]);
        ledger.enter(&[stored(1, BOOT_END, "previous boot ended: power loss")]);
        assert_eq!(strangers(&ledger), [1]);
        let mut ledger = ledger_of(&["oops"]);
        ledger.note_resets(1);
        ledger.enter(&[stored(1, BOOT_END, "previous boot ended: power loss")]);
        assert_eq!(strangers(&ledger), [0]);
        ledger.enter(&[stored(2, BOOT_END, "previous boot ended: hard hang")]);
        assert_eq!(strangers(&ledger), [1]);
    }

    #[test]
    fn a_broken_module_may_taint_once() {
        let mut ledger = ledger_of(&["oops"]);
        ledger.enter(&[stored(2, MODULE_TAINT, "x"), stored(1, MODULE_TAINT, "x")]);
        assert_eq!(strangers(&ledger), [1]);
        let mut ledger = ledger_of(&["segv"]);
        ledger.enter(&[stored(1, MODULE_TAINT, "x")]);
        assert_eq!(strangers(&ledger), [1]);
    }
}

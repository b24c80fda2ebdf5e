//! What package managers changed, from the logs that they keep: from which version to which, how it ended, how long it took.
//!
//! Command lines are not told: they may hold what is private, and the changes say what came of them.

use std::fmt;
use std::fmt::Write as _;

use jiff::tz::TimeZone;
use proto::limits::CUSTOM_PAYLOAD_BYTES;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub mod apt;
pub mod dnf;

/// What was told already, in the state directory.
pub const FILE: &str = "updates.json";
/// Changes of one update that are read: a system of many thousand packages that is brought to another release.
pub const CHANGES: usize = 20_000;
/// Longest name or version that is read, bytes; Debian and rpm have none that is half as long.
const WORD_BYTES: usize = 256;

/// What a package manager did in one go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Update {
    /// `apt` or `dnf`.
    pub manager: &'static str,
    /// When it began, seconds since the Unix epoch.
    pub started_s: u64,
    /// When it ended; `None` when the log does not say.
    pub ended_s: Option<u64>,
    /// How it ended; `None` when the log does not say.
    pub succeeded: Option<bool>,
    /// What was changed, at most [`CHANGES`].
    pub changes: Vec<Change>,
}

/// One package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What was done.
    pub action: Action,
    /// The package, with its architecture where that is told.
    pub package: String,
    /// The version before; empty when there was none or it is not told.
    pub from: String,
    /// The version after.
    pub to: String,
}

/// What was done with a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// It is new.
    Installed,
    /// It is newer.
    Upgraded,
    /// It is older.
    Downgraded,
    /// It was put there once more.
    Reinstalled,
    /// It is gone.
    Removed,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Installed => "installed",
            Self::Upgraded => "upgraded",
            Self::Downgraded => "downgraded",
            Self::Reinstalled => "reinstalled",
            Self::Removed => "removed",
        })
    }
}

impl Update {
    /// So many packages it was done with.
    pub fn count(&self, action: Action) -> usize {
        self.changes
            .iter()
            .filter(|change| change.action == action)
            .count()
    }

    /// The same for the same update, whenever its log is read: what its record is grouped by.
    pub fn id(&self) -> Uuid {
        let all = format!("{} {} {}", self.manager, self.started_s, self.text());
        Uuid::new_v5(&Uuid::NAMESPACE_OID, all.as_bytes())
    }

    /// The changes, a line each; what does not fit a payload is counted.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for (index, change) in self.changes.iter().enumerate() {
            let Change {
                action,
                package,
                from,
                to,
            } = change;
            let versions = match (from.as_str(), to.as_str()) {
                ("", to) => to.to_owned(),
                (from, "") => from.to_owned(),
                (from, to) => format!("{from} -> {to}"),
            };
            let line = format!("{action} {package} {versions}\n");
            if text.len() + line.len() + REST_BYTES > CUSTOM_PAYLOAD_BYTES {
                // Writing to a string does not fail.
                let _infallible = writeln!(text, "and {} more", self.changes.len() - index);
                break;
            }
            text += &line;
        }
        text
    }
}

/// Room for the line that counts the rest.
const REST_BYTES: usize = 40;

/// What was told already.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// Beginning of the newest update that was told, seconds since the Unix epoch.
    newest_s: u64,
    /// Those that began then.
    ids: Vec<Uuid>,
}

impl Told {
    /// Whether `update` is still to be told. What began before `consent_s` never is.
    pub fn is_due(&self, update: &Update, consent_s: u64) -> bool {
        update.started_s >= consent_s
            && (update.started_s > self.newest_s
                || (update.started_s == self.newest_s && !self.ids.contains(&update.id())))
    }

    /// Notes that `update` was told.
    pub fn note(&mut self, update: &Update) {
        if update.started_s > self.newest_s {
            self.ids.clear();
            self.newest_s = update.started_s;
        }
        self.ids.push(update.id());
    }
}

/// A time of a log that tells the wall clock of the host and no zone.
fn local_time(text: &str, zone: &TimeZone) -> Option<u64> {
    let words: Vec<_> = text.split_whitespace().take(3).collect();
    let time = jiff::civil::DateTime::strptime("%Y-%m-%d %H:%M:%S", words.join(" ")).ok()?;
    u64::try_from(zone.to_timestamp(time).ok()?.as_second()).ok()
}

fn word(text: &str) -> String {
    crate::text::cut(text.trim(), WORD_BYTES).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn update(started_s: u64, packages: usize) -> Update {
        let change = |n: usize| Change {
            action: Action::Upgraded,
            package: format!("package-{n}"),
            from: "1".repeat(40),
            to: "2".repeat(40),
        };
        Update {
            manager: "apt",
            started_s,
            changes: (0..packages).map(change).collect(),
            ..Update::default()
        }
    }

    #[test]
    fn an_update_of_any_size_fits_a_payload_and_says_what_is_left_out() {
        assert_eq!(update(0, 1).text().lines().count(), 1);
        let text = update(0, CHANGES).text();
        assert!(text.len() <= CUSTOM_PAYLOAD_BYTES);
        let told = text.lines().count() - 1;
        assert!(
            text.ends_with(&format!("\nand {} more\n", CHANGES - told)),
            "{}",
            &text[text.len() - 60..]
        );
    }

    #[test]
    fn each_is_told_once_and_nothing_from_before_consent() {
        let mut told = Told::default();
        assert!(!told.is_due(&update(9, 1), 10));
        assert!(told.is_due(&update(10, 1), 10));
        told.note(&update(10, 1));
        assert!(!told.is_due(&update(10, 1), 10));
        // Another that began in the same second.
        assert!(told.is_due(&update(10, 2), 10));
        told.note(&update(10, 2));
        told.note(&update(11, 1));
        assert!(!told.is_due(&update(10, 3), 10) && !told.is_due(&update(11, 1), 10));
    }
}

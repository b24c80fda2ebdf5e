//! What mends faults of this host, as far as the people of the collector have said so.
//!
//! The collector tells it with its answers; it is kept in `fixes.json` of the state directory, for `telemctl status` and
//! `telemctl journal`.

use std::io;
use std::path::Path;

use proto::limits::{FIX_BYTES, KNOWN_FIXES};
use proto::v1::KnownFix;
use serde::{Deserialize, Serialize};

use crate::durable;

/// The file, in the state directory.
pub const FILE: &str = "fixes.json";
/// Fixes that are kept: those that were told last.
const KEPT: usize = 64;

/// What mends a fault. Empty: not known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Fix {
    /// A fingerprint of the fault, 32 hexadecimal digits.
    pub fingerprint: String,
    /// What the fault is called.
    pub title: String,
    /// What to do.
    pub text: String,
    /// What has the fix, such as a kernel release.
    pub fixed_in: String,
    /// Where to read about it.
    pub url: String,
}

impl Fix {
    /// A fix as it came, without what is longer than it may be and what a terminal would obey. None: it is of no fault.
    fn new(told: KnownFix) -> Option<Self> {
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if told.fingerprint.len() != 32 || !told.fingerprint.bytes().all(is_digit) {
            return None;
        }
        let text = |text: String| {
            let end = text.floor_char_boundary(FIX_BYTES);
            text[..end].replace(char::is_control, " ")
        };
        Some(Self {
            fingerprint: told.fingerprint,
            title: text(told.title),
            text: text(told.text),
            fixed_in: text(told.fixed_in),
            url: text(told.url),
        })
    }

    /// What to do, in one line.
    pub fn advice(&self) -> String {
        let fixed_in = match &*self.fixed_in {
            "" => String::new(),
            fixed_in => format!("fixed in {fixed_in}"),
        };
        let parts = [&fixed_in, &self.text, &self.url];
        let parts: Vec<&str> = parts
            .into_iter()
            .map(String::as_str)
            .filter(|part| !part.is_empty())
            .collect();
        parts.join(", ")
    }
}

/// What is known, the latest last. A file that is missing, closed to the caller or no list says nothing.
pub fn read(state_dir: &Path) -> Vec<Fix> {
    let bytes = durable::read(&state_dir.join(FILE)).ok().flatten();
    bytes
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .unwrap_or_default()
}

/// Keeps what was told, in place of what was known of the same faults; with `all`, in place of everything.
pub fn learn(state_dir: &Path, told: Vec<KnownFix>, all: bool) -> io::Result<()> {
    let known = read(state_dir);
    let mut fixes = if all { Vec::new() } else { known.clone() };
    for fix in told.into_iter().take(KNOWN_FIXES).filter_map(Fix::new) {
        // What is known already stays where it is: nothing is written for it.
        if !fixes.contains(&fix) {
            fixes.retain(|old| old.fingerprint != fix.fingerprint);
            fixes.push(fix);
        }
    }
    fixes.drain(..fixes.len().saturating_sub(KEPT));
    if fixes == known {
        return Ok(());
    }
    durable::write(&state_dir.join(FILE), &serde_json::to_vec(&fixes)?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn told(number: usize, text: &str) -> KnownFix {
        KnownFix {
            fingerprint: format!("{number:032x}"),
            text: text.to_owned(),
            ..KnownFix::default()
        }
    }

    #[test]
    fn what_is_told_last_counts_and_a_greeting_replaces_all() {
        let dir = tempfile::tempdir().unwrap();
        let texts = || {
            read(dir.path())
                .into_iter()
                .map(|fix| fix.text)
                .collect::<Vec<_>>()
        };
        assert_eq!(read(dir.path()), []);
        learn(dir.path(), vec![told(1, "one"), told(2, "two")], true).unwrap();
        learn(dir.path(), vec![told(1, "other")], false).unwrap();
        assert_eq!(texts(), ["two", "other"]);
        learn(dir.path(), vec![told(3, "three")], true).unwrap();
        assert_eq!(texts(), ["three"]);
        for number in 0..2 * KEPT {
            learn(dir.path(), vec![told(number, "many")], false).unwrap();
        }
        assert_eq!(read(dir.path()).len(), KEPT);
        learn(dir.path(), Vec::new(), true).unwrap();
        assert_eq!(texts(), Vec::<String>::new());
    }

    #[test]
    fn a_file_that_is_no_list_says_nothing_and_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(FILE), b"\xff{").unwrap();
        assert_eq!(read(dir.path()), []);
        learn(dir.path(), vec![told(1, "one")], false).unwrap();
        assert_eq!(read(dir.path()).len(), 1);
    }

    #[test]
    fn advice_is_what_is_known() {
        let mut fix = Fix {
            fixed_in: "6.1.120".to_owned(),
            url: "https://example.org/1".to_owned(),
            ..Fix::default()
        };
        assert_eq!(fix.advice(), "fixed in 6.1.120, https://example.org/1");
        fix.text = "update the kernel".to_owned();
        assert_eq!(
            fix.advice(),
            "fixed in 6.1.120, update the kernel, https://example.org/1"
        );
        assert_eq!(Fix::default().advice(), "");
    }

    proptest! {
        #[test]
        fn nothing_that_is_told_is_obeyed_or_too_long(text: String, long in 0usize..4000, fingerprint: String) {
            let text = text + &"\u{1b}\u{e9}".repeat(long);
            let fix = Fix::new(KnownFix { title: text.clone(), text: text.clone(), fixed_in: text.clone(), url: text,
                                          fingerprint: format!("{:032x}", 7) }).expect("it has a fingerprint");
            for text in [&fix.title, &fix.text, &fix.fixed_in, &fix.url] {
                prop_assert!(text.len() <= FIX_BYTES && !text.contains(char::is_control));
            }
            prop_assert_eq!(Fix::new(KnownFix { fingerprint, ..KnownFix::default() }), None);
        }
    }
}

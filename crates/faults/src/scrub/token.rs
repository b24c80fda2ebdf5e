//! What takes the place of what was scrubbed.

use super::{Action, Rule};
use crate::hex_digits;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use std::fmt;
use std::ops::Range;

/// Hexadecimal digits of a hash in a token: 48 bits.
const HASH_DIGITS: usize = 12;

/// What the digits of a scrubbed pointer begin with. No address of a kernel or of a program begins so.
pub(super) const POINTER_MARK: &str = "0add";

/// Writes tokens.
pub(super) struct Tokens {
    /// `None` when the key is of no use; no rule hashes then.
    key: Option<Hmac<Sha256>>,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").finish_non_exhaustive()
    }
}

impl Tokens {
    pub(super) fn new(key: &[u8]) -> Self {
        Self {
            key: Hmac::new_from_slice(key).ok(),
        }
    }

    pub(super) fn write(&self, rule: Rule, action: Action, found: &str, out: &mut String) {
        match (rule, action) {
            (Rule::Pointer, _) => self.pointer(action, found, out),
            (_, Action::Mask) => out.extend(found.chars().map(|c| if c.is_alphanumeric() { 'x' } else { c })),
            (_, Action::Replace) => out.extend(["<", rule.as_str(), ">"]),
            (_, Action::Hash) => {
                let hash = self.hash(rule, found);
                let hash = hash.get(..HASH_DIGITS).unwrap_or_default();
                out.extend(["<", rule.as_str(), ":", hash, ">"]);
            }
        }
    }

    /// A number of the same width: `found` is hexadecimal digits, perhaps behind `0x`.
    fn pointer(&self, action: Action, found: &str, out: &mut String) {
        let (prefix, digits) = found.split_at(if found.starts_with("0x") { 2 } else { 0 });
        out.push_str(prefix);
        let hash = match action {
            Action::Mask => {
                let kept = digits.len() / 4;
                out.push_str(digits.get(..kept).unwrap_or_default());
                out.extend(std::iter::repeat_n('0', digits.len() - kept));
                return;
            }
            Action::Replace => "0".repeat(digits.len()),
            Action::Hash => self.hash(Rule::Pointer, &digits.to_ascii_lowercase()),
        };
        out.push_str(POINTER_MARK);
        let rest = digits.len().saturating_sub(POINTER_MARK.len());
        out.push_str(hash.get(..rest).unwrap_or_default());
    }

    /// HMAC-SHA256 of the rule's name, a zero byte and the value, in hexadecimal. Without the rule's name a value would have
    /// one hash under all rules.
    fn hash(&self, rule: Rule, value: &str) -> String {
        let Some(mut mac) = self.key.clone() else {
            return String::new();
        };
        mac.update(rule.as_str().as_bytes());
        mac.update(&[0]);
        mac.update(value.as_bytes());
        hex_digits(&mac.finalize().into_bytes())
    }
}

/// Whether a range is a token or lies inside of one: it was scrubbed before.
pub(super) fn covers(text: &str, range: &Range<usize>) -> bool {
    let bytes = text.as_bytes();
    let longest = "<cmdline:>".len() + HASH_DIGITS;
    let from = range.end.saturating_sub(longest);
    let window = bytes.get(from..=range.start).unwrap_or_default();
    let Some(open) = memchr::memrchr(b'<', window) else {
        return false;
    };
    length(bytes.get(from + open..).unwrap_or_default())
        .is_some_and(|length| from + open + length >= range.end)
}

/// Whether a token ends right before `at`.
pub(super) fn ends_at(text: &[u8], at: usize) -> bool {
    let longest = "<cmdline:>".len() + HASH_DIGITS;
    let before = text.get(at.saturating_sub(longest)..at).unwrap_or_default();
    let open = memchr::memrchr(b'<', before).filter(|_| before.ends_with(b">"));
    open.is_some_and(|open| length(before.get(open..).unwrap_or_default()) == Some(before.len() - open))
}

/// Whether a token begins at `at`.
pub(super) fn begins_at(text: &[u8], at: usize) -> bool {
    text.get(at) == Some(&b'<') && length(text.get(at..).unwrap_or_default()).is_some()
}

/// Bytes of the token at the front: `<ip>` or `<ip:5d41402abc4b>`.
fn length(text: &[u8]) -> Option<usize> {
    let inside = text.strip_prefix(b"<")?;
    let name = inside.iter().take_while(|byte| byte.is_ascii_lowercase()).count();
    let (name, after) = inside.split_at(name);
    Rule::ALL.iter().find(|rule| rule.as_str().as_bytes() == name)?;
    if after.starts_with(b">") {
        return Some(name.len() + 2);
    }
    let hash = after.strip_prefix(b":")?;
    let digits = hash.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let closed = digits == HASH_DIGITS && hash.get(digits) == Some(&b'>');
    closed.then_some(name.len() + digits + 3)
}

/// Whether the bytes around a range are no part of the same word. A token counts as the word that it stands for.
pub(super) fn apart(text: &[u8], range: &Range<usize>, inside: impl Fn(u8) -> bool) -> bool {
    let before = range.start.checked_sub(1).and_then(|at| text.get(at));
    let after = text.get(range.end);
    let free = |byte: Option<&u8>| byte.is_none_or(|byte| !inside(*byte));
    free(before) && free(after) && !ends_at(text, range.start) && !begins_at(text, range.end)
}

/// Letters, digits and `_`.
pub(super) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// The maximal runs of bytes that `inside` takes.
pub(super) fn runs(text: &str, inside: impl Fn(u8) -> bool) -> impl Iterator<Item = Range<usize>> {
    let bytes = text.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + bytes.get(at..)?.iter().position(|byte| inside(*byte))?;
        let length = bytes
            .get(start..)?
            .iter()
            .take_while(|byte| inside(**byte))
            .count();
        at = start + length;
        Some(start..at)
    })
}

/// The lines with where each begins, without their ends.
pub(super) fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    text.split_inclusive('\n').map(move |line| {
        let start = at;
        at += line.len();
        (start, line.trim_end_matches(['\n', '\r']))
    })
}

//! Finding heads: one automaton over all needles.

use super::formats::{HEADS, Head};
use crate::reader::{export, parts};
use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use std::sync::LazyLock;

static ALL: LazyLock<Vec<&'static Head>> =
    LazyLock::new(|| HEADS.iter().flat_map(|heads| heads.iter()).collect());

static FINDER: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    AhoCorasick::builder()
        .kind(Some(AhoCorasickKind::DFA))
        .match_kind(MatchKind::LeftmostLongest)
        .build(ALL.iter().map(|head| head.needle))
        .ok()
});

/// Texts besides those of heads that lines have which an assembler has to see when it collects nothing.
const OTHERS: [&str; 5] = [
    "[ cut here ]",
    "Linux version ",
    "ncfrag=",
    "\"MESSAGE\":[",
    export::BEGIN,
];

/// The same over bytes, for the first one of many lines.
static SCANNER: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    AhoCorasick::builder()
        .kind(Some(AhoCorasickKind::DFA))
        .build(
            ALL.iter()
                .map(|head| head.needle)
                .chain(OTHERS)
                .chain(parts::REASONS),
        )
        .ok()
});

/// Where a text ends with which a report may begin; lines without one mean nothing to an assembler that collects
/// nothing.
pub(crate) fn may_begin(bytes: &[u8]) -> Option<usize> {
    let found = SCANNER.as_ref()?.find(bytes)?;
    Some(found.end())
}

/// The head that a line is, if any; that of a report before that of a message.
pub(crate) fn find(line: &str) -> Option<&'static Head> {
    let mut message = None;
    for found in FINDER.as_ref()?.find_iter(line) {
        let Some(head) = ALL.get(found.pattern().as_usize()) else {
            continue;
        };
        if is_inside_word(line, found.start()) || head.unless.iter().any(|text| line.contains(text)) {
            continue;
        }
        if !head.is_message() {
            return Some(head);
        }
        message = message.or(Some(*head));
    }
    message
}

/// `ODEBUG: ` is no `BUG: `.
fn is_inside_word(line: &str, at: usize) -> bool {
    let before = at.checked_sub(1).and_then(|before| line.as_bytes().get(before));
    let first = line.as_bytes().get(at);
    let is_word = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    is_word(before) && is_word(first)
}

//! Finding heads: one automaton over all needles.

use super::formats::{HEADS, Head};
use crate::reader::{export, parts};
use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use std::sync::LazyLock;

static ALL: LazyLock<Vec<&'static Head>> =
    LazyLock::new(|| HEADS.iter().flat_map(|heads| heads.iter()).collect());

/// As a DFA it would take 1 MB, for the few lines that [`SCANNER`] lets through.
static FINDER: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    AhoCorasick::builder()
        .kind(Some(AhoCorasickKind::ContiguousNFA))
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

/// How much of each text is looked for in all lines, bytes. Whole ones make an automaton of 1 MB, these one of 340 KB, and
/// few lines have them by chance.
const BEGINNING: usize = 8;

/// Beginnings of the same texts and of [`OTHERS`], over bytes: what has none of them has no head.
static SCANNER: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    let texts = ALL
        .iter()
        .map(|head| head.needle)
        .chain(OTHERS)
        .chain(parts::REASONS)
        .map(str::as_bytes);
    AhoCorasick::builder()
        .kind(Some(AhoCorasickKind::DFA))
        .build(texts.map(|text| text.get(..BEGINNING).unwrap_or(text)))
        .ok()
});

/// Where a text ends, in its line, with which a report may begin; lines without one mean nothing to an assembler that
/// collects nothing.
pub(crate) fn may_begin(bytes: &[u8]) -> Option<usize> {
    let found = SCANNER.as_ref()?.find(bytes)?;
    Some(found.end())
}

/// The head that a line is, if any; that of a report before that of a message.
pub(crate) fn find(line: &str) -> Option<&'static Head> {
    may_begin(line.as_bytes())?;
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

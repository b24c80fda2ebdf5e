//! Addresses in networks.

use super::token::{apart, is_word, runs};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Range;

/// Bytes of hardware addresses: Ethernet, IEEE EUI-64, InfiniBand.
const MAC_BYTES: [usize; 3] = [6, 8, 20];

/// Words before versions, lower case.
const VERSION_WORDS: [&str; 17] = [
    "version",
    "ver",
    "v",
    "rev",
    "revision",
    "release",
    "firmware",
    "fw",
    "bios",
    "driver",
    "linux",
    "kernel",
    "tainted",
    "build",
    "api",
    "nvm",
    "microcode",
];

/// Reports each hardware address of a network card: so many pairs of digits, no more and no less.
pub(super) fn macs(text: &str, note: &mut impl FnMut(Range<usize>)) {
    for separator in [b':', b'-'] {
        for run in runs(text, |byte| byte.is_ascii_hexdigit() || byte == separator) {
            let word = text.get(run.clone()).unwrap_or_default();
            let mut at = run.start;
            let mut pairs = 0;
            for group in word.split(char::from(separator)) {
                let range = at..at + group.len();
                at = range.end + 1;
                if group.len() == 2 && apart(text.as_bytes(), &range, is_word) {
                    pairs += 1;
                } else {
                    mac(range.start, pairs, note);
                    pairs = 0;
                }
            }
            mac(run.end + 1, pairs, note);
        }
    }
}

/// Reports the pairs before a group that begins at `next`.
fn mac(next: usize, pairs: usize, note: &mut impl FnMut(Range<usize>)) {
    if MAC_BYTES.contains(&pairs) {
        note(next.saturating_sub(pairs * 3)..next.saturating_sub(1));
    }
}

/// Reports each IP address. `stays` tells whether a place is left as it is.
pub(super) fn ips(text: &str, stays: impl Fn(&Range<usize>) -> bool, note: &mut impl FnMut(Range<usize>)) {
    for run in runs(text, |byte| byte.is_ascii_digit() || byte == b'.') {
        let run = trimmed(text, run, '.');
        let run = before_mac(text, &run).unwrap_or(run);
        if is_v4(text, &run, &stays) {
            note(run);
        }
    }
    for run in runs(text, |byte| {
        byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.')
    }) {
        let run = trimmed(text, run, '.');
        let word = text.get(run.clone()).unwrap_or_default();
        // What a `:` joins to an address is another word: `peer:fe80::1: down`.
        let first = run.start + word.find(':').map_or(0, |colon| colon + 1);
        let last = run.end - usize::from(word.ends_with(':'));
        // As a whole hardware address is.
        let behind = match word.as_bytes().get(17) {
            Some(b':') if begins_with_mac(word.as_bytes()) => run.start + 18,
            _ => run.start,
        };
        let ranges = [
            run.start..run.end,
            run.start..last,
            first..run.end,
            first..last,
            behind..run.end,
            behind..last,
        ];
        if let Some(range) = ranges.into_iter().find(|range| is_v6(text, range)) {
            note(range);
        }
    }
}

/// Without what ends a sentence.
fn trimmed(text: &str, run: Range<usize>, end: char) -> Range<usize> {
    let word = text.get(run.clone()).unwrap_or_default();
    run.start..run.start + word.trim_end_matches(end).len()
}

/// Without the first pair of a hardware address that a dot joins to it.
fn before_mac(text: &str, run: &Range<usize>) -> Option<Range<usize>> {
    let dot = run.start + text.get(run.clone())?.rfind('.')?;
    begins_with_mac(text.as_bytes().get(dot + 1..)?).then_some(run.start..dot)
}

/// Whether there is a hardware address of six bytes at the beginning.
fn begins_with_mac(bytes: &[u8]) -> bool {
    let digits = |pair: &[u8]| pair.iter().take(2).all(u8::is_ascii_hexdigit);
    let separator = |pair: &[u8]| pair.get(2).is_none_or(|byte| Some(byte) == bytes.get(2));
    bytes.get(..17).is_some_and(|mac| {
        matches!(mac.get(2), Some(b':' | b'-')) && mac.chunks(3).all(|pair| digits(pair) && separator(pair))
    })
}

fn is_v4(text: &str, run: &Range<usize>, stays: impl Fn(&Range<usize>) -> bool) -> bool {
    let Some(Ok(address)) = text.get(run.clone()).map(str::parse::<Ipv4Addr>) else {
        return false;
    };
    let part_of_name = |byte: u8| is_word(byte) || matches!(byte, b'-' | b'+' | b'~');
    if address.octets()[0] == 0 || !apart(text.as_bytes(), run, part_of_name) {
        return false;
    }
    // A kernel's build follows its release: `6.1.0.12 #1`.
    let after = text.get(run.end..).unwrap_or_default();
    let build = after
        .strip_prefix(" #")
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    let version = version_word(text.get(..run.start).unwrap_or_default());
    !build && version.is_none_or(|word| !stays(&word))
}

/// Where the word before a number is, when it announces a version.
fn version_word(before: &str) -> Option<Range<usize>> {
    let before = before.trim_end_matches([' ', ':', '=', '(']);
    let length = before
        .bytes()
        .rev()
        .take(16)
        .take_while(u8::is_ascii_alphabetic)
        .count();
    let start = before.len() - length;
    let word = before.get(start..)?;
    let known = VERSION_WORDS
        .iter()
        .any(|version| word.eq_ignore_ascii_case(version));
    known.then_some(start..before.len())
}

/// Global, local and link-local addresses. Others are more likely to be names: `a::b` is a function.
fn is_v6(text: &str, run: &Range<usize>) -> bool {
    let word = text.get(run.clone()).unwrap_or_default();
    if !(3..=45).contains(&word.len()) || !word.bytes().any(|byte| byte.is_ascii_digit()) {
        return false;
    }
    let Ok(address) = word.parse::<Ipv6Addr>() else {
        return false;
    };
    let first = address.segments()[0];
    let routed =
        matches!(first, 0x2000..=0x3fff | 0xfc00..=0xfdff | 0xfe80..=0xfebf | 0xff00..=0xffff | 0x64);
    let part_of_name = |byte: u8| is_word(byte) || matches!(byte, b'+' | b'~' | b'(');
    (routed || word.starts_with("::")) && apart(text.as_bytes(), run, part_of_name)
}

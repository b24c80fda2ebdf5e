//! What `journalctl`, syslog daemons and `dmesg` put before a line: wall time, host, and who wrote it.

use crate::bytes::Cursor;

/// A prefix ends within so many bytes; beyond it `kernel: ` is text.
const PREFIX_MAX: usize = 160;

const TAG: &[u8] = b" kernel:";
const MONTHS: [&[u8]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];
const DAYS: [&[u8]; 7] = [b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun"];

/// Who wrote a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin<'a> {
    /// The kernel; the text behind the prefix, with the space between them.
    Kernel(&'a [u8]),
    /// A program.
    Program,
    /// The line has no prefix that tells.
    Unknown,
}

/// Looks at the prefix of a line: `Nov 24 02:54:00 host kernel: text`, `2026-11-24T02:54:00+00:00 host kernel: text`,
/// `Tue 2026-11-24 02:54:00 UTC host kernel: text`, `1790000000.123456 host kernel: text`,
/// `1 2026-11-24T02:54:00Z host kernel - - - text` (RFC 5424), `2026-11-24T02:54:00,123456+00:00 text` and
/// `kern  :warn  : text` of `dmesg`, ` kernel:text` of messages to terminals.
pub(super) fn origin(text: &[u8]) -> Origin<'_> {
    let head = text.get(..text.len().min(PREFIX_MAX)).unwrap_or(text);
    if let Some(text) = text.strip_prefix(b"kernel:") {
        return Origin::Kernel(text);
    }
    if head.starts_with(b"kern") {
        return decoded_level(text).map_or(Origin::Unknown, Origin::Kernel);
    }
    if let Some(text) = text.strip_prefix(b"1 ").filter(|text| is_date(text)) {
        return rfc5424(text);
    }
    let Some(before_tag) = words_before_tag(head) else {
        return Origin::Unknown;
    };
    if let Some(at) = memchr::memmem::find(head, TAG) {
        return Origin::Kernel(text.get(at + TAG.len()..).unwrap_or_default());
    }
    if is_date(head) && head.get(19) == Some(&b',') {
        let end = memchr::memchr(b' ', head).unwrap_or(head.len());
        return Origin::Kernel(text.get(end..).unwrap_or_default());
    }
    let mut words = head.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
    match words.nth(before_tag) {
        Some([.., b':']) => Origin::Program,
        _ => Origin::Unknown,
    }
}

/// Behind a time since boot: `host kernel: text` or `host program[77]: text` of `journalctl -o short-monotonic`.
pub(super) fn after_time(text: &[u8]) -> Origin<'_> {
    let text = text.strip_prefix(b" ").unwrap_or(text);
    let host = text
        .iter()
        .take_while(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(byte));
    let host = host.count();
    let Some(rest) = text
        .get(host..)
        .and_then(|rest| rest.strip_prefix(b" "))
        .filter(|_| host > 0)
    else {
        return Origin::Unknown;
    };
    if let Some(text) = rest.strip_prefix(b"kernel:") {
        return Origin::Kernel(text);
    }
    let mut cursor = Cursor::new(rest);
    let name = cursor.take_while(|byte| byte.is_ascii_alphanumeric() || b"-._@/".contains(byte));
    let is_program = !name.is_empty() && cursor.eat(b"[") && cursor.number().is_some() && cursor.eat(b"]: ");
    if is_program {
        Origin::Program
    } else {
        Origin::Unknown
    }
}

/// Where the bracket of a wall time or a difference ends: `Tue Nov 24 02:54:00 2026]`, `Nov24 02:54]`, `+0.000012]`.
pub(super) fn wall_time(inside: &[u8]) -> Option<usize> {
    let is_word = |names: &[&[u8]]| inside.get(..3).is_some_and(|name| names.contains(&name));
    let known = is_word(&DAYS) && inside.get(3) == Some(&b' ')
        || is_word(&MONTHS)
            && inside
                .get(3)
                .is_some_and(|byte| byte.is_ascii_digit() || *byte == b' ')
        || inside.first() == Some(&b'+') && inside.get(1).is_some_and(u8::is_ascii_digit);
    let near = inside.get(..32.min(inside.len())).filter(|_| known)?;
    memchr::memchr(b']', near)
}

/// How many words come before the one that says who wrote; `None` when the line does not begin with a date.
fn words_before_tag(head: &[u8]) -> Option<usize> {
    let word = head.get(..3)?;
    let space = head.get(3) == Some(&b' ');
    if space && MONTHS.contains(&word) {
        return Some(4);
    }
    if space && DAYS.contains(&word) && head.get(4..).is_some_and(is_date) {
        return Some(5);
    }
    let seconds = head.iter().take_while(|byte| byte.is_ascii_digit()).count();
    (is_date(head) || seconds == 10 && head.get(seconds) == Some(&b'.')).then_some(2)
}

/// `2026-11-24`
fn is_date(text: &[u8]) -> bool {
    let date = text.get(..10).unwrap_or_default();
    let is_digit = |at: usize| date.get(at).is_some_and(u8::is_ascii_digit);
    date.get(4) == Some(&b'-')
        && date.get(7) == Some(&b'-')
        && [0, 1, 2, 3, 5, 6, 8, 9].into_iter().all(is_digit)
}

/// `2026-11-24T02:54:00Z host kernel - - - text`
fn rfc5424(text: &[u8]) -> Origin<'_> {
    let mut words = text.splitn(7, |byte| *byte == b' ');
    match (words.nth(2), words.nth(3)) {
        (Some(b"kernel"), Some(text)) => Origin::Kernel(text),
        (Some(_), Some(_)) => Origin::Program,
        _ => Origin::Unknown,
    }
}

/// `kern  :warn  : text`
fn decoded_level(text: &[u8]) -> Option<&[u8]> {
    let mut colons = memchr::memchr_iter(b':', text.get(..text.len().min(20))?);
    let (_, second) = (colons.next()?, colons.next()?);
    text.get(second + 1..)
}

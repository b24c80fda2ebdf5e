//! The prefixes themselves: each form is one small function that takes what it knows from the front of a line.

use crate::bytes::{self, Cursor};
use std::borrow::Cow;

/// A syslog or journal prefix ends within so many bytes; beyond it `kernel: ` is text.
const SYSLOG_PREFIX_MAX: usize = 160;

/// What a prefix told, and the text after it.
#[derive(Debug, Default)]
pub(super) struct Prefix<'a> {
    pub(super) text: &'a [u8],
    pub(super) at_us: Option<u64>,
    pub(super) cpu: Option<u32>,
    pub(super) task: Option<u32>,
    pub(super) level: Option<u8>,
    /// The line is a record of `/dev/kmsg`: its text is escaped and dictionary lines may follow.
    pub(super) record: bool,
}

/// Takes every prefix off a line that has no line end any more.
pub(super) fn strip(line: &[u8]) -> Prefix<'_> {
    let mut prefix = Prefix {
        text: line.trim_ascii_start(),
        ..Prefix::default()
    };
    if kmsg_record(&mut prefix) {
        return prefix;
    }
    prefix.text = syslog(prefix.text).unwrap_or(prefix.text);
    level(&mut prefix);
    let stamped = time(&mut prefix);
    let called = caller(&mut prefix);
    if !stamped && !called && prefix.level.is_none() && prefix.text.len() == line.trim_ascii_start().len() {
        // Without a prefix the indentation is the kernel's own.
        prefix.text = line.strip_prefix(b"\r").unwrap_or(line);
    } else {
        prefix.text = prefix.text.strip_prefix(b" ").unwrap_or(prefix.text);
    }
    prefix
}

/// `prefix,seq,usec,flags[,caller=T1][,cpu=2];text`
fn kmsg_record(prefix: &mut Prefix<'_>) -> bool {
    let mut cursor = Cursor::new(prefix.text);
    let Some(facility_and_level) = cursor.number() else {
        return false;
    };
    if !cursor.eat(b",") || cursor.number().is_none() || !cursor.eat(b",") {
        return false;
    }
    let Some(at_us) = cursor.number() else {
        return false;
    };
    if !cursor.eat(b",") {
        return false;
    }
    let rest = cursor.rest();
    let Some(end) = memchr::memchr(b';', rest) else {
        return false;
    };
    let (flags, text) = rest.split_at(end);
    for field in flags.split(|byte| *byte == b',') {
        if let Some(value) = field.strip_prefix(b"caller=") {
            set_caller(prefix, value);
        } else if let Some(value) = field.strip_prefix(b"cpu=") {
            prefix.cpu = Cursor::new(value)
                .number()
                .and_then(|cpu| u32::try_from(cpu).ok());
        }
    }
    prefix.level = u8::try_from(facility_and_level & 7).ok();
    prefix.at_us = Some(at_us);
    prefix.text = text.get(1..).unwrap_or_default();
    prefix.record = true;
    true
}

/// `Nov 24 02:54:00 host kernel: text`, `2026-11-24T02:54:00+00:00 host kernel: text`, and `dmesg -x`'s
/// `kern  :warn  : text`.
fn syslog(text: &[u8]) -> Option<&[u8]> {
    let head = text.get(..text.len().min(SYSLOG_PREFIX_MAX))?;
    if head.starts_with(b"kern") {
        let mut colons = memchr::memchr_iter(b':', head);
        let (_, second) = (colons.next()?, colons.next()?);
        return (second < 20)
            .then(|| text.get(second + 1..))
            .flatten()
            .map(<[u8]>::trim_ascii_start);
    }
    let iso = matches!(head, [a, b, c, d, b'-', ..] if [a, b, c, d].iter().all(|byte| byte.is_ascii_digit()));
    if !iso && !starts_with_month(head) {
        return None;
    }
    let tag = b" kernel: ";
    let at = memchr::memmem::find(head, tag)?;
    text.get(at + tag.len()..)
}

fn starts_with_month(text: &[u8]) -> bool {
    const MONTHS: [&[u8]; 12] = [
        b"Jan ", b"Feb ", b"Mar ", b"Apr ", b"May ", b"Jun ", b"Jul ", b"Aug ", b"Sep ", b"Oct ", b"Nov ",
        b"Dec ",
    ];
    text.get(..4).is_some_and(|month| MONTHS.contains(&month))
}

/// `<4>`, where the number may hold a syslog facility too.
fn level(prefix: &mut Prefix<'_>) {
    let mut cursor = Cursor::new(prefix.text);
    if !cursor.eat(b"<") {
        return;
    }
    let Some(number) = cursor.number() else { return };
    if cursor.eat(b">") && number < 1024 {
        prefix.level = u8::try_from(number & 7).ok();
        prefix.text = cursor.rest();
    }
}

/// `[   12.345678]`, and the wall time of `dmesg -T`, which tells nothing about the time since boot.
fn time(prefix: &mut Prefix<'_>) -> bool {
    let mut cursor = Cursor::new(prefix.text);
    if !cursor.eat(b"[") {
        return false;
    }
    cursor.spaces();
    let inside = cursor.rest();
    if let Some(seconds) = cursor.number() {
        if !cursor.eat(b".") {
            return false;
        }
        let fraction = cursor.take_while(u8::is_ascii_digit);
        if !cursor.eat(b"]") {
            return false;
        }
        prefix.at_us = Some(
            seconds
                .saturating_mul(1_000_000)
                .saturating_add(bytes::micros(fraction)),
        );
    } else {
        let weekday = [b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun"];
        if !weekday.iter().any(|day| inside.starts_with(*day)) || inside.get(3) != Some(&b' ') {
            return false;
        }
        let Some(end) = memchr::memchr(b']', inside.get(..32.min(inside.len())).unwrap_or_default()) else {
            return false;
        };
        cursor = Cursor::new(inside.get(end + 1..).unwrap_or_default());
    }
    prefix.text = cursor.rest();
    true
}

/// Where a second time stamp begins, `text[   12.345678] more`: what follows is another line.
pub(super) fn stamp_inside(text: &[u8]) -> Option<usize> {
    memchr::memchr_iter(b'[', text).find(|at| {
        let mut cursor = Cursor::new(text.get(at + 1..).unwrap_or_default());
        cursor.spaces();
        cursor.number().is_some()
            && cursor.eat(b".")
            && cursor.take_while(u8::is_ascii_digit).len() == 6
            && cursor.eat(b"]")
    })
}

/// `[  T77]` or `[   C1]`, directly after the time or on its own.
fn caller(prefix: &mut Prefix<'_>) -> bool {
    let mut cursor = Cursor::new(prefix.text.trim_ascii_start());
    if !cursor.eat(b"[") {
        return false;
    }
    cursor.spaces();
    let inside = cursor.rest();
    let length = inside
        .iter()
        .take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'@')
        .count();
    let (value, rest) = inside.split_at(length);
    let Some(rest) = rest.strip_prefix(b"]") else {
        return false;
    };
    if !set_caller(prefix, value) {
        return false;
    }
    prefix.text = rest;
    true
}

/// `T77`, `C1` or `T77@C1`.
fn set_caller(prefix: &mut Prefix<'_>, value: &[u8]) -> bool {
    let mut cursor = Cursor::new(value);
    let (mut task, mut cpu) = (None, None);
    loop {
        let slot = if cursor.eat(b"T") {
            &mut task
        } else if cursor.eat(b"C") {
            &mut cpu
        } else {
            return false;
        };
        let Some(number) = cursor.number().and_then(|number| u32::try_from(number).ok()) else {
            return false;
        };
        *slot = Some(number);
        if cursor.rest().is_empty() {
            break;
        }
        if !cursor.eat(b"@") {
            return false;
        }
    }
    prefix.task = task;
    prefix.cpu = cpu.or(prefix.cpu);
    true
}

/// `\x0a` and the like, as `/dev/kmsg` writes bytes that are not printable.
pub(super) fn unescape(text: &[u8]) -> Cow<'_, [u8]> {
    let Some(first) = memchr::memmem::find(text, br"\x") else {
        return Cow::Borrowed(text);
    };
    let mut out = Vec::with_capacity(text.len());
    let (plain, mut rest) = text.split_at(first);
    out.extend_from_slice(plain);
    while let Some((byte, after)) = rest.split_first() {
        if let [b'\\', b'x', high, low, tail @ ..] = rest
            && let (Some(high), Some(low)) = (bytes::hex_digit(*high), bytes::hex_digit(*low))
        {
            out.push(high << 4 | low);
            rest = tail;
        } else {
            out.push(*byte);
            rest = after;
        }
    }
    Cow::Owned(out)
}

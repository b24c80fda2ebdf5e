//! The prefixes themselves: each form is one small function that takes what it knows from the front of a line.

use super::syslog::{self, Origin};
use super::vendor;
use crate::bytes::{self, Cursor};
use std::borrow::Cow;

/// What a prefix told, and the text after it.
#[derive(Debug, Default)]
pub(super) struct Prefix<'a> {
    pub(super) text: &'a [u8],
    pub(super) at_us: Option<u64>,
    pub(super) cpu: Option<u32>,
    pub(super) task: Option<u32>,
    pub(super) level: Option<u8>,
    /// A program wrote the line, not the kernel.
    pub(super) of_program: bool,
    pub(super) form: Form,
    /// The record's number, the offset of this part of its text and the length of the whole.
    pub(super) fragment: Option<(u64, usize, usize)>,
}

/// How the text is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Form {
    #[default]
    Plain,
    /// A record of `/dev/kmsg`: `\x0a` stands for a byte, and dictionary lines may follow.
    Kmsg,
    /// A string of JSON, without its quotes.
    Json,
    /// An array of bytes of JSON, without its brackets.
    JsonBytes,
}

/// Takes every prefix off a line that has no line end any more.
pub(super) fn strip(line: &[u8]) -> Prefix<'_> {
    let mut prefix = Prefix {
        text: without_colour(line.trim_ascii_start()),
        ..Prefix::default()
    };
    if kmsg_record(&mut prefix) || super::json::entry(&mut prefix) {
        return prefix;
    }
    level(&mut prefix);
    match syslog::origin(prefix.text) {
        Origin::Kernel(text) => prefix.text = text,
        Origin::Program => {
            prefix.of_program = true;
            return prefix;
        }
        Origin::Unknown => {}
    }
    let is_bare = prefix.text.len() == line.trim_ascii_start().len();
    let whole = if is_bare {
        line.strip_prefix(b"\r").unwrap_or(line)
    } else {
        prefix.text
    };
    prefix.text = prefix.text.trim_ascii_start();
    level(&mut prefix);
    let stamped = time(&mut prefix);
    let called = caller(&mut prefix) || stamped && vendor::caller(&mut prefix);
    if stamped {
        match syslog::after_time(prefix.text) {
            Origin::Kernel(text) => prefix.text = text,
            Origin::Program => prefix.of_program = true,
            Origin::Unknown => {}
        }
    } else if !called && prefix.text.len() == whole.trim_ascii_start().len() {
        // Without any prefix the indentation is the kernel's own.
        prefix.text = if is_bare {
            whole
        } else {
            whole.strip_prefix(b" ").unwrap_or(whole)
        };
        return prefix;
    }
    prefix.text = prefix.text.strip_prefix(b" ").unwrap_or(prefix.text);
    prefix
}

/// `prefix,seq,usec,flags[,caller=T1][,cpu=2][,ncfrag=0/1024];text`, as Documentation/ABI/testing/dev-kmsg and
/// Documentation/networking/netconsole.rst say.
fn kmsg_record(prefix: &mut Prefix<'_>) -> bool {
    let mut cursor = Cursor::new(prefix.text);
    // Extended netconsole may put the kernel's release first.
    if let Some(at) = memchr::memchr(b',', cursor.rest())
        && cursor.rest().get(..at).is_some_and(is_release)
    {
        cursor = Cursor::new(cursor.rest().get(at + 1..).unwrap_or_default());
    }
    let Some(facility_and_level) = cursor.number() else {
        return false;
    };
    if !cursor.eat(b",") {
        return false;
    }
    let Some(sequence) = cursor.number().filter(|_| cursor.eat(b",")) else {
        return false;
    };
    let Some(at_us) = cursor.number().filter(|_| cursor.eat(b",")) else {
        return false;
    };
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
        } else if let Some(value) = field.strip_prefix(b"ncfrag=") {
            prefix.fragment = fragment(value).map(|(offset, length)| (sequence, offset, length));
        }
    }
    set_level(prefix, facility_and_level);
    prefix.at_us = Some(at_us);
    prefix.text = text.get(1..).unwrap_or_default();
    prefix.form = Form::Kmsg;
    true
}

/// `6.1.0-18-amd64`
fn is_release(text: &[u8]) -> bool {
    let starts = text.first().is_some_and(u8::is_ascii_digit);
    starts && text.len() < 64 && memchr::memchr(b'.', text).is_some() && memchr::memchr(b' ', text).is_none()
}

/// `offset/length`
fn fragment(value: &[u8]) -> Option<(usize, usize)> {
    let mut cursor = Cursor::new(value);
    let offset = usize::try_from(cursor.number()?).ok()?;
    let length = cursor.eat(b"/").then(|| cursor.number())??;
    Some((offset, usize::try_from(length).ok()?))
}

/// `<4>`, where the number may hold a syslog facility too.
fn level(prefix: &mut Prefix<'_>) {
    let mut cursor = Cursor::new(prefix.text);
    if !cursor.eat(b"<") {
        return;
    }
    let Some(number) = cursor.number() else { return };
    if cursor.eat(b">") && number < 1024 {
        set_level(prefix, number);
        prefix.text = cursor.rest();
    }
}

/// Facility 0 is the kernel; programs that write to `/dev/kmsg` have another.
fn set_level(prefix: &mut Prefix<'_>, facility_and_level: u64) {
    prefix.level = u8::try_from(facility_and_level & 7).ok();
    prefix.of_program |= facility_and_level > 7;
}

/// `[   12.345678]`, `[   12.345678@0]`, `[   12.345678 <    0.000123>]`, and `dmesg -T`'s and `dmesg -e`'s wall time and
/// difference, which tell nothing about the time since boot.
fn time(prefix: &mut Prefix<'_>) -> bool {
    let Some(inside) = prefix.text.strip_prefix(b"[") else {
        return false;
    };
    let mut cursor = Cursor::new(inside);
    cursor.spaces();
    let inside = cursor.rest();
    let Some(seconds) = cursor.number() else {
        let Some(end) = syslog::wall_time(inside) else {
            return false;
        };
        prefix.text = without_colour(inside.get(end + 1..).unwrap_or_default());
        return true;
    };
    if !cursor.eat(b".") {
        return false;
    }
    let fraction = cursor.take_while(u8::is_ascii_digit);
    if cursor.eat(b"@") {
        prefix.cpu = cursor.number().and_then(|cpu| u32::try_from(cpu).ok());
    } else if cursor.eat(b" <") {
        cursor.take_while(|byte| *byte == b' ' || *byte == b'.' || byte.is_ascii_digit());
        cursor.eat(b">");
    }
    if !cursor.eat(b"]") {
        prefix.cpu = None;
        return false;
    }
    let seconds = seconds.saturating_mul(1_000_000);
    prefix.at_us = Some(seconds.saturating_add(bytes::micros(fraction)));
    prefix.text = without_colour(cursor.rest());
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

/// The text without the colours of a terminal at its front.
fn without_colour(mut text: &[u8]) -> &[u8] {
    while let Some(after) = text.strip_prefix(b"\x1b[").and_then(after_colour) {
        text = after;
    }
    text
}

/// What follows `32m`.
fn after_colour(text: &[u8]) -> Option<&[u8]> {
    let end = text
        .iter()
        .position(|byte| !(byte.is_ascii_digit() || *byte == b';'))?;
    text.get(end..)?.strip_prefix(b"m")
}

/// The text as the kernel wrote it.
pub(super) fn decoded(text: &[u8], form: Form) -> Cow<'_, [u8]> {
    match form {
        Form::Kmsg => unescape(text),
        Form::Json => super::json::unescape(text),
        Form::JsonBytes => Cow::Owned(super::json::bytes(text)),
        Form::Plain if memchr::memchr(0x1b, text).is_some() => Cow::Owned(uncoloured(text)),
        Form::Plain => Cow::Borrowed(text),
    }
}

fn uncoloured(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((byte, after)) = rest.split_first() {
        if let Some(after) = rest.strip_prefix(b"\x1b[").and_then(after_colour) {
            rest = after;
        } else {
            out.push(*byte);
            rest = after;
        }
    }
    out
}

/// `\x0a` and the like, as `/dev/kmsg` writes bytes that are not printable.
fn unescape(text: &[u8]) -> Cow<'_, [u8]> {
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

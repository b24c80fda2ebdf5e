//! Lines of `journalctl -o json`: an object for each entry.

use super::prefix::{Form, Prefix};
use crate::bytes::{self, Cursor};
use std::borrow::Cow;

/// Takes an entry of the journal; false when the line is none.
pub(super) fn entry(prefix: &mut Prefix<'_>) -> bool {
    if !prefix.text.starts_with(b"{") {
        return false;
    }
    let line = prefix.text;
    let Some(message) = value(line, b"\"MESSAGE\"") else {
        return false;
    };
    let (text, form) = match message {
        Value::Text(text) => (text, Form::Json),
        Value::Bytes(text) => (text, Form::JsonBytes),
    };
    let field = |name: &[u8]| match value(line, name) {
        Some(Value::Text(text)) => Some(text),
        _ => None,
    };
    let time = field(b"\"_SOURCE_MONOTONIC_TIMESTAMP\"").or_else(|| field(b"\"__MONOTONIC_TIMESTAMP\""));
    prefix.at_us = time.and_then(bytes::decimal);
    prefix.level = field(b"\"PRIORITY\"")
        .and_then(bytes::decimal)
        .and_then(|level| u8::try_from(level).ok());
    prefix.of_program = field(b"\"_TRANSPORT\"").is_some_and(|transport| transport != b"kernel");
    (prefix.text, prefix.form) = (text, form);
    true
}

enum Value<'a> {
    /// A string, still escaped.
    Text(&'a [u8]),
    /// An array of bytes, as journald writes text that is not UTF-8.
    Bytes(&'a [u8]),
}

/// The value of a member. Inside of a string its name would be escaped, so that it cannot be found there.
fn value<'a>(object: &'a [u8], name: &[u8]) -> Option<Value<'a>> {
    let at = memchr::memmem::find(object, name)?;
    let mut cursor = Cursor::new(object.get(at + name.len()..)?);
    cursor.spaces();
    if !cursor.eat(b":") {
        return None;
    }
    cursor.spaces();
    if cursor.eat(b"[") {
        return Some(Value::Bytes(cursor.take_while(|byte| *byte != b']')));
    }
    if !cursor.eat(b"\"") {
        return None;
    }
    let rest = cursor.rest();
    let mut from = 0;
    while let Some(at) = memchr::memchr2(b'"', b'\\', rest.get(from..)?) {
        if rest.get(from + at) == Some(&b'"') {
            return rest.get(..from + at).map(Value::Text);
        }
        from += at + 2;
    }
    None
}

/// The bytes of `66,85,71`; other elements are left out.
pub(super) fn bytes(array: &[u8]) -> Vec<u8> {
    let numbers = array.split(|byte| *byte == b',');
    numbers
        .filter_map(|number| u8::try_from(bytes::decimal(number.trim_ascii())?).ok())
        .collect()
}

/// The string that `text` stands for; what is no escape stays as it is.
pub(super) fn unescape(text: &[u8]) -> Cow<'_, [u8]> {
    let Some(first) = memchr::memchr(b'\\', text) else {
        return Cow::Borrowed(text);
    };
    let mut out = Vec::with_capacity(text.len());
    let (plain, mut rest) = text.split_at(first);
    out.extend_from_slice(plain);
    while let Some((byte, after)) = rest.split_first() {
        let (taken, length) = match rest {
            [b'\\', b'n', ..] => (Some('\n'), 2),
            [b'\\', b't', ..] => (Some('\t'), 2),
            [b'\\', b'r', ..] => (Some('\r'), 2),
            [b'\\', b'b' | b'f', ..] => (Some(' '), 2),
            [b'\\', b'u', digits @ ..] => {
                let code = digits.get(..4).and_then(bytes::hexadecimal);
                let code = code.and_then(|code| u32::try_from(code).ok());
                (
                    Some(
                        code.and_then(char::from_u32)
                            .unwrap_or(char::REPLACEMENT_CHARACTER),
                    ),
                    6,
                )
            }
            [b'\\', escaped, ..] => (Some(char::from(*escaped)), 2),
            _ => (None, 1),
        };
        match taken {
            Some(c) => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            None => out.push(*byte),
        }
        rest = if length == 1 {
            after
        } else {
            rest.get(length..).unwrap_or_default()
        };
    }
    Cow::Owned(out)
}

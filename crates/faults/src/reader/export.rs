//! Entries of `journalctl -o export`.
//!
//! An entry is a list of `NAME=value` lines and ends with an empty line. A value with newlines or bytes that cannot be
//! printed is written as the name, a newline, the length (64 bits, little endian), the bytes and a newline
//! (systemd, "Journal Export Formats").

use super::LINE_MAX;
use crate::bytes;
use std::ops::Range;

/// The line that begins an entry.
pub(crate) const BEGIN: &str = "__CURSOR=";

/// The entry that is being read.
#[derive(Debug, Default)]
pub(super) struct Export {
    is_open: bool,
    binary: Option<Binary>,
    message: Option<Message>,
    at_us: Option<u64>,
    has_own_time: bool,
    of_program: bool,
}

/// The text of an entry.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) text: Vec<u8>,
    pub(super) at_us: Option<u64>,
    /// Where the text is in the input.
    pub(super) text_at: Range<u64>,
    /// Where the field is in the input.
    pub(super) field_at: Range<u64>,
}

/// A value that is written with its length.
#[derive(Debug, Default)]
struct Binary {
    /// Offset of its field in the input.
    field_at: u64,
    is_message: bool,
    length: Vec<u8>,
    /// Bytes that are still to come, once the length is known; the newline behind them included.
    left: Option<u64>,
}

/// What became of a line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// It is no line of an entry.
    No,
    /// It is; the text of the entry is complete when there is one.
    Yes(Option<Message>),
}

impl Export {
    /// Whether lines are looked at as fields.
    pub(super) fn is_open(&self) -> bool {
        self.is_open
    }

    /// Takes a line without its newline, which begins at `at` in the input.
    pub(super) fn take(&mut self, raw: &[u8], at: u64) -> Taken {
        if raw.starts_with(BEGIN.as_bytes()) {
            let before = self.end();
            self.is_open = true;
            return Taken::Yes(before);
        }
        if !self.is_open {
            return Taken::No;
        }
        if raw.is_empty() {
            return Taken::Yes(self.end());
        }
        let name = raw
            .iter()
            .take_while(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || **byte == b'_');
        let (name, value) = raw.split_at(name.count());
        match value.split_first() {
            _ if name.is_empty() => {
                self.is_open = false;
                return Taken::No;
            }
            None => {
                self.binary = Some(Binary {
                    field_at: at,
                    is_message: name == b"MESSAGE",
                    ..Binary::default()
                });
            }
            Some((b'=', value)) => self.field(name, value, at),
            Some(_) => {
                self.is_open = false;
                return Taken::No;
            }
        }
        Taken::Yes(None)
    }

    fn field(&mut self, name: &[u8], value: &[u8], at: u64) {
        let end = at + (name.len() + 1 + value.len()) as u64;
        match name {
            b"MESSAGE" => {
                self.message = Some(Message {
                    text: value.to_owned(),
                    at_us: None,
                    text_at: end - value.len() as u64..end,
                    field_at: at..end,
                });
            }
            // When the kernel printed it, and when the journal took it.
            b"_SOURCE_MONOTONIC_TIMESTAMP" => {
                self.has_own_time = true;
                self.at_us = bytes::decimal(value);
            }
            b"__MONOTONIC_TIMESTAMP" if !self.has_own_time => self.at_us = bytes::decimal(value),
            b"_TRANSPORT" => self.of_program = value != b"kernel",
            _ => {}
        }
    }

    /// True while bytes are to be given to [`Export::binary`].
    pub(super) fn is_in_binary(&self) -> bool {
        self.binary.is_some()
    }

    /// Takes bytes of a binary value, which begin at `at` in the input; returns how many.
    pub(super) fn binary(&mut self, input: &[u8], at: u64) -> usize {
        let Some(binary) = &mut self.binary else { return 0 };
        let Some(left) = binary.left else {
            let used = input.len().min(8 - binary.length.len());
            binary
                .length
                .extend_from_slice(input.get(..used).unwrap_or_default());
            if let Ok(length) = <[u8; 8]>::try_from(binary.length.as_slice()) {
                let length = u64::from_le_bytes(length);
                binary.left = Some(length.saturating_add(1));
                if binary.is_message {
                    let start = at + used as u64;
                    self.message = Some(Message {
                        text: Vec::new(),
                        at_us: None,
                        text_at: start..start,
                        field_at: binary.field_at..start,
                    });
                }
            }
            return used;
        };
        let used = usize::try_from(left).unwrap_or(usize::MAX).min(input.len());
        let left = left - used as u64;
        let data = if left == 0 { used.saturating_sub(1) } else { used };
        if binary.is_message
            && let Some(message) = &mut self.message
        {
            let room = LINE_MAX.saturating_sub(message.text.len());
            message
                .text
                .extend_from_slice(input.get(..data.min(room)).unwrap_or_default());
            message.text_at.end += data as u64;
            message.field_at.end = message.text_at.end;
        }
        binary.left = Some(left);
        if left == 0 {
            self.binary = None;
        }
        used
    }

    /// Ends the entry; its text when the kernel wrote it.
    pub(super) fn end(&mut self) -> Option<Message> {
        let entry = std::mem::take(self);
        self.is_open = entry.is_open;
        let message = entry.message.filter(|_| !entry.of_program)?;
        Some(Message {
            at_us: entry.at_us,
            ..message
        })
    }
}

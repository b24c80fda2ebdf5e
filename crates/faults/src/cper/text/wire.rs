//! Values out of text, and the bytes they came from.

use super::keys::Key;
use crate::bytes::hexadecimal;
use crate::cper::{ALWAYS, MAX_RAW_BYTES};

/// Bytes that are written as values are read.
#[derive(Debug, Default)]
pub(super) struct Wire(pub(super) Vec<u8>);

impl Wire {
    pub(super) fn put(&mut self, at: usize, bytes: &[u8]) {
        let end = at + bytes.len();
        if self.0.len() < end {
            self.0.resize(end, 0);
        }
        if let Some(place) = self.0.get_mut(at..end) {
            place.copy_from_slice(bytes);
        }
    }

    pub(super) fn number(&mut self, at: usize, width: usize, value: u64) {
        self.put(at, value.to_le_bytes().get(..width).unwrap_or_default());
    }

    /// Sets a validation bit of those that begin at `at`.
    pub(super) fn mark(&mut self, at: usize, bit: u32) {
        if bit != ALWAYS {
            let place = at + bit as usize / 8;
            let byte = self.0.get(place).copied().unwrap_or(0);
            self.put(place, &[byte | 1 << (bit % 8)]);
        }
    }

    /// Sets what a line `name: value` says, when the table knows the name.
    pub(super) fn key(&mut self, keys: &[Key], valid_at: usize, name: &str, value: &str) -> bool {
        let known = keys.iter().find(|(known, ..)| *known == name);
        let Some(((_, bit, at, width), value)) = known.zip(number(value)) else {
            return false;
        };
        self.mark(valid_at, *bit);
        self.number(*at, *width, value);
        true
    }

    pub(super) fn extend(&mut self, bytes: &[u8]) {
        if self.0.len() < MAX_RAW_BYTES {
            self.0.extend_from_slice(bytes);
        }
    }
}

/// `command: 0x0406, status: 0x0010`.
pub(super) fn pairs(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.split(", ").filter_map(|pair| pair.split_once(": "))
}

/// The number that text begins with: hexadecimal after `0x`, else decimal.
pub(super) fn number(text: &str) -> Option<u64> {
    let text = text.trim_start();
    if let Some(digits) = text.strip_prefix("0x") {
        return hex_number(digits);
    }
    let length = text.bytes().take_while(u8::is_ascii_digit).count();
    text.get(..length)?.parse().ok()
}

/// The hexadecimal number that text begins with.
pub(super) fn hex_number(text: &str) -> Option<u64> {
    let digits = text.strip_prefix("0x").unwrap_or(text).as_bytes();
    let length = digits.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    hexadecimal(digits.get(..length)?)
}

/// The bytes of a line of `print_hex_dump`: `00000010: 00000001 e92a0f11  ....*...`. Groups of more than one byte are
/// little-endian numbers.
pub(super) fn dump(text: &str) -> Option<Vec<u8>> {
    let (offset, groups) = text.split_once(": ")?;
    if offset.len() != 8 || !offset.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    // Two spaces begin the column of characters.
    let groups = groups.trim_start().split("  ").next()?;
    let mut bytes = Vec::new();
    for group in groups.split(' ').take(16) {
        let value = hexadecimal(group.as_bytes()).filter(|_| matches!(group.len(), 2 | 4 | 8 | 16))?;
        bytes.extend_from_slice(value.to_le_bytes().get(..group.len() / 2)?);
    }
    Some(bytes)
}

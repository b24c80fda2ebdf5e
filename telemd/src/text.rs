//! Text within limits, and errors and bytes as text.

pub use wire::text::{chain, cut, cut_front, title};

/// Two lower-case hexadecimal digits a byte.
pub fn hexadecimal(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(nibble.into(), 16).unwrap_or('0');
    let digits = bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 0xf)]);
    digits.collect()
}

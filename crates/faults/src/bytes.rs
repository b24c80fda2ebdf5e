//! Small tools for scanning text by hand.

/// A position in bytes that takes things off the front.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) fn rest(self) -> &'a [u8] {
        self.rest
    }

    /// Takes `expected` if it is next.
    pub(crate) fn eat(&mut self, expected: &[u8]) -> bool {
        self.rest
            .strip_prefix(expected)
            .map(|rest| self.rest = rest)
            .is_some()
    }

    pub(crate) fn spaces(&mut self) {
        self.rest = self.rest.trim_ascii_start();
    }

    pub(crate) fn take_while(&mut self, accept: impl Fn(&u8) -> bool) -> &'a [u8] {
        let length = self.rest.iter().take_while(|byte| accept(byte)).count();
        let (taken, rest) = self.rest.split_at(length);
        self.rest = rest;
        taken
    }

    /// A decimal number of at most 19 digits; nothing is taken when there is none.
    pub(crate) fn number(&mut self) -> Option<u64> {
        let before = *self;
        let digits = self.take_while(u8::is_ascii_digit);
        let number = decimal(digits);
        if number.is_none() {
            *self = before;
        }
        number
    }
}

/// The first place of a short `needle`. General searchers prepare for long texts, which costs more than it takes to
/// look through a line.
pub(crate) fn position(text: &[u8], needle: &[u8]) -> Option<usize> {
    let Some((first, after)) = needle.split_first() else {
        return Some(0);
    };
    memchr::memchr_iter(*first, text)
        .find(|at| text.get(at + 1..).is_some_and(|rest| rest.starts_with(after)))
}

/// Whether a short `needle` is there.
pub(crate) fn contains(text: &str, needle: &str) -> bool {
    position(text.as_bytes(), needle.as_bytes()).is_some()
}

/// The value of 1 to 19 decimal digits.
pub(crate) fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 19 {
        return None;
    }
    digits.iter().try_fold(0u64, |value, byte| {
        byte.is_ascii_digit().then(|| value * 10 + u64::from(byte - b'0'))
    })
}

/// Two lower-case hexadecimal digits a byte.
pub fn hex_digits(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(nibble.into(), 16).unwrap_or('0');
    let digits = bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 0xf)]);
    digits.collect()
}

/// The value of 1 to 16 hexadecimal digits.
pub(crate) fn hexadecimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 16 {
        return None;
    }
    digits.iter().try_fold(0u64, |value, byte| {
        hex_digit(*byte).map(|digit| value << 4 | u64::from(digit))
    })
}

/// The value of one hexadecimal digit.
pub(crate) fn hex_digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

/// Microseconds from the digits after the point of a time in seconds.
pub(crate) fn micros(fraction: &[u8]) -> u64 {
    let mut value = 0;
    for position in 0..6 {
        let digit = fraction
            .get(position)
            .filter(|byte| byte.is_ascii_digit())
            .map_or(0, |byte| byte - b'0');
        value = value * 10 + u64::from(digit);
    }
    value
}

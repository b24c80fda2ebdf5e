//! GUIDs as UEFI writes them: three little-endian numbers and eight bytes.

use std::fmt;
use std::str::FromStr;

/// A GUID in the byte order of UEFI records.
///
/// ```
/// let memory: faults::cper::Guid = "a5bc1114-6f64-4ede-b863-3e83ed7c83b1".parse().unwrap();
/// assert_eq!(&memory.bytes()[..4], [0x14, 0x11, 0xbc, 0xa5]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Guid([u8; 16]);

/// Bytes of a GUID in the order in which its text shows them.
const TEXT_ORDER: [usize; 16] = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];

impl Guid {
    /// From the bytes of a record.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes, as a record has them.
    pub const fn bytes(self) -> [u8; 16] {
        self.0
    }

    /// From the number that the text shows, `0xa5bc1114_6f64_4ede_b863_3e83ed7c83b1`.
    pub(crate) const fn new(text: u128) -> Self {
        let shown = text.to_be_bytes();
        let mut bytes = [0; 16];
        let mut index = 0;
        while index < 16 {
            bytes[TEXT_ORDER[index]] = shown[index];
            index += 1;
        }
        Self(bytes)
    }
}

impl fmt::Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, index) in TEXT_ORDER.into_iter().enumerate() {
            if matches!(place, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{:02x}", self.0[index])?;
        }
        Ok(())
    }
}

/// Text that is no GUID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no GUID like a5bc1114-6f64-4ede-b863-3e83ed7c83b1")]
pub struct NotGuid;

impl FromStr for Guid {
    type Err = NotGuid;

    fn from_str(text: &str) -> Result<Self, NotGuid> {
        let text = text.as_bytes();
        if text.len() != 36 {
            return Err(NotGuid);
        }
        let mut number = 0u128;
        for (index, byte) in text.iter().enumerate() {
            match (index, crate::bytes::hex_digit(*byte)) {
                (8 | 13 | 18 | 23, None) if *byte == b'-' => {}
                (8 | 13 | 18 | 23, _) | (_, None) => return Err(NotGuid),
                (_, Some(digit)) => number = number << 4 | u128::from(digit),
            }
        }
        Ok(Self::new(number))
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Guid {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn text_and_bytes_round_trip(bytes: [u8; 16]) {
            let guid = Guid::from_bytes(bytes);
            prop_assert_eq!(guid.to_string().parse(), Ok(guid));
        }

        #[test]
        fn any_text_is_a_guid_or_is_refused(text in "[-0-9a-gé]{30,40}") {
            if let Ok(guid) = text.parse::<Guid>() {
                prop_assert_eq!(guid.to_string(), text);
            }
        }
    }
}

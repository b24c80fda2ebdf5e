//! Page tokens: the id of a page's last record, tied to the filter it was made for.
//!
//! A token is the hexadecimal form of: version (1 byte), id (16 bytes), CRC-32C of version, id and encoded filter
//! (4 bytes). It is no secret: the checksum only tells a token that was cut, mistyped or made for another filter.

use prost::Message as _;
use proto::v1::FaultFilter;
use uuid::Uuid;

use super::StoreError;

const VERSION: u8 = 1;
const BYTES: usize = 1 + 16 + 4;

/// The token for the page that follows the record `last`.
pub(super) fn encode(last: Uuid, filter: &FaultFilter) -> String {
    let mut token = vec![VERSION];
    token.extend_from_slice(last.as_bytes());
    token.extend_from_slice(&checksum(last, filter).to_be_bytes());
    let mut text = String::with_capacity(2 * BYTES);
    for byte in token {
        for nibble in [byte >> 4, byte & 0xf] {
            text.extend(char::from_digit(nibble.into(), 16));
        }
    }
    text
}

/// The record that a page follows. None: the first page.
pub(super) fn decode(token: &str, filter: &FaultFilter) -> Result<Option<Uuid>, StoreError> {
    if token.is_empty() {
        return Ok(None);
    }
    parse(token, filter).map(Some).ok_or(StoreError::InvalidPageToken)
}

fn parse(token: &str, filter: &FaultFilter) -> Option<Uuid> {
    let digits = token.as_bytes();
    if digits.len() != 2 * BYTES || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let bytes: Vec<u8> = digits.chunks_exact(2).map(byte).collect::<Option<_>>()?;
    let (id, sum) = bytes.get(1..)?.split_at_checked(16)?;
    let id = Uuid::from_slice(id).ok()?;
    (bytes[0] == VERSION && sum == checksum(id, filter).to_be_bytes()).then_some(id)
}

fn checksum(last: Uuid, filter: &FaultFilter) -> u32 {
    let sum = crc32c::crc32c(&[VERSION]);
    let sum = crc32c::crc32c_append(sum, last.as_bytes());
    crc32c::crc32c_append(sum, &filter.encode_to_vec())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_token_comes_back(id: u128, class in "[a-z.]{0,10}") {
            let filter = FaultFilter { class, ..FaultFilter::default() };
            let id = Uuid::from_u128(id);
            prop_assert_eq!(decode(&encode(id, &filter), &filter).unwrap(), Some(id));
        }

        #[test]
        fn foreign_text_is_refused(token in ".{1,60}") {
            prop_assert!(decode(&token, &FaultFilter::default()).is_err());
        }

        #[test]
        fn a_token_of_another_filter_is_refused(id: u128, class in "[a-z.]{1,10}") {
            let filter = FaultFilter { class, ..FaultFilter::default() };
            let token = encode(Uuid::from_u128(id), &filter);
            prop_assert!(decode(&token, &FaultFilter::default()).is_err());
        }

        #[test]
        fn a_changed_digit_is_refused(id: u128, place in 0usize..2 * BYTES, digit in "[0-9a-f]") {
            let filter = FaultFilter::default();
            let token = encode(Uuid::from_u128(id), &filter);
            let mut changed = token.clone();
            changed.replace_range(place..=place, &digit);
            prop_assume!(changed != token);
            prop_assert!(decode(&changed, &filter).is_err());
        }
    }

    #[test]
    fn no_token_is_the_first_page() {
        assert_eq!(decode("", &FaultFilter::default()).unwrap(), None);
    }
}

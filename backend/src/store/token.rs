//! Page tokens: where in a list a page ends, tied to the list and the filter that it was made for.
//!
//! A token is the hexadecimal form of: version (1 byte), the key of the page's last row, CRC-32C of version, the list's name,
//! key and encoded filter (4 bytes). It is no secret: the checksum only tells a token that was cut, mistyped or made for
//! another filter.

use prost::Message;

use super::StoreError;
use crate::text::hex_digits;

const VERSION: u8 = 2;
/// Bytes of the checksum.
const SUM: usize = 4;
/// Bytes of a key: the names of a host's system and build, which have at most 256 each, fit.
const KEY_BYTES: usize = 1024;

/// The token for the page of `list` that follows the row with this key.
pub(super) fn encode(list: &str, key: &[u8], filter: &impl Message) -> String {
    let sum = checksum(list, key, filter).to_be_bytes();
    hex_digits(&[&[VERSION], key, &sum].concat())
}

/// The key that a page of `list` follows. None: the first page.
pub(super) fn decode(list: &str, token: &str, filter: &impl Message) -> Result<Option<Vec<u8>>, StoreError> {
    if token.is_empty() {
        return Ok(None);
    }
    parse(list, token, filter)
        .map(Some)
        .ok_or(StoreError::InvalidPageToken)
}

fn parse(list: &str, token: &str, filter: &impl Message) -> Option<Vec<u8>> {
    let digits = token.as_bytes();
    let fits = digits.len().is_multiple_of(2) && digits.len() / 2 <= 1 + KEY_BYTES + SUM;
    if !fits || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let bytes: Vec<u8> = digits.chunks_exact(2).map(byte).collect::<Option<_>>()?;
    let (version, rest) = bytes.split_first()?;
    let (key, sum) = rest.split_last_chunk::<SUM>()?;
    (*version == VERSION && *sum == checksum(list, key, filter).to_be_bytes()).then(|| key.to_owned())
}

fn checksum(list: &str, key: &[u8], filter: &impl Message) -> u32 {
    let sum = crc32c::crc32c(&[VERSION]);
    let sum = crc32c::crc32c_append(sum, list.as_bytes());
    let sum = crc32c::crc32c_append(sum, key);
    crc32c::crc32c_append(sum, &filter.encode_to_vec())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proto::v1::FaultFilter;

    use super::*;

    const LIST: &str = "faults";

    fn filter(class: &str) -> FaultFilter {
        FaultFilter {
            class: class.to_owned(),
            ..FaultFilter::default()
        }
    }

    proptest! {
        #[test]
        fn a_token_comes_back(key: Vec<u8>, class in "[a-z.]{0,10}") {
            prop_assume!(key.len() <= KEY_BYTES);
            let filter = filter(&class);
            prop_assert_eq!(decode(LIST, &encode(LIST, &key, &filter), &filter).unwrap(), Some(key));
        }

        #[test]
        fn foreign_text_is_refused(token in ".{1,60}") {
            prop_assert!(decode(LIST, &token, &FaultFilter::default()).is_err());
        }

        #[test]
        fn a_token_of_another_filter_or_list_is_refused(key: [u8; 16], class in "[a-z.]{1,10}") {
            let token = encode(LIST, &key, &filter(&class));
            prop_assert!(decode(LIST, &token, &FaultFilter::default()).is_err());
            prop_assert!(decode("hosts", &token, &filter(&class)).is_err());
        }

        #[test]
        fn a_changed_digit_is_refused(key: [u8; 16], place in 0usize..2 * (1 + 16 + SUM), digit in "[0-9a-f]") {
            let filter = FaultFilter::default();
            let token = encode(LIST, &key, &filter);
            let mut changed = token.clone();
            changed.replace_range(place..=place, &digit);
            prop_assume!(changed != token);
            prop_assert!(decode(LIST, &changed, &filter).is_err());
        }
    }

    #[test]
    fn no_token_is_the_first_page() {
        assert_eq!(decode(LIST, "", &FaultFilter::default()).unwrap(), None);
    }

    #[test]
    fn a_token_is_bounded() {
        let filter = FaultFilter::default();
        let long = encode(LIST, &[0; KEY_BYTES + 1], &filter);
        assert!(decode(LIST, &long, &filter).is_err());
    }
}

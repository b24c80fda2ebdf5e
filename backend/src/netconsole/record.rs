//! A record of a sender's log that is being put together from datagrams.

use super::packet::{Fragment, RECORD_BYTES, Record};

/// Parts of one record that are kept: 8 KiB in datagrams of 1000 bytes are ten, and some come twice.
const PARTS: usize = 32;

/// A record, or as much of it as has come.
#[derive(Debug)]
pub(super) struct Held {
    /// When its first datagram came, microseconds of the receiver's clock.
    pub(super) arrived_us: u64,
    /// Syslog facility and level.
    pub(super) prefix: u64,
    /// Microseconds since the sender's boot; `None` where only the text tells.
    pub(super) at_us: Option<u64>,
    /// It continues the record before it of the same caller.
    pub(super) continues: bool,
    /// `T77`, `C1` or nothing.
    pub(super) caller: Vec<u8>,
    body: Body,
}

#[derive(Debug)]
enum Body {
    Whole(Vec<u8>),
    Parts {
        length: usize,
        /// Offset and bytes, in order of arrival.
        parts: Vec<(usize, Vec<u8>)>,
    },
}

impl Held {
    pub(super) fn new(record: &Record<'_>, arrived_us: u64) -> Self {
        let body = match record.fragment {
            None => Body::Whole(limited(record.body).to_vec()),
            Some(Fragment { offset, length }) => Body::Parts {
                length,
                parts: vec![(offset, record.body.to_vec())],
            },
        };
        Self {
            arrived_us,
            prefix: record.prefix,
            at_us: Some(record.at_us),
            continues: record.continues,
            caller: record.caller.to_vec(),
            body,
        }
    }

    /// Text as a console shows it.
    pub(super) fn of_text(text: &[u8], arrived_us: u64) -> Self {
        Self {
            arrived_us,
            prefix: 0,
            at_us: None,
            continues: false,
            caller: Vec::new(),
            body: Body::Whole(limited(text).to_vec()),
        }
    }

    /// Adds another part of the same record. False: it is a copy of what is here.
    pub(super) fn add(&mut self, record: &Record<'_>) -> bool {
        let (Some(Fragment { offset, length }), Body::Parts { length: known, parts }) =
            (record.fragment, &mut self.body)
        else {
            return false;
        };
        let fits = length == *known && parts.len() < PARTS;
        if !fits || parts.iter().any(|(at, _)| *at == offset) {
            return false;
        }
        parts.push((offset, record.body.to_vec()));
        true
    }

    /// Appends text to a line that has not ended. False: it has ended, or is as long as a record may be.
    pub(super) fn extend(&mut self, text: &[u8]) -> bool {
        match &mut self.body {
            Body::Whole(whole) if !whole.ends_with(b"\n") && whole.len() + text.len() <= RECORD_BYTES => {
                whole.extend_from_slice(text);
                true
            }
            _ => false,
        }
    }

    /// Bytes that are kept.
    pub(super) fn bytes(&self) -> usize {
        match &self.body {
            Body::Whole(whole) => whole.len(),
            Body::Parts { parts, .. } => parts.iter().map(|(_, part)| part.len()).sum(),
        }
    }

    /// The text and the lines behind it, and whether all of it is there: behind a part that did not come, nothing is.
    pub(super) fn into_body(self) -> (Vec<u8>, bool) {
        match self.body {
            Body::Whole(whole) => (whole, true),
            Body::Parts { length, mut parts } => {
                parts.sort_unstable_by_key(|(offset, _)| *offset);
                let mut body = Vec::with_capacity(length);
                for (offset, part) in parts {
                    if offset > body.len() {
                        break;
                    }
                    body.truncate(offset);
                    body.extend_from_slice(&part);
                }
                let is_whole = body.len() == length;
                (body, is_whole)
            }
        }
    }
}

fn limited(bytes: &[u8]) -> &[u8] {
    bytes.get(..RECORD_BYTES).unwrap_or(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn part(offset: usize, length: usize, body: &[u8]) -> Record<'_> {
        Record {
            release: None,
            prefix: 4,
            sequence: 1,
            at_us: 1,
            continues: false,
            caller: b"",
            fragment: Some(Fragment { offset, length }),
            body,
        }
    }

    proptest! {
        /// In any order, with copies, the parts of a text make the text.
        #[test]
        fn parts_in_any_order_make_the_whole(
            (text, order) in "[a-z ]{1,3000}".prop_flat_map(|text| {
                let parts: Vec<usize> = (0..text.len().div_ceil(400)).collect();
                let twice = [parts.clone(), parts].concat();
                (Just(text), Just(twice).prop_shuffle())
            })
        ) {
            let text = text.as_bytes();
            let record = |index: usize| {
                let (from, to) = (index * 400, text.len().min(index * 400 + 400));
                part(from, text.len(), &text[from..to])
            };
            let mut held = Held::new(&record(order[0]), 0);
            for index in &order[1..] {
                held.add(&record(*index));
            }
            prop_assert!(held.bytes() == text.len());
            prop_assert_eq!(held.into_body(), (text.to_vec(), true));
        }

        #[test]
        fn parts_that_do_not_fit_together_do_no_harm(parts in proptest::collection::vec((0usize..9000, ".{0,40}"), 1..50)) {
            let length = RECORD_BYTES;
            let record = |(offset, text): &(usize, String)| {
                let offset = (*offset).min(length - text.len());
                (offset, text.clone())
            };
            let parts: Vec<(usize, String)> = parts.iter().map(record).collect();
            let mut held = Held::new(&part(parts[0].0, length, parts[0].1.as_bytes()), 0);
            for (offset, text) in &parts[1..] {
                held.add(&part(*offset, length, text.as_bytes()));
            }
            prop_assert!(held.into_body().0.len() <= length);
        }
    }

    #[test]
    fn a_missing_part_ends_the_text() {
        let mut held = Held::new(&part(0, 30, b"0123456789"), 0);
        assert!(held.add(&part(20, 30, b"abcdefghij")));
        assert!(!held.add(&part(0, 30, b"0123456789")), "a copy");
        assert!(!held.add(&part(10, 31, b"x")), "of another record");
        assert_eq!(held.into_body(), (b"0123456789".to_vec(), false));
    }
}

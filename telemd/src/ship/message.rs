//! What is read from the spool, as the messages that leave; and a look at those that have not left yet.

use prost::Message as _;
use proto::v1::deliver_request::Message;
use proto::v1::{Batch, DeliverRequest, Gap, Hello, LossReason};
use serde::{Deserialize, Serialize};
use spool::{Chunk, GapReason};

use super::RECORDS;
use crate::keeper::{Handle, KeepError};
use crate::text::hex_digits;

/// Bytes of a message that is shown, unless its only record is larger: twice as many as text fit the control socket.
const SHOWN_BYTES: usize = 128 * 1024;

/// The message for a chunk of the spool; `None`: there is nothing to send. `acknowledged` is what the collector once had.
pub(super) fn of_chunk(chunk: Chunk, acknowledged: u64) -> Option<DeliverRequest> {
    let message = match chunk {
        Chunk::Empty => return None,
        Chunk::Records { first_seq, records } => Message::Batch(Batch {
            first_seq,
            records: records.into_iter().map(Into::into).collect(),
        }),
        Chunk::Gap {
            first_seq,
            count,
            reason,
            class,
            events,
        } => {
            let (count, reason, events) = match reason {
                // Not given up for want of room, but let go of because the collector had it once.
                GapReason::Evicted if first_seq <= acknowledged => {
                    let count = count.min(acknowledged - first_seq + 1);
                    (count, LossReason::SpoolUnreadable, count)
                }
                GapReason::Evicted => (count, LossReason::SpoolFull, events),
                GapReason::Expired => (count, LossReason::SpoolExpired, events),
                GapReason::Unreadable => (count, LossReason::SpoolUnreadable, events),
            };
            Message::Gap(Gap {
                first_seq,
                count,
                reason: reason.into(),
                class,
                events,
            })
        }
    };
    Some(DeliverRequest {
        message: Some(message),
    })
}

/// The last sequence that a message covers; 0 when it covers none.
pub(super) fn last_seq(message: &DeliverRequest) -> u64 {
    let (first_seq, count) = match &message.message {
        Some(Message::Batch(batch)) => (batch.first_seq, batch.records.len() as u64),
        Some(Message::Gap(gap)) => (gap.first_seq, gap.count),
        Some(Message::Hello(_)) | None => return 0,
    };
    first_seq.saturating_add(count).saturating_sub(1)
}

/// A message that has not left, and where the next begins.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// The encoded `DeliverRequest` in hexadecimal digits; empty: nothing more waits.
    pub message: String,
    /// The sequence to ask for next.
    pub next_seq: u64,
}

/// What waits from a sequence on; 0 is the greeting, which comes before all records.
pub(crate) async fn waiting(keeper: &Handle, hello: &Hello, from_seq: u64) -> Result<Waiting, KeepError> {
    let acknowledged = keeper.stats().borrow().acknowledged_seq;
    if from_seq == 0 {
        let message = DeliverRequest {
            message: Some(Message::Hello(hello.clone())),
        };
        return Ok(Waiting {
            message: hex_digits(&message.encode_to_vec()),
            next_seq: acknowledged + 1,
        });
    }
    let from_seq = from_seq.max(acknowledged + 1);
    let chunk = keeper.read(from_seq, RECORDS, SHOWN_BYTES).await?;
    let message = of_chunk(chunk, acknowledged);
    Ok(Waiting {
        next_seq: message.as_ref().map_or(from_seq, |message| last_seq(message) + 1),
        message: message.map_or_else(String::new, |message| hex_digits(&message.encode_to_vec())),
    })
}

impl Waiting {
    /// The bytes of the message; `None`: they are not what an agent sends.
    pub fn bytes(&self) -> Option<Vec<u8>> {
        let digits = self.message.as_bytes();
        let nibble = |digit: u8| char::from(digit).to_digit(16);
        let pairs = digits.chunks_exact(2);
        if !pairs.remainder().is_empty() {
            return None;
        }
        let byte = |pair: &[u8]| u8::try_from(nibble(pair[0])? << 4 | nibble(pair[1])?).ok();
        pairs.map(byte).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_the_collector_once_had_is_no_loss_for_want_of_room() {
        let gap = |first_seq, acknowledged| {
            let chunk = Chunk::Gap {
                first_seq,
                count: 10,
                reason: GapReason::Evicted,
                class: String::new(),
                events: 12,
            };
            match of_chunk(chunk, acknowledged).unwrap().message {
                Some(Message::Gap(gap)) => (gap.reason(), gap.count, gap.events),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(gap(5, 4), (LossReason::SpoolFull, 10, 12));
        assert_eq!(gap(5, 7), (LossReason::SpoolUnreadable, 3, 3));
        assert_eq!(of_chunk(Chunk::Empty, 0), None);
    }

    proptest! {
        #[test]
        fn bytes_come_back_from_their_digits(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let waiting = Waiting { message: hex_digits(&bytes), next_seq: 1 };
            prop_assert_eq!(waiting.bytes(), Some(bytes));
        }

        #[test]
        fn any_answer_is_bytes_or_none(message in "\\PC{0,32}") {
            let _either = Waiting { message, next_seq: 1 }.bytes();
        }
    }
}

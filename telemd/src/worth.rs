//! What a record is worth to the spool, when it has to give some up.

use prost::Message;
use proto::v1::{Loss, Severity};
use spool::Worth;

/// The fields of a `Record` that say it; the others are passed over.
#[derive(Clone, PartialEq, Message)]
struct Judged {
    #[prost(string, tag = "4")]
    class: String,
    #[prost(enumeration = "Severity", tag = "5")]
    severity: i32,
    #[prost(message, optional, tag = "24")]
    loss: Option<Loss>,
}

/// Judges an encoded record: deaths of hosts and danger for data stay longest, and a count of losses counts what it tells
/// of.
pub fn judge(record: &[u8]) -> Worth {
    let judged = Judged::decode(record).unwrap_or_default();
    Worth {
        is_critical: judged.severity() == Severity::Critical,
        events: judged.loss.map_or(1, |loss| loss.count.max(1)),
        class: judged.class,
    }
}

#[cfg(test)]
mod tests {
    use proto::v1::Record;
    use proto::v1::record::Payload;

    use super::*;

    #[test]
    fn a_record_says_its_class_whether_it_is_critical_and_what_it_counts() {
        let mut record = Record {
            class: "kernel.panic".into(),
            severity: Severity::Critical.into(),
            ..Record::default()
        };
        let worth = judge(&record.encode_to_vec());
        assert_eq!(
            (worth.class.as_str(), worth.is_critical, worth.events),
            ("kernel.panic", true, 1)
        );
        record.severity = Severity::High.into();
        record.payload = Some(Payload::Loss(Loss {
            count: 500,
            ..Loss::default()
        }));
        let worth = judge(&record.encode_to_vec());
        assert_eq!((worth.is_critical, worth.events), (false, 500));
    }

    #[test]
    fn bytes_that_are_no_record_are_worth_one_event() {
        assert_eq!(judge(&[0xff; 40]), Worth::ordinary(&[]));
    }
}

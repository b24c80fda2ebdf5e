//! What came before a fault.

use probe_user::hindsight::Hindsight;
use proto::v1::{Precursor, Record};

use crate::text::cut;

/// `Precursor.text`, bytes.
const TEXT_BYTES: usize = 256;

/// What was seen in the 30 seconds before a record of this boot, oldest first.
pub fn precursors(hindsight: &Hindsight, record: &Record) -> Vec<Precursor> {
    let seen = hindsight.before(record.since_boot_ns).into_iter();
    seen.map(|seen| Precursor {
        since_boot_ns: seen.since_boot_ns,
        cpu: seen.cpu,
        text: cut(&seen.to_string(), TEXT_BYTES).to_owned(),
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::fd::AsFd as _;

    use probe_common::{Sign, SignKind};

    use super::*;

    #[test]
    fn a_record_has_what_was_seen_before_it_and_nothing_later() {
        let at_ns = 100_000_000_000;
        let sign = |since_boot_ns| Sign {
            since_boot_ns,
            value: 340_000_000,
            pid: 7,
            cpu: 1,
            kind: SignKind::Reclaim as u16,
            comm: *b"dd\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
            ..Sign::default()
        };
        // A file in place of the map.
        let mut file = tempfile::tempfile().unwrap();
        for since_boot_ns in [at_ns - 1_200_000_000, at_ns + 1] {
            file.write_all(&sign(since_boot_ns).encode()).unwrap();
        }
        file.set_len(1 << 16).unwrap();
        let hindsight = Hindsight::open(file.as_fd(), 2).unwrap();
        let record = Record {
            since_boot_ns: at_ns,
            ..Record::default()
        };
        let expected = Precursor {
            since_boot_ns: at_ns - 1_200_000_000,
            cpu: 1,
            text: "allocation stall 340 ms of dd (7)".to_owned(),
        };
        assert_eq!(precursors(&hindsight, &record), [expected]);
    }
}

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

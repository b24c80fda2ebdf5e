//! What clients of Clear Linux POST in JSON: whatever is taken is within the limits of the wire.

use backend::{old_clients::record::OldRecord, record};
use prost::Message as _;

pub(crate) fn run(bytes: &[u8]) {
    if let Ok(old) = OldRecord::of_json(bytes) {
        let encoded = old.record(true).encode_to_vec();
        record::decode(&encoded).expect("a record of ours");
    }
}

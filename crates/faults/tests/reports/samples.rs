//! Samples are understood: everything that a report of theirs says, as JSON.

use crate::layout::laid_out;
use crate::{SAMPLES, json};
use serde_json::Value;

#[test]
fn samples_are_understood() {
    for (name, log) in SAMPLES.iter() {
        let found = faults::reports(log.as_bytes());
        let values: Value = found.iter().map(json).collect();
        insta::assert_snapshot!(name.as_str(), laid_out(&values));
    }
}

//! Samples are understood: everything that a report of theirs says, as JSON.
//!
//! They are console logs of guests, cut to what a fault printed. `KERNEL-FAULT.txt` is from
//! `cargo xtask vm --kernel KERNEL --keep-logs DIR any`, without the messages of loading modules and mounting; of a stack
//! overflow the frames that repeat are cut, and of KFENCE's reports all but the first. `KERNEL-module-FAULT.txt` is of a
//! small module that had a fault when its file in debugfs was written to.

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

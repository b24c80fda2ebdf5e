//! Lockups that do not begin with `BUG:` or `INFO:`.

use super::{STALL, STALLED};

heads! {
    "detected hard LOCKUP on cpu" {
        HardLockup: "detected hard LOCKUP on cpu" => "BUG: hard lockup in {F}", STALLED, STALL;
    }
}

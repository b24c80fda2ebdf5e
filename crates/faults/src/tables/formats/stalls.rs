//! Lockups that do not begin with `BUG:` or `INFO:`.

use super::{STALL, STALLED};

heads! {
    "detected hard LOCKUP on cpu" {
        HardLockup: "detected hard LOCKUP on cpu" => "BUG: hard lockup in {F}", STALLED, STALL;
    }
    // arch/powerpc/kernel/watchdog.c.
    "self-detected hard LOCKUP" {
        HardLockup: "self-detected hard LOCKUP" => "BUG: hard lockup in {F}", STALLED, STALL;
    }
    "detected hard LOCKUP on other CPUs" {
        HardLockup: "detected hard LOCKUP on other CPUs" => "BUG: hard lockup in {F}", STALLED, STALL;
    }
    // arch/x86/kernel/nmi.c (arch/i386, arch/x86_64) before 2.6.37.
    "NMI Watchdog detected LOCKUP" {
        HardLockup: "NMI Watchdog detected LOCKUP" => "BUG: hard lockup in {F}", STALLED, STALL;
    }
}

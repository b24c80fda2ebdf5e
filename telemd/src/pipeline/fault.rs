//! Faults that hooks see, and the text that tells each once more.

use faults::ReportKind;
use probe_user::{Best, Twin};

/// An oops or a panic: its text has everything, the hook knows who was running.
const DEATH: Twin = Twin {
    kinds: &[],
    says: &[],
    best: Best::Text,
};
/// A machine check: the text of some kernels lacks half of the registers.
pub(super) const MACHINE_CHECK: Twin = Twin {
    kinds: &[ReportKind::MachineCheck],
    says: &[],
    best: Best::Hook,
};
/// An out-of-memory kill: the text comes in pieces of many lines, which the kernel limits.
pub(super) const OOM_KILL: Twin = Twin {
    kinds: &[ReportKind::OomKill],
    says: &[],
    best: Best::Hook,
};
/// A warning: whatever it is about.
const WARNING: Twin = Twin {
    kinds: &[],
    says: &["WARNING:"],
    best: Best::Text,
};
/// A CPU that is stuck.
const SOFT_LOCKUP: Twin = Twin {
    kinds: &[ReportKind::SoftLockup],
    says: &[],
    best: Best::Text,
};
/// An allocation that failed.
const ALLOC_FAILURE: Twin = Twin {
    kinds: &[ReportKind::AllocFailure],
    says: &[],
    best: Best::Text,
};

/// A fault of the kernel that a hook sees as it begins.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fault {
    Oops,
    Panic,
    Warning,
    SoftLockup,
    AllocFailure,
}

impl Fault {
    /// What it is called when its text was not caught, and which text that is.
    pub(super) fn told(self) -> (&'static str, Twin) {
        match self {
            Self::Oops => ("kernel oops, its text was not caught", DEATH),
            Self::Panic => ("kernel panic, its text was not caught", DEATH),
            Self::Warning => ("kernel warning, its text was not caught", WARNING),
            Self::SoftLockup => ("soft lockup, its text was not caught", SOFT_LOCKUP),
            Self::AllocFailure => ("page allocation failure, its text was not caught", ALLOC_FAILURE),
        }
    }
}

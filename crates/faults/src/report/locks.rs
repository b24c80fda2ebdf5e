//! Locks that are held or wanted.

use super::Frame;

/// A lock as the lock validator prints it: `ffff8880 (&x->lock){+.+.}-{3:3}, at: f+0x1/0x2`
/// (kernel/locking/lockdep.c, `print_lock`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Lock {
    /// The name of its class: `&x->lock`.
    pub name: String,
    /// Where it is, when printed.
    pub address: Option<u64>,
    /// How its class is used with interrupts: four or more of `.+-?`.
    pub usage: Option<String>,
    /// The outer and inner wait type: `3:3`.
    pub wait_type: Option<String>,
    /// Where it was asked for.
    pub at: Option<Frame>,
}

/// The locks that one task holds.
///
/// ```
/// let report = faults::parse(
///     "INFO: task sh:77 blocked for more than 120 seconds.\nCall Trace:\n example_wait+0x1/0x2\n\
///      1 lock held by sh/77:\n #0: ffff888000000040 (&x->lock){+.+.}-{3:3}, at: example_open+0x1/0x2\n",
/// )
/// .unwrap();
/// let held = &report.held_locks[0];
/// assert_eq!((held.comm.as_str(), held.pid, held.locks[0].name.as_str()), ("sh", 77, "&x->lock"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct HeldLocks {
    /// The name of the task.
    pub comm: String,
    /// Its number.
    pub pid: u32,
    /// Oldest first.
    pub locks: Vec<Lock>,
}

/// The two ends of a deadlock that the lock validator found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct LockConflict {
    /// What the task asked for.
    pub wanted: Option<Lock>,
    /// What it held.
    pub held: Option<Lock>,
}

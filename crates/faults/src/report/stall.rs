//! What did not go on.

/// How long something did not go on, and what.
///
/// ```
/// let report = faults::parse("watchdog: BUG: soft lockup - CPU#3 stuck for 26s! [sh:77]\nCall Trace:\n example+0x1/0x2\n");
/// let stall = report.unwrap().stall.unwrap();
/// assert_eq!((stall.seconds, stall.cpus, stall.pids), (Some(26), vec![3], vec![77]));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Stall {
    /// For how long: soft lockups, workqueue lockups, hung tasks.
    pub seconds: Option<u64>,
    /// For how long, in ticks of the kernel: RCU stalls.
    pub jiffies: Option<u64>,
    /// The CPUs that did not go on.
    pub cpus: Vec<u32>,
    /// The tasks that did not go on, when the report names them by number.
    pub pids: Vec<u32>,
    /// What a hung task is blocked on (printed since 6.16): `mutex`, `semaphore`, `rw-semaphore`.
    pub blocked_on: Option<String>,
    /// The task that likely owns that.
    pub owner_pid: Option<u32>,
    /// The number of the RCU grace period.
    pub grace_period: Option<i64>,
    /// Callbacks that wait for that grace period.
    pub queued: Option<u64>,
}

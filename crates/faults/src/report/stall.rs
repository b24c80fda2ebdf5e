//! What did not go on.

/// How long something did not go on, and what.
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
    /// The number of the RCU grace period.
    pub grace_period: Option<i64>,
    /// Callbacks that wait for that grace period.
    pub queued: Option<u64>,
}

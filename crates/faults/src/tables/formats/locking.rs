//! `INFO:` reports: the lock validator's and the hung task detector's.

use super::{BEFORE, BELOW, From, HANG, HUNG, Needs, STACK_TO_COUNT, STALL, STALLED, stack, trace};

/// Where a lock was asked for, or how it came to it.
pub(super) const CHAIN: Needs = stack(
    From::Chain,
    "process_one_work flush_workqueue drain_workqueue destroy_workqueue",
);
/// Where a lock was asked for.
pub(super) const AT: Needs = stack(From::LockAt, "iput");
/// Who used RCU.
pub(super) const RCU: Needs = trace("*rcu* *might_*");

heads! {
    "INFO:" unless ["lockdep is turned off", "recovery required on readonly", "NMI handler", "took too long", "Stall ended before state dump start", ":INFO:", "is not present in /proc/kallsyms"] {
        Lockdep: "INFO: possible circular locking dependency detected" => "possible deadlock in {F}", CHAIN;
        Lockdep: "INFO: possible recursive locking detected" => "possible deadlock in {F}", CHAIN;
        Lockdep: "INFO: possible irq lock inversion dependency detected" => "possible deadlock in {F}", CHAIN;
        Lockdep: "INFO: {w} -> {w} lock order detected" => "possible deadlock in {F}", BELOW;
        IrqLockState: "INFO: inconsistent lock state" => "inconsistent lock state in {F}", AT;
        RcuUsage: "INFO: suspicious RCU usage" => "INFO: suspicious RCU usage in {F}", RCU;
        Lockdep: "INFO: trying to register non-static key" => "INFO: trying to register non-static key in {F}", trace("*lock*");
        HungTask: "INFO: task {*} blocked for more than" => "INFO: task hung in {F}", HUNG, HANG;
        HungTask: "INFO: task {*} blocked in I/O wait for more than" => "INFO: task hung in {F}", HUNG, HANG;
        HungTask: "INFO: task {*} can't die for more than" => "INFO: task can't die in {F}", HUNG, HANG;
        RcuStall: "INFO: rcu_{*}stall" => "INFO: rcu detected stall in {F}", STALLED, STALL;
        Other: "INFO: Freed in {*}" => "INFO: Freed in {0}", BEFORE;
        Other: "INFO: Allocated in {*}" => "INFO: Allocated in {0}", BEFORE;
        Other: "INFO: {*}" => "INFO: {0}", STACK_TO_COUNT;
        Other: "INFO:{$}" => "INFO: corrupted", BEFORE;
    }
}

//! A CPU that is stuck in the kernel taints it (`kernel/watchdog.c`: `watchdog_timer_fn`, 5.10 to 7.2), in an interrupt
//! of the task that is stuck. `add_taint` is rare; the program looks at which taint it is.

use super::{Class, Hook, HookSpec, Privacy, Severity, Source, Storm, function};

pub(super) const HOOK: HookSpec = HookSpec {
    name: "soft_lockup",
    sees: "a CPU is stuck in the kernel: with which task, on which stack",
    without: "the text `BUG: soft lockup` has both",
    class: Class::KernelLockup,
    severity: Severity::High,
    storm: Storm::Configured,
    privacy: Privacy::Names,
    source: Source::Own {
        hook: Hook::SoftLockup,
        attempts: &function("add_taint", "add_taint_fentry", "add_taint_kprobe"),
        members: &[],
        since: None,
    },
};

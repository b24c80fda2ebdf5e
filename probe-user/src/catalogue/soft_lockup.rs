//! A CPU that is stuck in the kernel taints it (`kernel/watchdog.c`: `watchdog_timer_fn`, 5.10 to 7.2), in an interrupt
//! of the task that is stuck. `add_taint` is rare; the program looks at which taint it is.

use super::{Attempt, Class, Hook, HookSpec, Privacy, Severity, Source, Storm, Target};

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
        attempts: &[
            Attempt {
                program: "add_taint_fentry",
                target: Target::Fentry("add_taint"),
            },
            Attempt {
                program: "add_taint_kprobe",
                target: Target::Kprobe("add_taint"),
            },
        ],
        members: &[],
        since: None,
    },
};

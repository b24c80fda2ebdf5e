//! `oops_enter` is the one function that every flavour of oops goes through, on every architecture
//! (`kernel/panic.c`, 5.10 to 7.2).

use super::{Attempt, Class, Hook, HookSpec, Privacy, Severity, Source, Storm, Target};

pub(super) const HOOK: HookSpec = HookSpec {
    name: "oops_enter",
    sees: "a CPU starts to report an oops",
    without: "the oops is known from its text",
    class: Class::KernelOops,
    severity: Severity::High,
    storm: Storm::Configured,
    privacy: Privacy::Names,
    source: Source::Own {
        hook: Hook::OopsEnter,
        attempts: &[
            Attempt {
                program: "oops_enter_fentry",
                target: Target::Fentry("oops_enter"),
            },
            Attempt {
                program: "oops_enter_kprobe",
                target: Target::Kprobe("oops_enter"),
            },
        ],
        members: &[],
        since: None,
    },
};

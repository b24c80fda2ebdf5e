//! `oops_enter` is the one function that every flavour of oops goes through, on every architecture
//! (`kernel/panic.c`, 5.10 to 7.2).

use super::{Class, Hook, HookSpec, Privacy, Severity, Source, Storm, function};

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
        attempts: &function("oops_enter", "oops_enter_fentry", "oops_enter_kprobe"),
        members: &[],
        since: None,
    },
};

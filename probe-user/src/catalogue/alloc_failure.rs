//! An allocation of pages failed (`mm/page_alloc.c`: `warn_alloc`, 5.10 to 7.2). It has variable arguments, which the
//! trampoline refuses, so the breakpoint is the only way.

use super::{Attempt, Class, Hook, HookSpec, Privacy, Severity, Source, Storm, Target};

pub(super) const HOOK: HookSpec = HookSpec {
    name: "alloc_failure",
    sees: "an allocation of pages failed: whose, on which stack",
    without: "the text `page allocation failure` has both",
    class: Class::MemoryAllocFailure,
    severity: Severity::Medium,
    storm: Storm::Configured,
    privacy: Privacy::Names,
    source: Source::Own {
        hook: Hook::AllocFailure,
        attempts: &[Attempt {
            program: "warn_alloc_kprobe",
            target: Target::Kprobe("warn_alloc"),
        }],
        members: &[],
        since: None,
    },
};

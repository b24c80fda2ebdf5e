//! `panic` calls `vpanic` where that exists (6.16 and later); before, the trampoline refuses `panic` for its variable
//! arguments and the breakpoint is left.

use super::{Attempt, Class, Hook, HookSpec, Privacy, Severity, Source, Storm, Target};

pub(super) const HOOK: HookSpec = HookSpec {
    name: "panic",
    sees: "the kernel panics",
    without: "the panic is read back from pstore after the reboot",
    class: Class::KernelPanic,
    severity: Severity::Critical,
    storm: Storm::Configured,
    privacy: Privacy::Names,
    source: Source::Own {
        hook: Hook::Panic,
        attempts: &[
            Attempt {
                program: "panic_fentry",
                target: Target::Fentry("vpanic"),
            },
            Attempt {
                program: "panic_kprobe",
                target: Target::Kprobe("vpanic"),
            },
            Attempt {
                program: "panic_fentry",
                target: Target::Fentry("panic"),
            },
            Attempt {
                program: "panic_kprobe",
                target: Target::Kprobe("panic"),
            },
        ],
        members: &[],
        since: None,
    },
};

//! `panic` calls `vpanic` where that exists (6.16 and later); before, the trampoline refuses `panic` for its variable
//! arguments and the breakpoint is left.

use super::{Attempt, Class, Hook, HookSpec, Privacy, Severity, Source, Storm, function};

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
        attempts: ATTEMPTS,
        members: &[],
        since: None,
    },
};

const ATTEMPTS: &[Attempt] = {
    let [first, second] = function("vpanic", "panic_fentry", "panic_kprobe");
    let [third, fourth] = function("panic", "panic_fentry", "panic_kprobe");
    &[first, second, third, fourth]
};

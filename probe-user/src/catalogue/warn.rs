//! `__warn` is what every `WARN()` comes to (`kernel/panic.c`, 5.10 to 7.2): through the exception of x86 and arm64, or
//! through `warn_slowpath_fmt` elsewhere.

use super::{Class, Hook, HookSpec, Privacy, Severity, Source, Storm, function};

pub(super) const HOOK: HookSpec = HookSpec {
    name: "warn",
    sees: "the kernel warns: who was running, on which stack",
    without: "the text of the warning has both",
    class: Class::KernelWarning,
    severity: Severity::Medium,
    storm: Storm::Configured,
    privacy: Privacy::Names,
    source: Source::Own {
        hook: Hook::Warning,
        attempts: &function("__warn", "warn_fentry", "warn_kprobe"),
        members: &[],
        since: None,
    },
};

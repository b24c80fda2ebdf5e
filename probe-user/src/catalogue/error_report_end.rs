//! A report of KFENCE, KASAN or `WARN()` is complete. `include/trace/events/error_report.h`, since 5.12, of WARNs since
//! 5.17.

use super::{Best, Class, Fields, HookSpec, Privacy, Record, Records, Severity, Source, Storm, Told, Twin};

pub(super) const HOOK: HookSpec = HookSpec {
    name: "error_report_end",
    sees: "a report of KFENCE, KASAN or WARN was printed",
    without: "the reports are known from their text",
    class: Class::KernelWarning,
    severity: Severity::Medium,
    storm: Storm::Configured,
    privacy: Privacy::Machine,
    source: Source::Records(Records {
        attempts: &[Record {
            tracepoint: "error_report:error_report_end",
            module: None,
            required: &["error_detector"],
            filter: &[],
        }],
        stack: false,
        twin: Some(TWIN),
        tell,
    }),
};

/// What a WARN says may be a report of any kind.
const TWIN: Twin = Twin {
    kinds: &[],
    says: &[],
    best: Best::Text,
};

fn tell(fields: &Fields) -> Option<Told> {
    // `enum error_detector`
    let (class, severity, title) = match fields.unsigned("error_detector") {
        Some(0) => (
            Class::KernelSanitizer,
            Severity::High,
            "KFENCE report, its text was not caught",
        ),
        Some(1) => (
            Class::KernelSanitizer,
            Severity::High,
            "KASAN report, its text was not caught",
        ),
        Some(2) => (HOOK.class, HOOK.severity, "WARNING, its text was not caught"),
        _ => (
            Class::KernelOther,
            HOOK.severity,
            "report of the kernel, its text was not caught",
        ),
    };
    Some(Told::new(class, severity, title))
}

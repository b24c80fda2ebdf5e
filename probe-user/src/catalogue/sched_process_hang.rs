//! A task that was blocked too long. `include/trace/events/sched.h`. It fires at every check while the task hangs, also
//! when the kernel prints no more (`hung_task_warnings`).

use super::{
    Best, Class, Fields, HookSpec, Once, Privacy, Record, Records, Severity, Source, Storm, Told, Twin,
};
use faults::ReportKind;

pub(super) const HOOK: HookSpec = HookSpec {
    name: "sched_process_hang",
    sees: "a task that is blocked too long: its name and pid",
    without: "the text `INFO: task … blocked` is left, which the kernel prints ten times a boot",
    class: Class::KernelHungTask,
    severity: Severity::High,
    storm: Storm::Configured,
    privacy: Privacy::Names,
    source: Source::Records(Records {
        attempts: &[Record {
            tracepoint: "sched:sched_process_hang",
            module: None,
            required: &["pid"],
            filter: &[],
        }],
        stack: false,
        twin: Some(TWIN),
        tell,
    }),
};

/// `kernel/hung_task.c`: the text has the stack.
const TWIN: Twin = Twin {
    kinds: &[ReportKind::HungTask],
    says: &[],
    best: Best::Text,
};

/// The check comes every `hung_task_check_interval_secs`, by default every 120 s; a task that was not among the hung for
/// an hour hangs anew. Nanoseconds.
const QUIET_NS: u64 = 3_600 * 1_000_000_000;

fn tell(fields: &Fields) -> Option<Told> {
    let pid = fields.unsigned("pid").unwrap_or(0);
    let comm = fields.text("comm").unwrap_or_default();
    Some(Told {
        once: Some(Once {
            key: format!("{} {pid} {comm}", HOOK.name),
            quiet_ns: QUIET_NS,
        }),
        ..Told::new(HOOK.class, HOOK.severity, "INFO: task hung")
    })
}

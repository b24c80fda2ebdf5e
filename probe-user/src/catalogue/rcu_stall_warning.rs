//! RCU waited too long for a CPU or a task. `include/trace/events/rcu.h`, since 5.15.

use super::{Best, Class, Fields, HookSpec, Privacy, Record, Records, Severity, Source, Storm, Told, Twin};
use faults::ReportKind;

pub(super) const HOOK: HookSpec = HookSpec {
    name: "rcu_stall_warning",
    sees: "RCU waited too long for a CPU or a task: flavour, how it was found",
    without: "the text `detected stall` is left",
    class: Class::KernelRcuStall,
    severity: Severity::High,
    storm: Storm::Configured,
    privacy: Privacy::Machine,
    source: Source::Records(Records {
        attempts: &[Record {
            tracepoint: "rcu:rcu_stall_warning",
            module: None,
            required: &[],
            filter: &[],
        }],
        stack: false,
        twin: Some(TWIN),
        tell,
    }),
};

/// `kernel/rcu/tree_stall.h`: the text has the stacks.
const TWIN: Twin = Twin {
    kinds: &[ReportKind::RcuStall],
    says: &[],
    best: Best::Text,
};

fn tell(_fields: &Fields) -> Option<Told> {
    Some(Told::new(HOOK.class, HOOK.severity, "INFO: rcu detected stall"))
}

//! The out-of-memory killer chose a victim. `include/trace/events/oom.h`; the record has the pid alone, or (upstream
//! 6.10, and stable releases before it) sizes, owner and name too.

use super::{
    Attempt, Class, Hook, HookSpec, Privacy, Severity, Shape, Source, Storm, Target, Tracepoint, optional,
    required,
};

pub(super) const HOOK: HookSpec = HookSpec {
    name: "oom_mark_victim",
    sees: "whom the out-of-memory killer chose",
    without: "the text `Out of memory: Killed process` is left",
    class: Class::MemoryOomKill,
    severity: Severity::High,
    storm: Storm::Configured,
    privacy: Privacy::Names,
    source: Source::Own {
        hook: Hook::OomMarkVictim,
        attempts: &[Attempt {
            program: "oom_mark_victim_tp",
            target: Target::Tracepoint(&RECORD),
        }],
        members: &[],
        since: None,
    },
};

const RECORD: Tracepoint = Tracepoint {
    category: "oom",
    name: "mark_victim",
    fields: &[
        required("pid", "OOM_OFF_PID", Shape::Integer(4)),
        optional(
            "comm",
            "OOM_OFF_COMM",
            Shape::Comm {
                is_data_loc: "OOM_COMM_IS_DATA_LOC",
            },
        ),
        optional("total_vm", "OOM_OFF_TOTAL_VM", Shape::Integer(8)),
        optional("anon_rss", "OOM_OFF_ANON_RSS", Shape::Integer(8)),
        optional("file_rss", "OOM_OFF_FILE_RSS", Shape::Integer(8)),
        optional("shmem_rss", "OOM_OFF_SHMEM_RSS", Shape::Integer(8)),
        optional("pgtables", "OOM_OFF_PGTABLES", Shape::Integer(8)),
        optional("uid", "OOM_OFF_UID", Shape::Integer(4)),
        optional("oom_score_adj", "OOM_OFF_SCORE_ADJ", Shape::Integer(2)),
    ],
};

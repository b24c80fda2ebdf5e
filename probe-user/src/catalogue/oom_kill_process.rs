//! Why the out-of-memory killer kills (`mm/oom_kill.c`: `oom_kill_process`, 5.10 to 7.2). It calls `mark_victim`, which is
//! a hook of its own and tells of the victim; what is seen here joins that record.

use super::{Class, Hook, HookSpec, MemberSpec, Privacy, Severity, Source, Storm, function, member};

pub(super) const HOOK: HookSpec = HookSpec {
    name: "oom_kill_process",
    sees: "what was exhausted when the out-of-memory killer chose, and who asked for memory on which stack",
    without: "the victim alone is told",
    class: Class::MemoryOomKill,
    severity: Severity::High,
    storm: Storm::Configured,
    privacy: Privacy::Names,
    source: Source::Own {
        hook: Hook::OomKill,
        attempts: &function("oom_kill_process", "oom_kill_fentry", "oom_kill_kprobe"),
        members: MEMBERS,
        since: None,
    },
};

const MEMBERS: &[MemberSpec] = &[
    // include/linux/oom.h
    member("oom_control", "memcg", "OOM_CONTROL_OFF_MEMCG", 8),
    member("oom_control", "gfp_mask", "OOM_CONTROL_OFF_GFP_MASK", 4),
    member("oom_control", "order", "OOM_CONTROL_OFF_ORDER", 4),
    member("oom_control", "totalpages", "OOM_CONTROL_OFF_TOTALPAGES", 8),
    member("oom_control", "chosen", "OOM_CONTROL_OFF_CHOSEN", 8),
    member("oom_control", "chosen_points", "OOM_CONTROL_OFF_POINTS", 8),
    member("oom_control", "constraint", "OOM_CONTROL_OFF_CONSTRAINT", 4),
    // The ids of the cgroups: of the limit through its memory controller, of the victim through its set of cgroups.
    member("mem_cgroup", "css.cgroup", "OOM_MEMCG_OFF_CGROUP", 8),
    member("task_struct", "tgid", "OOM_TASK_OFF_TGID", 4),
    member("task_struct", "cgroups", "OOM_TASK_OFF_CGROUPS", 8),
    member("css_set", "dfl_cgrp", "OOM_CSS_SET_OFF_CGROUP", 8),
    member("cgroup", "kn", "OOM_CGROUP_OFF_KN", 8),
    member("kernfs_node", "id", "OOM_KERNFS_OFF_ID", 8),
];

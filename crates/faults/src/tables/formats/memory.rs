//! Bad accesses, exceptions, `BUG:` reports, sanitizers and memory reports.

use super::{
    BAD_ACCESS, Format, Head, INVALID_FREE, POINTER, STACK_OVERFLOW, STALL, TRACE, format, pointer,
    scheduling, trace, warning,
};
use crate::ReportKind as K;

/// Functions that stand for their caller when they fault.
const LISTS: &[&str] = &["*list*"];

pub(super) const HEADS: &[Head] = &[
    Head {
        needle: "BUG:",
        unless: &["ODEBUG:"],
        formats: BUGS,
    },
    Head {
        needle: "BUG ",
        unless: &["BUG UNIX", "kasan: bad access detected"],
        formats: &[format(K::BugReport, "BUG {w} ({*}): {*}", "BUG: {2}", None)],
    },
    Head {
        needle: "kernel BUG at ",
        unless: &[],
        formats: BUG_AT,
    },
    Head {
        needle: "Kernel BUG at ",
        unless: &[],
        formats: &[format(K::Bug, "Kernel BUG at {w}", "kernel BUG in {F}", POINTER)],
    },
    Head {
        needle: "Unable to handle kernel",
        unless: &[],
        formats: &[
            format(
                K::NullDereference,
                "Unable to handle kernel NULL pointer dereference",
                "BUG: unable to handle kernel NULL pointer dereference in {F}",
                POINTER,
            )
            .alt(BAD_ACCESS),
            format(
                K::PageFault,
                "Unable to handle kernel access to user memory",
                "BUG: unable to handle kernel access to user memory in {F}",
                POINTER,
            )
            .alt(BAD_ACCESS),
            format(
                K::PageFault,
                "Unable to handle kernel",
                "BUG: unable to handle kernel paging request in {F}",
                POINTER,
            )
            .alt(BAD_ACCESS),
        ],
    },
    Head {
        needle: "general protection fault",
        unless: &["traps:"],
        formats: &[format(
            K::GeneralProtection,
            "general protection fault",
            "general protection fault in {F}",
            POINTER,
        )
        .alt(BAD_ACCESS)],
    },
    Head {
        needle: "stack segment: ",
        unless: &["traps:"],
        formats: &[format(
            K::Trap,
            "stack segment: ",
            "stack segment fault in {F}",
            POINTER,
        )],
    },
    Head {
        needle: "divide error: ",
        unless: &["traps:"],
        formats: &[format(K::Trap, "divide error: ", "divide error in {F}", POINTER)],
    },
    Head {
        needle: "invalid opcode: ",
        unless: &["traps:"],
        formats: &[format(
            K::Trap,
            "invalid opcode: ",
            "invalid opcode in {F}",
            POINTER,
        )],
    },
    Head {
        needle: "int3: ",
        unless: &["traps:"],
        formats: &[format(K::Trap, "int3: ", "int3 in {F}", POINTER)],
    },
    Head {
        needle: "Oops: ",
        unless: &["Internal error"],
        formats: &[
            format(
                K::GeneralProtection,
                "Oops: general protection fault",
                "general protection fault in {F}",
                POINTER,
            )
            .alt(BAD_ACCESS),
            format(
                K::Trap,
                "Oops: stack segment",
                "stack segment fault in {F}",
                POINTER,
            ),
            format(K::Trap, "Oops: {*}: 0000 [#", "{0} in {F}", POINTER),
            format(K::PageFault, "Oops: ", "Oops in {F}", POINTER),
        ],
    },
    Head {
        needle: "PANIC: double fault",
        unless: &[],
        formats: &[format(
            K::Trap,
            "PANIC: double fault",
            "PANIC: double fault in {F}",
            POINTER,
        )],
    },
    Head {
        needle: "Internal error:",
        unless: &[],
        formats: &[format(K::Trap, "Internal error:", "Internal error in {F}", POINTER).alt(BAD_ACCESS)],
    },
    Head {
        needle: "Unhandled fault:",
        unless: &[],
        formats: &[format(K::Trap, "Unhandled fault:", "Unhandled fault in {F}", POINTER).alt(BAD_ACCESS)],
    },
    Head {
        needle: "Alignment trap:",
        unless: &[],
        formats: &[format(
            K::Trap,
            "Alignment trap:",
            "Alignment trap in {F}",
            POINTER,
        )],
    },
    Head {
        needle: "UBSAN:",
        unless: &[],
        formats: &[
            format(
                K::Ubsan,
                "UBSAN: Undefined behaviour in",
                "UBSAN: undefined-behaviour in {F}",
                TRACE,
            ),
            format(K::Ubsan, "UBSAN: {w} in", "UBSAN: {0} in {F}", TRACE),
        ],
    },
    Head {
        needle: "unreferenced object",
        unless: &[],
        formats: &[format(
            K::MemoryLeak,
            "unreferenced object",
            "memory leak in {F}",
            TRACE,
        )],
    },
    Head {
        needle: ": page allocation failure",
        unless: &[],
        formats: &[format(
            K::AllocFailure,
            "page allocation failure",
            "page allocation failure in {F}",
            TRACE,
        )],
    },
    Head {
        needle: "invoked oom-killer",
        unless: &[],
        formats: &[
            format(
                K::OomKill,
                "invoked oom-killer",
                "out of memory in a cgroup: killed {2}",
                None,
            )
            .with("Memory cgroup out of memory: Kill{w} process {n} ({*})"),
            format(
                K::OomKill,
                "invoked oom-killer",
                "out of memory: killed {2}",
                None,
            )
            .with("Out of memory: Kill{w} process {n} ({*})"),
            format(K::OomKill, "invoked oom-killer", "out of memory", None),
        ],
    },
    Head {
        needle: "Out of memory: Kill",
        unless: &[],
        formats: &[format(
            K::OomKill,
            "Out of memory: Kill{w} process {n} ({*})",
            "out of memory: killed {2}",
            None,
        )],
    },
    Head {
        needle: "Memory cgroup out of memory: Kill",
        unless: &[],
        formats: &[format(
            K::OomKill,
            "Memory cgroup out of memory: Kill{w} process {n} ({*})",
            "out of memory in a cgroup: killed {2}",
            None,
        )],
    },
    Head {
        needle: "Machine Check: ",
        unless: &[],
        formats: &[format(
            K::MachineCheck,
            "Machine Check: {*}",
            "machine check",
            None,
        )],
    },
];

const BUGS: &[Format] = &[
    format(
        K::Kasan,
        "BUG: KASAN: double-free or invalid-free in {f}",
        "KASAN: invalid-free in {F}",
        TRACE,
    )
    .alt(INVALID_FREE),
    format(
        K::Kasan,
        "BUG: KASAN: double-free in {f}",
        "KASAN: invalid-free in {F}",
        TRACE,
    )
    .alt(INVALID_FREE),
    format(
        K::Kasan,
        "BUG: KASAN: invalid-free in {f}",
        "KASAN: invalid-free in {F}",
        TRACE,
    )
    .alt(INVALID_FREE),
    format(
        K::Kasan,
        "BUG: KASAN: {w} in {f}",
        "KASAN: {0} Read in {F}",
        TRACE,
    )
    .with("Read of size {n}")
    .alt(BAD_ACCESS),
    format(
        K::Kasan,
        "BUG: KASAN: {w} in {f}",
        "KASAN: {0} Write in {F}",
        TRACE,
    )
    .with("Write of size {n}")
    .alt(BAD_ACCESS),
    format(
        K::Kasan,
        "BUG: KASAN: {w} on address",
        "KASAN: {0} Read in {F}",
        TRACE,
    )
    .with("Read of size {n}")
    .alt(BAD_ACCESS),
    format(
        K::Kasan,
        "BUG: KASAN: {w} on address",
        "KASAN: {0} Write in {F}",
        TRACE,
    )
    .with("Write of size {n}")
    .alt(BAD_ACCESS),
    format(K::Kasan, "BUG: KASAN: {*}", "KASAN: {0}", None),
    format(K::Kmsan, "BUG: KMSAN: {w} in {f}", "KMSAN: {0} in {F}", TRACE).alt(BAD_ACCESS),
    format(K::Kcsan, "BUG: KCSAN: {*}", "KCSAN: {0}", None),
    format(
        K::Kfence,
        "BUG: KFENCE: memory corruption in {f}",
        "KFENCE: memory corruption in {F}",
        TRACE,
    ),
    format(
        K::Kfence,
        "BUG: KFENCE: invalid free in {f}",
        "KFENCE: invalid free in {F}",
        TRACE,
    )
    .alt(INVALID_FREE),
    format(
        K::Kfence,
        "BUG: KFENCE: {w} {w} in {f}",
        "KFENCE: {0} {1} in {F}",
        TRACE,
    )
    .alt(BAD_ACCESS),
    format(
        K::NullDereference,
        "BUG: unable to handle kernel NULL pointer dereference",
        "BUG: unable to handle kernel NULL pointer dereference in {F}",
        POINTER,
    )
    .alt(BAD_ACCESS),
    format(
        K::NullDereference,
        "BUG: kernel NULL pointer dereference",
        "BUG: unable to handle kernel NULL pointer dereference in {F}",
        POINTER,
    )
    .alt(BAD_ACCESS),
    format(
        K::PageFault,
        "BUG: unable to handle kernel paging request",
        "BUG: unable to handle kernel paging request in {F}",
        POINTER,
    )
    .alt(BAD_ACCESS),
    format(
        K::PageFault,
        "BUG: unable to handle page fault for address",
        "BUG: unable to handle kernel paging request in {F}",
        POINTER,
    )
    .alt(BAD_ACCESS),
    format(
        K::PageFault,
        "BUG: Unable to handle kernel",
        "BUG: unable to handle kernel paging request in {F}",
        POINTER,
    )
    .alt(BAD_ACCESS),
    format(
        K::Trap,
        "BUG: stack guard page was hit",
        "BUG: stack guard page was hit in {F}",
        scheduling::OVERFLOW,
    )
    .alt(STACK_OVERFLOW),
    format(
        K::Trap,
        "BUG: {w} stack guard page was hit",
        "BUG: {0} stack guard page was hit in {F}",
        scheduling::OVERFLOW,
    )
    .alt(STACK_OVERFLOW),
    format(
        K::BadPage,
        "BUG: Bad page state",
        "BUG: Bad page state in {F}",
        TRACE,
    ),
    format(K::BadPage, "BUG: Bad page map", "BUG: Bad page map in {F}", TRACE),
    format(
        K::BadPage,
        "BUG: Bad rss-counter state",
        "BUG: Bad rss-counter state",
        None,
    ),
    format(
        K::BadPage,
        "BUG: non-zero pgtables_bytes on freeing mm",
        "BUG: non-zero pgtables_bytes on freeing mm",
        None,
    ),
    format(
        K::AtomicSleep,
        "BUG: scheduling while atomic",
        "BUG: scheduling while atomic in {F}",
        trace(&["*sched*", "*cond_resched*"]),
    ),
    format(
        K::AtomicSleep,
        "BUG: sleeping function called from invalid context",
        "BUG: sleeping function called from invalid context in {F}",
        trace(&["*might_sleep*", "*might_resched*", "*cond_resched*"]),
    ),
    format(
        K::SoftLockup,
        "BUG: soft lockup",
        "BUG: soft lockup in {F}",
        scheduling::STALLED,
    )
    .alt(STALL),
    format(
        K::WorkqueueLockup,
        "BUG: workqueue lockup",
        "BUG: workqueue lockup",
        None,
    ),
    format(
        K::BugReport,
        "BUG: spinlock lockup suspected",
        "BUG: spinlock lockup suspected in {F}",
        trace(&["*spin*"]),
    ),
    format(
        K::BugReport,
        "BUG: spinlock {*} on",
        "BUG: spinlock {0} in {F}",
        trace(&["*spin*", "rwlock_bug*"]),
    ),
    format(
        K::BugReport,
        "BUG: rwlock {*} on",
        "BUG: rwlock {0} in {F}",
        trace(&["*spin*", "*_lock*", "rwlock_bug*"]),
    ),
    format(
        K::BugReport,
        "BUG: using {w} in preemptible",
        "BUG: using {0} in preemptible code in {F}",
        trace(&["*this_cpu*"]),
    ),
    format(
        K::Lockdep,
        "BUG: bad unlock balance detected!",
        "BUG: bad unlock balance in {F}",
        trace(&["*unlock*"]),
    ),
    format(
        K::Lockdep,
        "BUG: held lock freed!",
        "BUG: held lock freed in {F}",
        TRACE,
    ),
    format(
        K::Lockdep,
        "BUG: {*} still has locks held!",
        "BUG: still has locks held in {F}",
        TRACE,
    ),
    format(
        K::Lockdep,
        "BUG: Invalid wait context",
        "WARNING: locking bug in {F}",
        warning::LOCKS,
    ),
    format(K::MemoryLeak, "BUG: memory leak", "memory leak in {F}", TRACE),
    format(
        K::BugReport,
        "BUG: Dentry {*}still in use {*}[",
        "BUG: Dentry still in use in unmount",
        None,
    ),
    format(K::BugReport, "BUG: {*}", "BUG: {0}", None),
];

const BUG_AT: &[Format] = &[
    format(
        K::BugReport,
        "kernel BUG at mm/usercopy.c",
        "BUG: bad usercopy in {F}",
        trace(&["usercopy*", "check_*"]),
    ),
    format(
        K::BugReport,
        "kernel BUG at lib/list_debug.c",
        "BUG: corrupted list in {F}",
        pointer(LISTS),
    ),
    format(
        K::Bug,
        "kernel BUG at {w}",
        "kernel BUG in {F}",
        pointer(&["fortify_panic", "skb_panic", "skb_over_panic", "skb_under_panic"]),
    ),
];

//! A signal whose default action ends a program with a core dump. Signals are frequent: the raw tracepoint has the
//! number in a register, the classic one first fills a record. `include/trace/events/signal.h`

use super::{
    Attempt, Class, Hook, HookSpec, MemberSpec, Privacy, Severity, Shape, Source, Storm, Target, TpBtf,
    Tracepoint, member, optional, required,
};

pub(super) const HOOK: HookSpec = HookSpec {
    name: "signal_deliver",
    sees: "a program dies of SIGQUIT, ILL, TRAP, ABRT, BUS, FPE, SEGV or SYS that it does not handle",
    without: "crashes of programs are not seen",
    class: Class::ProgramCrash,
    severity: Severity::High,
    storm: Storm::Configured,
    privacy: Privacy::Names,
    source: Source::Own {
        hook: Hook::SignalDeliver,
        attempts: &[
            Attempt {
                program: "signal_deliver_btf",
                target: Target::TpBtf(&RAW),
            },
            Attempt {
                program: "signal_deliver_tp",
                target: Target::Tracepoint(&RECORD),
            },
        ],
        members: MEMBERS,
        since: None,
    },
};

/// `TP_PROTO(int sig, struct kernel_siginfo *info, struct k_sigaction *ka)`
const RAW: TpBtf = TpBtf {
    name: "signal_deliver",
    members: &[
        member("kernel_siginfo", "si_errno", "SIGINFO_OFF_ERRNO", 4),
        member("kernel_siginfo", "si_code", "SIGINFO_OFF_CODE", 4),
        member("k_sigaction", "sa.sa_handler", "SIGACTION_OFF_HANDLER", 8),
    ],
};

/// The address of the access, and the way to the path of the program (`include/linux/mm_types.h`, `fs.h`, `dcache.h`).
const MEMBERS: &[MemberSpec] = &[
    member(
        "kernel_siginfo",
        "_sifields._sigfault._addr",
        "SIGINFO_OFF_ADDRESS",
        8,
    ),
    member("task_struct", "mm", "EXE_TASK_OFF_MM", 8),
    member("mm_struct", "exe_file", "EXE_MM_OFF_FILE", 8),
    member("file", "f_path.dentry", "EXE_FILE_OFF_DENTRY", 8),
    member("dentry", "d_name.name", "EXE_DENTRY_OFF_NAME", 8),
    member("dentry", "d_parent", "EXE_DENTRY_OFF_PARENT", 8),
];

const RECORD: Tracepoint = Tracepoint {
    category: "signal",
    name: "signal_deliver",
    fields: &[
        required("sig", "SIGNAL_OFF_SIG", Shape::Integer(4)),
        optional("errno", "SIGNAL_OFF_ERRNO", Shape::Integer(4)),
        optional("code", "SIGNAL_OFF_CODE", Shape::Integer(4)),
        required("sa_handler", "SIGNAL_OFF_SA_HANDLER", Shape::Integer(8)),
    ],
};

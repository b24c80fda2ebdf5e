//! The hooks: their programs in the order in which they are tried, and the record fields they read.

use probe_common::Hook;

use crate::{event::Attach, hook};

/// One hook.
#[derive(Debug)]
pub(crate) struct HookSpec {
    pub(crate) hook: Hook,
    pub(crate) name: &'static str,
    pub(crate) attempts: &'static [Attempt],
    /// The first kernel on which the hook is worth attaching, where older ones have it too.
    pub(crate) since: Option<Since>,
}

/// The kernel from which on a hook does what it should.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Since {
    pub(crate) major: u8,
    pub(crate) minor: u8,
    /// What is wrong with it before.
    pub(crate) before: &'static str,
}

/// One way to attach a hook.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attempt {
    /// The program's name in the object.
    pub(crate) program: &'static str,
    pub(crate) target: Target,
}

/// What a program is attached to.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Target {
    TpBtf(&'static TpBtf),
    RawTp(&'static str),
    Tracepoint(&'static Tracepoint),
    Fentry(&'static str),
    Kprobe(&'static str),
}

impl Target {
    pub(crate) fn attach(self) -> Attach {
        match self {
            Self::TpBtf(_) => Attach::TpBtf,
            Self::RawTp(_) => Attach::RawTp,
            Self::Tracepoint(_) => Attach::Tracepoint,
            Self::Fentry(_) => Attach::Fentry,
            Self::Kprobe(_) => Attach::Kprobe,
        }
    }

    /// The name of what it is attached to, as people write it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::TpBtf(tracepoint) => tracepoint.name,
            Self::RawTp(name) | Self::Fentry(name) | Self::Kprobe(name) => name,
            Self::Tracepoint(tracepoint) => tracepoint.name,
        }
    }
}

/// A BTF-typed raw tracepoint and what its program reads behind the pointers that it is given.
#[derive(Debug)]
pub(crate) struct TpBtf {
    pub(crate) name: &'static str,
    /// All are required: a classic tracepoint comes next, whose record says what it has.
    pub(crate) members: &'static [MemberSpec],
}

/// An integer member of a kernel struct that a program reads.
#[derive(Debug)]
pub(crate) struct MemberSpec {
    pub(crate) structure: &'static str,
    /// Names with dots between, see [`crate::btf::Btf::member`].
    pub(crate) path: &'static str,
    /// The program's global that takes the offset.
    pub(crate) global: &'static str,
    pub(crate) size: u32,
}

/// A classic tracepoint and what its program reads of the record.
#[derive(Debug)]
pub(crate) struct Tracepoint {
    pub(crate) category: &'static str,
    pub(crate) name: &'static str,
    pub(crate) fields: &'static [FieldSpec],
}

/// A field that a program reads.
#[derive(Debug)]
pub(crate) struct FieldSpec {
    pub(crate) name: &'static str,
    /// The program's global that takes the offset.
    pub(crate) global: &'static str,
    pub(crate) shape: Shape,
    /// Without this field the hook says nothing, so it is not attached.
    pub(crate) required: bool,
}

/// What a program can read.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Shape {
    /// An integer of this size.
    Integer(u32),
    /// A `__data_loc`.
    DataLoc,
    /// A task's name: a `__data_loc`, or an array of 16 bytes; the global is set to 1 for the former.
    Comm { is_data_loc: &'static str },
}

const fn required(name: &'static str, global: &'static str, shape: Shape) -> FieldSpec {
    FieldSpec {
        name,
        global,
        shape,
        required: true,
    }
}

const fn optional(name: &'static str, global: &'static str, shape: Shape) -> FieldSpec {
    FieldSpec {
        name,
        global,
        shape,
        required: false,
    }
}

const fn member(structure: &'static str, path: &'static str, global: &'static str, size: u32) -> MemberSpec {
    MemberSpec {
        structure,
        path,
        global,
        size,
    }
}

/// All hooks, in the order of [`hook::ALL`].
pub(crate) const HOOKS: [HookSpec; Hook::COUNT] = [
    HookSpec {
        hook: Hook::PrintkConsole,
        name: hook::PRINTK_CONSOLE,
        since: Some(PRINTK_AT_STORE_TIME),
        // A raw tracepoint hands over the text where it is: no copy into a perf record of at most 8 KiB, and no
        // guard that skips the program when any other is running on the CPU.
        attempts: &[
            Attempt {
                program: "printk_console_btf",
                target: Target::TpBtf(&TpBtf {
                    name: "console",
                    members: &[],
                }),
            },
            Attempt {
                program: "printk_console_raw",
                target: Target::RawTp("console"),
            },
            Attempt {
                program: "printk_console_tp",
                target: Target::Tracepoint(&PRINTK),
            },
        ],
    },
    HookSpec {
        hook: Hook::OopsEnter,
        name: hook::OOPS_ENTER,
        since: None,
        attempts: &[
            Attempt {
                program: "oops_enter_fentry",
                target: Target::Fentry("oops_enter"),
            },
            Attempt {
                program: "oops_enter_kprobe",
                target: Target::Kprobe("oops_enter"),
            },
        ],
    },
    HookSpec {
        hook: Hook::Panic,
        name: hook::PANIC,
        since: None,
        // `panic` calls `vpanic` where that exists (6.16 and later); before, the trampoline refuses `panic` for its
        // variable arguments and the breakpoint is left.
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
    },
    HookSpec {
        hook: Hook::MceRecord,
        name: hook::MCE_RECORD,
        since: None,
        attempts: &[Attempt {
            program: "mce_record_tp",
            target: Target::Tracepoint(&MCE),
        }],
    },
    HookSpec {
        hook: Hook::OomMarkVictim,
        name: hook::OOM_MARK_VICTIM,
        since: None,
        attempts: &[Attempt {
            program: "oom_mark_victim_tp",
            target: Target::Tracepoint(&OOM),
        }],
    },
    HookSpec {
        hook: Hook::SignalDeliver,
        name: hook::SIGNAL_DELIVER,
        since: None,
        // Signals are frequent: the raw tracepoint has the number in a register, the classic one first fills a record.
        attempts: &[
            Attempt {
                program: "signal_deliver_btf",
                target: Target::TpBtf(&SIGNAL_RAW),
            },
            Attempt {
                program: "signal_deliver_tp",
                target: Target::Tracepoint(&SIGNAL),
            },
        ],
    },
];

/// `kernel/printk/printk.c`: the tracepoint moved from `call_console_drivers` to `printk_sprint`.
const PRINTK_AT_STORE_TIME: Since = Since {
    major: 5,
    minor: 19,
    before: "it sees only what the console prints (kernel.printk); /dev/kmsg has everything",
};

/// `include/trace/events/printk.h`
const PRINTK: Tracepoint = Tracepoint {
    category: "printk",
    name: "console",
    fields: &[required("msg", "PRINTK_OFF_MSG", Shape::DataLoc)],
};

/// `include/trace/events/mce.h`; `ppin` and `microcode` since 6.10.
const MCE: Tracepoint = Tracepoint {
    category: "mce",
    name: "mce_record",
    fields: &[
        optional("mcgcap", "MCE_OFF_MCGCAP", Shape::Integer(8)),
        optional("mcgstatus", "MCE_OFF_MCGSTATUS", Shape::Integer(8)),
        required("status", "MCE_OFF_STATUS", Shape::Integer(8)),
        optional("addr", "MCE_OFF_ADDR", Shape::Integer(8)),
        optional("misc", "MCE_OFF_MISC", Shape::Integer(8)),
        optional("synd", "MCE_OFF_SYND", Shape::Integer(8)),
        optional("ipid", "MCE_OFF_IPID", Shape::Integer(8)),
        optional("ip", "MCE_OFF_IP", Shape::Integer(8)),
        optional("tsc", "MCE_OFF_TSC", Shape::Integer(8)),
        optional("walltime", "MCE_OFF_WALLTIME", Shape::Integer(8)),
        optional("ppin", "MCE_OFF_PPIN", Shape::Integer(8)),
        optional("cpu", "MCE_OFF_CPU", Shape::Integer(4)),
        optional("cpuid", "MCE_OFF_CPUID", Shape::Integer(4)),
        optional("apicid", "MCE_OFF_APICID", Shape::Integer(4)),
        optional("socketid", "MCE_OFF_SOCKETID", Shape::Integer(4)),
        optional("microcode", "MCE_OFF_MICROCODE", Shape::Integer(4)),
        optional("cs", "MCE_OFF_CS", Shape::Integer(1)),
        required("bank", "MCE_OFF_BANK", Shape::Integer(1)),
        optional("cpuvendor", "MCE_OFF_CPUVENDOR", Shape::Integer(1)),
    ],
};

/// `include/trace/events/oom.h`
const OOM: Tracepoint = Tracepoint {
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

/// `TP_PROTO(int sig, struct kernel_siginfo *info, struct k_sigaction *ka)` of `include/trace/events/signal.h`
const SIGNAL_RAW: TpBtf = TpBtf {
    name: "signal_deliver",
    members: &[
        member("kernel_siginfo", "si_errno", "SIGINFO_OFF_ERRNO", 4),
        member("kernel_siginfo", "si_code", "SIGINFO_OFF_CODE", 4),
        member("k_sigaction", "sa.sa_handler", "SIGACTION_OFF_HANDLER", 8),
    ],
};

/// `include/trace/events/signal.h`
const SIGNAL: Tracepoint = Tracepoint {
    category: "signal",
    name: "signal_deliver",
    fields: &[
        required("sig", "SIGNAL_OFF_SIG", Shape::Integer(4)),
        optional("errno", "SIGNAL_OFF_ERRNO", Shape::Integer(4)),
        optional("code", "SIGNAL_OFF_CODE", Shape::Integer(4)),
        required("sa_handler", "SIGNAL_OFF_SA_HANDLER", Shape::Integer(8)),
    ],
};

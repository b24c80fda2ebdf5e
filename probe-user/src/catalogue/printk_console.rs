//! Kernel log text. A raw tracepoint hands over the text where it is: no copy into a perf record of at most 8 KiB, and
//! no guard that skips the program when any other is running on the CPU.

use super::{
    Attempt, Class, Hook, HookSpec, Privacy, Severity, Shape, Since, Source, Storm, Target, TpBtf,
    Tracepoint, required,
};

pub(super) const HOOK: HookSpec = HookSpec {
    name: "printk_console",
    sees: "kernel log text: oops, BUG, WARN, lockups, stalls, hung tasks, ...",
    without: "the text is read from /dev/kmsg",
    class: Class::KernelOther,
    severity: Severity::Medium,
    storm: Storm::Configured,
    privacy: Privacy::Contents,
    source: Source::Own {
        hook: Hook::PrintkConsole,
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
                target: Target::Tracepoint(&RECORD),
            },
        ],
        members: &[],
        since: Some(QUIET),
    },
};

/// Before 6.3 the kernel warns of the tracepoint itself when something is attached to it and text is printed in an interrupt
/// that cannot be masked (`trace_console_rcuidle`, `kernel/printk/printk.c`; `WARN_ON_ONCE(rcuidle && in_nmi())`,
/// `include/linux/tracepoint.h`): in the midst of a report of a machine check or a stalled CPU, and as a panic with
/// `kernel.panic_on_warn`. Before 5.19 it sees only what the console prints (`call_console_drivers`).
const QUIET: Since = Since {
    major: 6,
    minor: 3,
    before: "the kernel warns of it when text is printed in an NMI; /dev/kmsg has everything",
};

/// `include/trace/events/printk.h`
const RECORD: Tracepoint = Tracepoint {
    category: "printk",
    name: "console",
    fields: &[required("msg", "PRINTK_OFF_MSG", Shape::DataLoc)],
};

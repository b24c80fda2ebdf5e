//! Kernel log text. A raw tracepoint hands over the text where it is: no copy into a perf record of at most 8 KiB, and
//! no guard that skips the program when any other is running on the CPU.

use super::{
    Attempt, Class, Hook, HookSpec, Privacy, Setting, Severity, Shape, Since, Source, Storm, Target, TpBtf,
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
        since: Some(STORE_TIME),
        unless: Some(PANIC_ON_WARN),
    },
};

/// `kernel/printk/printk.c`: the tracepoint moved from `call_console_drivers` to `printk_sprint`.
const STORE_TIME: Since = Since {
    major: 5,
    minor: 19,
    before: "it sees only what the console prints (kernel.printk); /dev/kmsg has everything",
};

/// Where an idle CPU prints in an exception (a machine check, on 6.1), RCU does not watch it, and the kernel warns of the
/// tracepoint once a boot (`include/trace/events/printk.h`, line 10). That must not become a panic.
const PANIC_ON_WARN: Setting = Setting {
    file: "kernel/panic_on_warn",
    then: "with kernel.panic_on_warn the warning that some kernels give for this hook would be a panic; /dev/kmsg has everything",
};

/// `include/trace/events/printk.h`
const RECORD: Tracepoint = Tracepoint {
    category: "printk",
    name: "console",
    fields: &[required("msg", "PRINTK_OFF_MSG", Shape::DataLoc)],
};

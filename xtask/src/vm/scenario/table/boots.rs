//! What needs a boot of its own.

use super::{Boot, Cause, Expect, Is, ROW, Scenario, code};

/// What crash-and-oops.sh and its module leave, however little the kernel offers.
const CRASH_AND_OOPS: &[Expect] = &[
    Expect::record("program.crash", "guest-crash"),
    Expect::record("kernel.oops", "NULL pointer dereference"),
];

pub(super) static ROWS: &[Scenario] = &[
    Scenario {
        name: "bert",
        what: "errors that the firmware noted in the boot before",
        boot: Boot::Bert,
        cause: Cause::Script(include_str!("../../causes/nothing.sh")),
        expects: &[
            Expect::record("hardware.memory_error", "multi-bit ECC (fatal)").with(&[
                ("/hook/name", Is::Text("bert")),
                ("/hardware_error/part", Is::Text("DIMM_A1")),
            ]),
            Expect::record("boot.end", "previous boot ended: hardware error"),
        ],
        ..ROW
    },
    Scenario {
        name: "hindsight",
        what: "a warning after a program was held up for memory, which its record tells",
        boot: Boot::Bert,
        cause: Cause::CodeAndScript(code::warn, include_str!("../../causes/hindsight.sh")),
        expects: &[Expect::record("kernel.warning", "WARNING in").with(&[
            ("/precursors/0/text", Is::Saying("allocation stall")),
            ("/precursors/0/since_boot_ns", Is::There),
            ("/kernel_report/comm", Is::Text("insmod")),
        ])],
        ..ROW
    },
    Scenario {
        name: "panic-netconsole",
        what: "a panic that only the network console tells of",
        boot: Boot::Netconsole,
        cause: Cause::Script(include_str!("../../causes/panic-netconsole.sh")),
        modules: &["netconsole", "i6300esb"],
        is_fatal: true,
        expects: &[Expect::record("kernel.panic", "sysrq triggered crash")
            .with(&[("/hook/name", Is::Text("netconsole"))])],
        ..ROW
    },
    Scenario {
        name: "no-btf",
        what: "an oops and a crash where the kernel's type information cannot be read",
        boot: Boot::NoBtf,
        cause: Cause::CodeAndScript(code::oops, include_str!("../../causes/crash-and-oops.sh")),
        expects: CRASH_AND_OOPS,
        ..ROW
    },
    Scenario {
        name: "no-tracefs",
        what: "an oops and a crash where tracefs is not mounted and the agent may not mount it",
        boot: Boot::NoTracefs,
        cause: Cause::CodeAndScript(code::oops, include_str!("../../causes/crash-and-oops.sh")),
        expects: CRASH_AND_OOPS,
        ..ROW
    },
    Scenario {
        name: "lockdown",
        what: "an OOM kill where the kernel is locked down for confidentiality",
        boot: Boot::Lockdown,
        cause: Cause::Script(include_str!("../../causes/crash-and-oom.sh")),
        expects: &[Expect::record("memory.oom_kill", "tail")],
        ..ROW
    },
];

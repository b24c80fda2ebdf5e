//! What ends a boot.

use super::{Cause, Expect, Is, ROW, Scenario, code};

pub(super) static ROWS: &[Scenario] = &[
    Scenario {
        name: "panic-ramoops",
        what: "a panic, read back from ramoops after the reboot",
        cause: Cause::Script(include_str!("../../causes/panic.sh")),
        is_fatal: true,
        expects: &[
            Expect::record("kernel.panic", "sysrq triggered crash"),
            Expect::record("boot.end", "previous boot ended: kernel panic").with(&[
                ("/obituary/demise", Is::Text("panic")),
                ("/obituary/confidence", Is::Text("high")),
            ]),
        ],
        is_quick: true,
        ..ROW
    },
    Scenario {
        name: "mce-fatal",
        what: "a machine check after which the processor cannot go on, by QEMU's monitor, read back from ramoops",
        cause: Cause::ScriptAndMonitor(
            include_str!("../../causes/nothing.sh"),
            "mce -b 0 4 0xbe00000000800400 0x5 0x12345000 0x8c",
        ),
        is_fatal: true,
        expects: &[
            Expect::record("hardware.machine_check", "achine check"),
            Expect::record("boot.end", "previous boot ended: hardware error"),
        ],
        beside: &[
            // The other processor's registers outlast the reset, and only the next kernel tells of them.
            Expect::record("hardware.machine_check", "no error"),
        ],
        ..ROW
    },
    Scenario {
        name: "stack-protector",
        what: "a stack with its guard overwritten: a panic",
        cause: Cause::Code(code::stack_protector),
        is_fatal: true,
        ..ROW
    },
    Scenario {
        name: "stack-overflow",
        what: "a function that calls itself for ever",
        cause: Cause::Code(code::stack_overflow),
        is_fatal: true,
        ..ROW
    },
];

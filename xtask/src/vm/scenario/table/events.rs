//! What hooks of their own see.

use super::{Cause, Expect, Is, ROW, Scenario, code};

pub(super) static ROWS: &[Scenario] =
    &[
        Scenario {
            name: "segv",
            what: "a program that dereferences a null pointer",
            cause: Cause::Script(include_str!("../../causes/segv.sh")),
            expects: &[Expect::record("program.crash", "guest-crash").with(&[
                ("/program_crash/signal", Is::Number(11)),
                ("/program_crash/code", Is::Number(1)),
                ("/program_crash/address", Is::There),
                ("/program_crash/executable", Is::There),
                ("/program_crash/frames", Is::There),
                ("/context/comm", Is::Text("guest-crash")),
            ])],
            is_quick: true,
            ..ROW
        },
        Scenario {
            name: "core-dump",
            what: "a program that dumps core",
            cause: Cause::Script(include_str!("../../causes/core-dump.sh")),
            expects: &[Expect::record("program.crash", "guest-dump")
                .with(&[("/program_crash/signal", Is::Number(11))])],
            ..ROW
        },
        Scenario {
            name: "memcg-oom",
            what: "a program that eats more memory than its cgroup may have",
            cause: Cause::Script(include_str!("../../causes/memcg-oom.sh")),
            expects: &[Expect::record("memory.oom_kill", "tail").with(&[
                ("/oom_kill/victim_comm", Is::Text("tail")),
                ("/oom_kill/victim_pid", Is::There),
                ("/oom_kill/constraint", Is::Text("memcg")),
                ("/oom_kill/limit_cgroup", Is::There),
                ("/oom_kill/victim_cgroup", Is::There),
            ])],
            is_quick: true,
            ..ROW
        },
        Scenario {
            name: "oom",
            what: "a program that eats all memory",
            cause: Cause::Script(include_str!("../../causes/oom.sh")),
            expects: &[Expect::record("memory.oom_kill", "tail")
                .with(&[("/oom_kill/victim_comm", Is::Text("tail"))])],
            ..ROW
        },
        Scenario {
            name: "mce-corrected",
            what: "a corrected memory error, by mce-inject",
            cause: Cause::Script(include_str!("../../causes/mce-corrected.sh")),
            expects: &[Expect::record(
                "hardware.machine_check",
                "memory controller read error, channel 1",
            )
            .with(&[
                ("/machine_check/bank", Is::Number(7)),
                ("/machine_check/outcome", Is::Text("corrected")),
            ])],
            is_quick: true,
            ..ROW
        },
        Scenario {
            name: "mc-event",
            what: "a corrected error that a memory controller reports, by the core of EDAC",
            cause: Cause::Code(code::mc_event),
            // It also wonders that nobody says how finely such a controller sees.
            expects: &[
                Expect::record("hardware.memory_error", "memory error")
                    .with(&[("/hardware_error/what", Is::There)]),
                Expect::record("kernel.warning", "edac_raw_mc_handle_error"),
            ],
            ..ROW
        },
        Scenario {
            name: "aer",
            what: "a malformed packet on PCI Express, by QEMU's monitor",
            cause: Cause::ScriptAndMonitor(
                include_str!("../../causes/aer.sh"),
                "pcie_aer_inject_error port1 0x40000 1 2 3 4",
            ),
            expects: &[Expect::record("hardware.pcie_error", "Malformed TLP")],
            ..ROW
        },
        Scenario {
            name: "thermal",
            what: "a thermal zone of the firmware hotter than its hot trip point",
            cause: Cause::Script(include_str!("../../causes/thermal.sh")),
            expects: &[Expect::record("hardware.thermal", "")],
            ..ROW
        },
        Scenario {
            name: "netdev-timeout",
            what: "a network card that sends nothing, because it may not read memory",
            cause: Cause::Script(include_str!("../../causes/netdev-timeout.sh")),
            modules: &["pcnet32"],
            expects: &[Expect::record("network.timeout", "pcnet32")],
            ..ROW
        },
        Scenario {
            name: "module-taint",
            what: "a module without a signature",
            cause: Cause::Code(code::nothing),
            expects: &[Expect::record("kernel.module_taint", "taints the kernel")],
            ..ROW
        },
        Scenario {
            name: "user-tracepoint",
            what: "a signal that a probe of the administrator's own is after",
            cause: Cause::Script(include_str!("../../causes/user-tracepoint.sh")),
            expects: &[Expect::record("guest.signal", "signal 40 was sent")
                .with(&[("/kernel_event/tracepoint", Is::Text("signal:signal_generate"))])],
            ..ROW
        },
        Scenario {
            name: "memory-failure",
            what: "a page that is said to be broken, by hwpoison-inject",
            cause: Cause::Script(include_str!("../../causes/memory-failure.sh")),
            modules: &["hwpoison_inject"],
            expects: &[Expect::record("hardware.memory_failure", "memory failure")],
            ..ROW
        },
        Scenario {
            name: "ext4-error",
            what: "a file system with garbage in its table of inodes",
            cause: Cause::Script(include_str!("../../causes/ext4-error.sh")),
            modules: &["loop"],
            expects: &[Expect::record("storage.filesystem_error", "EXT4-fs error|ext4")],
            ..ROW
        },
        Scenario {
            name: "io-error",
            what: "a disk with a sector that cannot be read, by scsi_debug",
            cause: Cause::Script(include_str!("../../causes/io-error.sh")),
            modules: &["sd_mod", "scsi_debug"],
            // It is read ahead first, and once more when that has failed: two errors.
            expects: &[
                Expect::record("storage.block_error", "critical medium error"),
                Expect::record("storage.block_error", "critical medium error"),
            ],
            ..ROW
        },
    ];

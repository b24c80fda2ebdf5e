//! Every scenario: one row each.

use super::{Boot, Cause, Expect, Scenario, Series, code};
use crate::vm::expect::{Field, Is};

/// A row's defaults.
const ROW: Scenario = Scenario {
    name: "",
    what: "",
    boot: Boot::Plain,
    cause: Cause::Script(""),
    modules: &[],
    is_fatal: false,
    expects: &[],
    beside: &[],
    impossible: &[],
    is_quick: false,
};

/// A report of the kernel that says where.
const PLACED: &[Field] = &[
    ("/kernel_report/function", Is::There),
    ("/kernel_report/traces", Is::There),
];

/// The same of what `insmod` was doing.
const BY_INSMOD: &[Field] = &[
    ("/kernel_report/function", Is::There),
    ("/kernel_report/traces", Is::There),
    ("/kernel_report/comm", Is::Text("insmod")),
];

/// The scenarios, in an order in which one boot can have them and each shows: what ends a boot comes first, then what
/// nothing dies of. The kernel tells of a failed allocation once in 10 s.
pub(crate) static SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "panic-ramoops",
        what: "a panic, read back from ramoops after the reboot",
        cause: Cause::Script(include_str!("../causes/panic.sh")),
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
            include_str!("../causes/nothing.sh"),
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
    Scenario {
        name: "segv",
        what: "a program that dereferences a null pointer",
        cause: Cause::Script(include_str!("../causes/segv.sh")),
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
        cause: Cause::Script(include_str!("../causes/core-dump.sh")),
        expects: &[
            Expect::record("program.crash", "guest-dump").with(&[("/program_crash/signal", Is::Number(11))])
        ],
        ..ROW
    },
    Scenario {
        name: "memcg-oom",
        what: "a program that eats more memory than its cgroup may have",
        cause: Cause::Script(include_str!("../causes/memcg-oom.sh")),
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
        cause: Cause::Script(include_str!("../causes/oom.sh")),
        expects: &[
            Expect::record("memory.oom_kill", "tail").with(&[("/oom_kill/victim_comm", Is::Text("tail"))])
        ],
        ..ROW
    },
    Scenario {
        name: "mce-corrected",
        what: "a corrected memory error, by mce-inject",
        cause: Cause::Script(include_str!("../causes/mce-corrected.sh")),
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
            include_str!("../causes/aer.sh"),
            "pcie_aer_inject_error port1 0x40000 1 2 3 4",
        ),
        expects: &[Expect::record("hardware.pcie_error", "Malformed TLP")],
        ..ROW
    },
    Scenario {
        name: "thermal",
        what: "a thermal zone of the firmware hotter than its hot trip point",
        cause: Cause::Script(include_str!("../causes/thermal.sh")),
        expects: &[Expect::record("hardware.thermal", "")],
        ..ROW
    },
    Scenario {
        name: "netdev-timeout",
        what: "a network card that sends nothing, because it may not read memory",
        cause: Cause::Script(include_str!("../causes/netdev-timeout.sh")),
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
        cause: Cause::Script(include_str!("../causes/user-tracepoint.sh")),
        expects: &[Expect::record("guest.signal", "signal 40 was sent")
            .with(&[("/kernel_event/tracepoint", Is::Text("signal:signal_generate"))])],
        ..ROW
    },
    Scenario {
        name: "memory-failure",
        what: "a page that is said to be broken, by hwpoison-inject",
        cause: Cause::Script(include_str!("../causes/memory-failure.sh")),
        modules: &["hwpoison_inject"],
        expects: &[Expect::record("hardware.memory_failure", "memory failure")],
        ..ROW
    },
    Scenario {
        name: "ext4-error",
        what: "a file system with garbage in its table of inodes",
        cause: Cause::Script(include_str!("../causes/ext4-error.sh")),
        modules: &["loop"],
        expects: &[Expect::record("storage.filesystem_error", "EXT4-fs error|ext4")],
        ..ROW
    },
    Scenario {
        name: "io-error",
        what: "a disk with a sector that cannot be read, by scsi_debug",
        cause: Cause::Script(include_str!("../causes/io-error.sh")),
        modules: &["sd_mod", "scsi_debug"],
        // It is read ahead first, and once more when that has failed: two errors.
        expects: &[
            Expect::record("storage.block_error", "critical medium error"),
            Expect::record("storage.block_error", "critical medium error"),
        ],
        ..ROW
    },
    Scenario {
        name: "vmalloc",
        what: "an allocation of more memory than the machine has",
        cause: Cause::Code(code::vmalloc),
        ..ROW
    },
    Scenario {
        name: "hung-task",
        what: "a task that waits for a file system that is frozen",
        cause: Cause::Script(include_str!("../causes/hung-task.sh")),
        modules: &["loop"],
        expects: &[Expect::record("kernel.hung_task", "task hung in").with(PLACED)],
        ..ROW
    },
    Scenario {
        name: "page-alloc",
        what: "free memory that is too small or in pieces",
        cause: Cause::Code(code::page_alloc),
        expects: &[Expect::record("memory.alloc_failure", "page allocation failure in").with(PLACED)],
        ..ROW
    },
    Scenario {
        name: "atomic",
        what: "a function that sleeps with a spinlock held",
        cause: Cause::Code(code::atomic),
        ..ROW
    },
    Scenario {
        name: "warn",
        what: "a function that returns with interrupts off",
        cause: Cause::Code(code::warn),
        expects: &[Expect::record("kernel.warning", "WARNING in").with(BY_INSMOD)],
        ..ROW
    },
    Scenario {
        name: "refcount",
        what: "a reference count below zero",
        cause: Cause::Code(code::refcount),
        ..ROW
    },
    Scenario {
        name: "free-irq",
        what: "an interrupt given back that nobody has",
        cause: Cause::Code(code::free_irq_in_time),
        ..ROW
    },
    Scenario {
        name: "two-cpus-interleaved",
        what: "warnings of two CPUs at the same moment",
        cause: Cause::CodeAndScript(
            code::vfree_in_time,
            include_str!("../causes/two-cpus-interleaved.sh"),
        ),
        expects: &[
            Expect::record("kernel.warning", "WARNING in free_irq"),
            // Who called vfree(): the module, which is another one on each kernel.
            Expect::record("kernel.warning", "WARNING in"),
        ],
        ..ROW
    },
    Scenario {
        name: "storm",
        what: "10,000 warnings",
        cause: Cause::CodeAndScript(code::storm, include_str!("../causes/storm.sh")),
        // The ring does not hold as much as is printed while the agent reads.
        expects: &[Expect::record("kernel.warning", "WARNING|lines of its text were lost").times(10_000)],
        ..ROW
    },
    Scenario {
        name: "kfence",
        what: "a use of memory that was freed, found by KFENCE",
        cause: Cause::CodeAndScript(code::kfence, include_str!("../causes/kfence.sh")),
        impossible: &[
            (Series::V5_10, "this kernel has no KFENCE"),
            (Series::V6_1, "this kernel has no KFENCE"),
        ],
        ..ROW
    },
    Scenario {
        name: "soft-lockup",
        what: "a CPU that makes no progress for some seconds",
        cause: Cause::CodeAndScript(code::soft_lockup, include_str!("../causes/soft-lockup.sh")),
        expects: &[Expect::record("kernel.lockup", "soft lockup in").with(BY_INSMOD)],
        is_quick: true,
        ..ROW
    },
    Scenario {
        name: "hard-lockup",
        what: "a CPU that has its interrupts off for longer",
        cause: Cause::CodeAndScript(code::soft_lockup, include_str!("../causes/hard-lockup.sh")),
        expects: &[Expect::record("kernel.lockup", "hard LOCKUP")],
        ..ROW
    },
    Scenario {
        name: "rcu-stall",
        what: "a CPU that has its interrupts off for some seconds",
        cause: Cause::CodeAndScript(code::rcu_stall, include_str!("../causes/rcu-stall.sh")),
        expects: &[Expect::record("kernel.rcu_stall", "stall in").with(PLACED)],
        ..ROW
    },
    Scenario {
        name: "oops",
        what: "a null pointer dereference in the kernel",
        cause: Cause::Code(code::oops),
        expects: &[Expect::record("kernel.oops", "NULL pointer dereference in").with(BY_INSMOD)],
        is_quick: true,
        ..ROW
    },
    Scenario {
        name: "bug",
        what: "an undefined instruction in the kernel",
        cause: Cause::Code(code::bug),
        expects: &[Expect::record("kernel.oops", "invalid opcode in").with(BY_INSMOD)],
        is_quick: true,
        ..ROW
    },
    Scenario {
        name: "gpf",
        what: "an access to an address that no pointer can have",
        cause: Cause::Code(code::gpf),
        expects: &[Expect::record("kernel.oops", "general protection fault in").with(BY_INSMOD)],
        ..ROW
    },
    Scenario {
        name: "bad-address",
        what: "an access to an address where nothing is",
        cause: Cause::Code(code::bad_address),
        ..ROW
    },
    Scenario {
        name: "divide",
        what: "a division by zero",
        cause: Cause::Code(code::divide),
        ..ROW
    },
    Scenario {
        name: "null-call",
        what: "a call of a null pointer",
        cause: Cause::Code(code::null_call),
        ..ROW
    },
    Scenario {
        name: "exec-data",
        what: "a jump to data",
        cause: Cause::Code(code::exec_data),
        ..ROW
    },
    Scenario {
        name: "list",
        what: "a list whose neighbours do not point at each other",
        cause: Cause::Code(code::list),
        ..ROW
    },
    Scenario {
        name: "usercopy",
        what: "a copy from beyond the end of the stack to a program",
        cause: Cause::Code(code::usercopy),
        ..ROW
    },
    Scenario {
        name: "double-free",
        what: "memory that is freed twice",
        cause: Cause::Code(code::double_free),
        ..ROW
    },
    Scenario {
        name: "bert",
        what: "errors that the firmware noted in the boot before",
        boot: Boot::Bert,
        cause: Cause::Script(include_str!("../causes/nothing.sh")),
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
        name: "panic-netconsole",
        what: "a panic that only the network console tells of",
        boot: Boot::Netconsole,
        cause: Cause::Script(include_str!("../causes/panic-netconsole.sh")),
        modules: &["netconsole"],
        is_fatal: true,
        expects: &[Expect::record("kernel.panic", "sysrq triggered crash")
            .with(&[("/hook/name", Is::Text("netconsole"))])],
        ..ROW
    },
    Scenario {
        name: "no-btf",
        what: "an oops and a crash where the kernel's type information cannot be read",
        boot: Boot::NoBtf,
        cause: Cause::CodeAndScript(code::oops, include_str!("../causes/crash-and-oops.sh")),
        expects: &[
            Expect::record("program.crash", "guest-crash"),
            Expect::record("kernel.oops", "NULL pointer dereference"),
        ],
        ..ROW
    },
    Scenario {
        name: "no-tracefs",
        what: "an oops and a crash where tracefs is not mounted and the agent may not mount it",
        boot: Boot::NoTracefs,
        cause: Cause::CodeAndScript(code::oops, include_str!("../causes/crash-and-oops.sh")),
        expects: &[
            Expect::record("program.crash", "guest-crash"),
            Expect::record("kernel.oops", "NULL pointer dereference"),
        ],
        ..ROW
    },
    Scenario {
        name: "lockdown",
        what: "an OOM kill where the kernel is locked down for confidentiality",
        boot: Boot::Lockdown,
        cause: Cause::Script(include_str!("../causes/crash-and-oom.sh")),
        expects: &[Expect::record("memory.oom_kill", "tail")],
        ..ROW
    },
];

//! What the kernel prints reports of.

use super::{BY_INSMOD, Cause, Expect, PLACED, ROW, Scenario, Series, code};

pub(super) static ROWS: &[Scenario] = &[
    Scenario {
        name: "vmalloc",
        what: "an allocation of more memory than the machine has",
        cause: Cause::Code(code::vmalloc),
        ..ROW
    },
    Scenario {
        name: "hung-task",
        what: "a task that waits for a file system that is frozen",
        cause: Cause::Script(include_str!("../../causes/hung-task.sh")),
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
            include_str!("../../causes/two-cpus-interleaved.sh"),
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
        cause: Cause::CodeAndScript(code::storm, include_str!("../../causes/storm.sh")),
        // The ring does not hold as much as is printed while the agent reads.
        expects: &[Expect::record("kernel.warning", "WARNING|lines of its text were lost").times(10_000)],
        ..ROW
    },
    Scenario {
        name: "kfence",
        what: "a use of memory that was freed, found by KFENCE",
        cause: Cause::CodeAndScript(code::kfence, include_str!("../../causes/kfence.sh")),
        impossible: &[
            (Series::V5_10, "this kernel has no KFENCE"),
            (Series::V6_1, "this kernel has no KFENCE"),
        ],
        ..ROW
    },
    Scenario {
        name: "soft-lockup",
        what: "a CPU that makes no progress for some seconds",
        cause: Cause::CodeAndScript(code::soft_lockup, include_str!("../../causes/soft-lockup.sh")),
        expects: &[Expect::record("kernel.lockup", "soft lockup in").with(BY_INSMOD)],
        is_quick: true,
        ..ROW
    },
    Scenario {
        name: "hard-lockup",
        what: "a CPU that has its interrupts off for longer",
        cause: Cause::CodeAndScript(code::soft_lockup, include_str!("../../causes/hard-lockup.sh")),
        expects: &[Expect::record("kernel.lockup", "hard LOCKUP")],
        ..ROW
    },
    Scenario {
        name: "rcu-stall",
        what: "a CPU that has its interrupts off for some seconds",
        cause: Cause::CodeAndScript(code::rcu_stall, include_str!("../../causes/rcu-stall.sh")),
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
];

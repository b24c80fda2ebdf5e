//! What a kernel report says, as values.

#[macro_use]
mod names;

mod choice;
mod damage;
mod locks;
mod machine;
mod memory;
mod part;
mod stall;
mod taint;
mod trace;

pub use choice::{Choice, Origin, Passed, Reason, SkipRule};
pub use damage::{Missing, Sign};
pub use locks::{HeldLocks, Lock, LockConflict};
pub use machine::{Access, AccessMode, Code, Hardware, Module, Oops, Register};
pub use memory::{Allocation, MemoryObject, OomKill, Place, Victim};
pub use part::{Part, PartKind};
pub use stall::Stall;
pub use taint::{Taint, TaintFlag};
pub use trace::{CallTrace, Frame, StackContext, TraceKind};

use crate::{Class, ReportKind, Severity};

/// A kernel report, parsed. What was not printed is `None` or empty.
///
/// ```
/// use faults::report::{AccessMode, TraceKind};
///
/// let report = faults::parse(
///     "BUG: KASAN: slab-use-after-free in example_read+0x10/0x20 [example]\n\
///      Read of size 8 at addr ffff888000000048 by task sh/77\n\
///      CPU: 1 UID: 0 PID: 77 Comm: sh Not tainted 6.12.0 #1 PREEMPT(full)\n\
///      Call Trace:\n <TASK>\n example_read+0x10/0x20 [example]\n vfs_read+0xf8/0x450\n </TASK>\n\
///      Allocated by task 70:\n example_open+0x20/0x40 [example]\n\
///      Freed by task 71:\n example_close+0x20/0x40 [example]\n\
///      The buggy address belongs to the object at ffff888000000040\n which belongs to the cache kmalloc-64 of size 64\n",
/// )
/// .unwrap();
/// assert_eq!(report.preemption.as_deref(), Some("PREEMPT(full)"));
/// let access = report.access.as_ref().unwrap();
/// assert_eq!((access.mode, access.size), (Some(AccessMode::Read), Some(8)));
/// assert_eq!(report.object.as_ref().unwrap().cache.as_deref(), Some("kmalloc-64"));
/// let freed = report.trace(TraceKind::Freed).unwrap();
/// assert_eq!((freed.pid, freed.frames[0].function.as_str()), (Some(71), "example_close"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct KernelReport {
    /// The form of the report.
    pub kind: ReportKind,
    /// The sort of fault.
    pub class: Class,
    /// How bad it is.
    pub severity: Severity,
    /// One line in syzbot's convention, at most 120 bytes, without addresses, pids and counts.
    pub title: String,
    /// Other titles under which the same fault may be known.
    pub alt_titles: Vec<String>,
    /// The function at fault, compiler suffixes removed.
    pub function: Option<String>,
    /// The module that function is in.
    pub module: Option<String>,
    /// Why that function.
    pub choice: Option<Choice>,
    /// The stacks in the order they were printed.
    pub traces: Vec<CallTrace>,
    /// Registers of the kernel's context.
    pub registers: Vec<Register>,
    /// The machine code around the instruction pointer of the kernel.
    pub code: Option<Code>,
    /// The memory access that failed.
    pub access: Option<Access>,
    /// The object in memory that the access hit or missed.
    pub object: Option<MemoryObject>,
    /// The CPU that reported.
    pub cpu: Option<u32>,
    /// The task that was running (for a hung task: the one that hangs; for an OOM kill: the victim).
    pub pid: Option<u32>,
    /// The name of that task.
    pub comm: Option<String>,
    /// The effective user of the task that was running (printed since 6.10).
    pub uid: Option<u32>,
    /// The work queue and the function of the work that was running: `events work_fn`.
    pub workqueue: Option<String>,
    /// `uname -r`.
    pub kernel_release: Option<String>,
    /// What is printed behind the release: the build (`#1`) and, in some distributions, the version of the package.
    pub kernel_build: Option<String>,
    /// The build id of the kernel, where it is printed (`CONFIG_STACKTRACE_BUILD_ID`): 40 hexadecimal digits.
    pub kernel_build_id: Option<String>,
    /// The model of preemption as printed: `PREEMPT(lazy)`, `PREEMPT_RT`, `PREEMPT`, ...
    pub preemption: Option<String>,
    /// The first line of a death.
    pub oops: Option<Oops>,
    /// What tainted the kernel.
    pub taint: Option<Taint>,
    /// The machine.
    pub hardware: Option<Hardware>,
    /// Names in `Modules linked in:`.
    pub modules: Vec<Module>,
    /// The module that was unloaded last.
    pub last_unloaded: Option<String>,
    /// The locks that tasks held.
    pub held_locks: Vec<HeldLocks>,
    /// The lock that was asked for and the one that was held.
    pub lock_conflict: Option<LockConflict>,
    /// What did not go on, and for how long.
    pub stall: Option<Stall>,
    /// The allocation that failed or called for the out-of-memory killer.
    pub allocation: Option<Allocation>,
    /// What the out-of-memory killer did.
    pub oom: Option<OomKill>,
    /// Lines are missing or mixed with others, so that the function at fault may be wrong or cannot be told.
    pub corrupted: bool,
    /// Something that belongs to the report was cut off or limits were reached.
    pub truncated: bool,
    /// What is missing, and how that shows.
    pub missing: Vec<Missing>,
    /// The parts of the text in the order they are in it; only [`PartKind::Guilty`] lies inside of another.
    pub parts: Vec<Part>,
}

impl KernelReport {
    /// The first stack of a kind: where the fault was found, where the memory was freed, ...
    pub fn trace(&self, kind: TraceKind) -> Option<&CallTrace> {
        self.traces.iter().find(|trace| trace.kind == kind)
    }
}

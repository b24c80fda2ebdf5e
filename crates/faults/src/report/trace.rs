//! Stacks and their frames.

/// One call frame as the kernel printed it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Frame {
    /// The symbol, with the compiler's suffixes (`.isra.0`, `.constprop.1`, ...) as printed.
    pub function: String,
    /// Bytes from the start of the function; absent when not printed (inlined frames, scrubbed logs).
    pub offset: Option<u64>,
    /// Length of the function in bytes.
    pub size: Option<u64>,
    /// The module the function is in; absent for the kernel image.
    pub module: Option<String>,
    /// The build id of the module, when printed behind its name (`CONFIG_STACKTRACE_BUILD_ID`): 40 hexadecimal digits.
    pub build_id: Option<String>,
    /// False when the kernel marked the frame with `?`: an address found on the stack that may be stale.
    pub reliable: bool,
    /// True when this is where the instruction pointer was (`RIP:`, `pc :`); the offsets of all others are those to which
    /// calls return.
    pub pointer: bool,
    /// True when a symboliser marked the frame `[inline]`.
    pub inlined: bool,
    /// `file:line` when it was printed.
    pub location: Option<String>,
    /// The stack that the frame was on, when the kernel marked it (`<IRQ>`).
    pub context: Option<StackContext>,
}

/// One stack of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct CallTrace {
    /// What the stack is of.
    pub kind: TraceKind,
    /// The line before the stack without the colon: `Call Trace`, `Allocated by task 77`, `Freed by task 77`, ...
    pub label: String,
    /// The task that the label names.
    pub pid: Option<u32>,
    /// The CPU that the label, or the line that announces the stack, names.
    pub cpu: Option<u32>,
    /// Innermost first.
    pub frames: Vec<Frame>,
}

impl CallTrace {
    /// A stack without frames.
    pub fn new(kind: TraceKind, label: &str) -> Self {
        Self {
            kind,
            label: label.to_owned(),
            pid: None,
            cpu: None,
            frames: Vec::new(),
        }
    }
}

names! {
    /// What a stack is of.
    TraceKind {
        /// Where the fault was found.
        Fault = "fault": "where the fault was found",
        /// What another CPU did at that time.
        OtherCpu = "other_cpu": "what another CPU did",
        /// What another task did at that time.
        OtherTask = "other_task": "what another task did",
        /// One of the accesses that race.
        Racing = "racing": "one of the accesses that race",
        /// Where the memory was allocated.
        Allocated = "allocated": "where the memory was allocated",
        /// Where the memory was freed.
        Freed = "freed": "where the memory was freed",
        /// Where the page was allocated last.
        PageAllocated = "page_allocated": "where the page was allocated last",
        /// Where the page was freed last.
        PageFreed = "page_freed": "where the page was freed last",
        /// The last work or RCU callback that was made for the memory.
        RelatedWork = "related_work": "the last work or callback made for the memory",
        /// The one before that.
        EarlierRelatedWork = "earlier_related_work": "the last but one work or callback made for the memory",
        /// Where a value that was never set was made.
        UninitCreated = "uninit_created": "where the value that was never set was made",
        /// Where a value that was never set was copied to.
        UninitStored = "uninit_stored": "where the value that was never set was copied",
        /// How a lock was taken that is a part of a deadlock.
        LockTaken = "lock_taken": "how a lock of the deadlock was taken",
        /// Where the memory that leaked was allocated.
        Leaked = "leaked": "where the memory that leaked was allocated",
        /// Any other.
        Other = "other": "another stack",
    }
}

names! {
    /// The stack that a frame was on: the names between `<` and `>` (`arch/x86/kernel/dumpstack_64.c` and
    /// `dumpstack_32.c`, `stack_type_name`).
    StackContext {
        /// `<TASK>`.
        Task = "task": "the task's own stack",
        /// `<IRQ>`.
        Irq = "irq": "an interrupt",
        /// `<SOFTIRQ>`.
        Softirq = "softirq": "a soft interrupt",
        /// `<NMI>`.
        Nmi = "nmi": "a non-maskable interrupt",
        /// `<#DF>`.
        DoubleFault = "double_fault": "a double fault",
        /// `<#DB>`.
        Debug = "debug": "a debug exception",
        /// `<#MC>`.
        MachineCheck = "machine_check": "a machine check",
        /// `<#VC>` and `<#VC2>`.
        Vmm = "vmm": "a VMM communication exception",
        /// `<ENTRY_TRAMPOLINE>` and `<SYSENTER>`.
        Entry = "entry": "the entry stack",
    }
}

//! Why a function is named as the one at fault.

/// Why a function is named as the one at fault.
///
/// ```
/// use faults::report::{Origin, Reason, SkipRule};
///
/// let report = faults::parse(
///     "BUG: KASAN: slab-use-after-free in memcmp+0x1/0x2\nRead of size 8 at addr ffff888000000000 by task a/77\n\
///      Call Trace:\n ? stale+0x1/0x2\n memcmp+0x1/0x2\n example_find+0x3/0x4\n",
/// )
/// .unwrap();
/// let choice = report.choice.unwrap();
/// assert_eq!(report.function.as_deref(), Some("example_find"));
/// assert_eq!((choice.origin, choice.reason), (Origin::FirstStack, Reason::FirstLeft));
/// assert_eq!((choice.trace, choice.frame), (Some(0), Some(2)));
/// assert_eq!((choice.passed[0].function.as_str(), choice.passed[0].rule), ("memcmp", SkipRule::Helper));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Choice {
    /// Where the frame was taken from.
    pub origin: Origin,
    /// What made it the one.
    pub reason: Reason,
    /// Index of its stack in [`crate::KernelReport::traces`]; `None` when it is in none of them.
    pub trace: Option<usize>,
    /// Index of the frame in that stack.
    pub frame: Option<usize>,
    /// The frames that came before it and were passed over, at most [`Choice::PASSED_MAX`].
    pub passed: Vec<Passed>,
}

impl Choice {
    /// Frames listed in [`Choice::passed`].
    pub const PASSED_MAX: usize = 64;
}

/// A frame that was passed over.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Passed {
    /// The symbol as printed.
    pub function: String,
    /// Why it was passed over.
    pub rule: SkipRule,
}

names! {
    /// Where the frame at fault was taken from.
    Origin {
        /// The report's head names the function.
        Head = "head": "named in the head of the report",
        /// The instruction pointer at the time of the fault.
        Pointer = "instruction_pointer": "where the instruction pointer was",
        /// The first stack of the report.
        FirstStack = "first_stack": "in the first stack",
        /// Some stack of the report: the first has nothing to name, or the report has its stacks without heads.
        AnyStack = "any_stack": "in a stack behind the head",
        /// The place where a lock was asked for (`at: function+0x1/0x2`).
        LockSite = "lock_site": "where a lock was asked for",
    }
}

names! {
    /// What made a frame the one at fault.
    Reason {
        /// The report names it and nothing else is to be weighed.
        Named = "named": "the report itself names it",
        /// The first frame that no rule passes over.
        FirstLeft = "first_left": "it is the first that no rule passes over",
        /// A stall: the last frame before the generic entry (system call, work item, thread) is what was asked for.
        BeforeEntry = "before_entry": "it is what the CPU was asked to do: generic entry code called it",
        /// A stall in a call to other CPUs, which are kept together whoever calls.
        RemoteCall = "remote_call": "it waits for other CPUs",
        /// A hang in one of a few well-known waits, which are kept together whoever calls.
        KnownWait = "known_wait": "it is a wait under which hangs are kept together",
    }
}

names! {
    /// Why a frame is passed over.
    SkipRule {
        /// `? function`: an address found on the stack that may be stale.
        Unreliable = "unreliable": "the kernel marked it with `?`: it may be stale",
        /// `[inline]`: a part of the function that follows.
        Inlined = "inlined": "it is inlined into the next frame",
        /// It prints the report, or it is the exception through which the report comes.
        Reporting = "reporting": "it reports faults",
        /// It checks, allocates, locks, copies, compares or waits for its caller.
        Helper = "helper": "it is a helper of its caller",
        /// A helper where this form of report is concerned.
        Format = "format": "in this form of report it is a helper",
        /// A part of the tick or the watchdog that found the stall.
        Detector = "detector": "it is a part of what found the stall",
        /// Where a stalled CPU happened to be; what it was asked to do is a caller of it.
        Callee = "callee": "the CPU only happened to be in it",
        /// Generic code that hands over what a task or a CPU is to do.
        Entry = "entry": "it is generic entry code",
        /// It only waits.
        Wait = "wait": "it only waits",
    }
}

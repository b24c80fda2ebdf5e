//! Where in the text the parts of a report are.

use std::ops::Range;

/// A part of a report's text.
///
/// ```
/// use faults::report::PartKind;
///
/// let text = "divide error: 0000 [#1] SMP\nRIP: 0010:example+0x1/0x2\nCode: 31 d2 <f7> f6\nCall Trace:\n caller+0x1/0x2\n";
/// let report = faults::parse(text).unwrap();
/// let guilty = report.parts.iter().find(|part| part.kind == PartKind::Guilty).unwrap();
/// assert_eq!(&text[guilty.range.clone()], "RIP: 0010:example+0x1/0x2");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Part {
    /// What it is.
    pub kind: PartKind,
    /// Bytes of the text that was parsed, whole lines without the last line end; on character boundaries.
    pub range: Range<usize>,
    /// Index in [`crate::KernelReport::traces`] when it is a stack.
    pub trace: Option<usize>,
}

names! {
    /// What a part of a report's text is.
    PartKind {
        /// The lines that say what happened.
        Head = "head": "what happened",
        /// A line with the task, the CPU, the kernel or the machine.
        Context = "context": "task, kernel and machine",
        /// Modules that were loaded.
        Modules = "modules": "loaded modules",
        /// What is said of the access that failed.
        Access = "access": "the access that failed",
        /// Registers.
        Registers = "registers": "registers",
        /// Machine code.
        Code = "code": "machine code",
        /// Words of the stack's memory.
        StackDump = "stack_dump": "the stack's memory",
        /// A stack with its head.
        Trace = "trace": "a stack",
        /// The frame that the fault is named after; it lies inside of a stack or is the instruction pointer's line.
        Guilty = "guilty": "the frame at fault",
        /// What RCU says about a stall.
        Stall = "stall": "what stalls",
        /// Locks that are held or wanted.
        Locks = "locks": "locks",
        /// What is known of memory: objects, pages, the state around an address, the state of the memory manager.
        Memory = "memory": "memory",
        /// The end marker.
        End = "end": "the end marker",
        /// The panic that the report ends in.
        Panic = "panic": "the panic",
    }
}

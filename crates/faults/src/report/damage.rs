//! What a report lacks.

/// Something that a report of its form has and this one lacks.
///
/// ```
/// use faults::report::{Missing, Sign};
///
/// let report = faults::parse("BUG: kernel NULL pointer dereference, address: 0000000000000008\n").unwrap();
/// assert!(report.corrupted && report.truncated);
/// assert!(report.missing.iter().any(|missing| missing.sign == Sign::Stack));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Missing {
    /// What is missing.
    pub sign: Sign,
    /// How it shows, in a sentence.
    pub why: &'static str,
}

impl From<Sign> for Missing {
    fn from(sign: Sign) -> Self {
        Self {
            sign,
            why: sign.meaning(),
        }
    }
}

names! {
    /// A sign that a report is not whole.
    Sign {
        /// The report proper.
        Beginning = "beginning": "The line is the last of a report whose beginning is not there.",
        /// A function to name the fault after.
        Function = "function": "No frame could be chosen: all were passed over, or there is none.",
        /// Any stack.
        Stack = "stack": "No frame follows the head.",
        /// The head of a stack.
        StackHead = "stack_head": "A few frames are there, but neither the head of a stack nor enough of them to be one.",
        /// Frames of a stack.
        Frames = "frames": "The head of a stack is there, but no frame follows it.",
        /// The stack that belongs to the head.
        OwnStack = "own_stack": "The stack is the fault injector's, that of another report, or only of functions that print a report.",
        /// Where a value that was never set comes from.
        Origin = "origin": "The report does not say where the value that was never set was made.",
        /// What the stalled CPU did.
        StalledStack = "stalled_stack": "The stack is that of a task that sleeps: what the stalled CPU did is not known.",
        /// The lines between the head and the stack.
        Body = "body": "Another report begins before the first frame.",
        /// Lines that the kernel did not print.
        Lines = "lines": "The kernel says that it dropped messages.",
        /// The last stack.
        LastStack = "last_stack": "The text ends with the head of a stack, or within one.",
        /// The end marker.
        End = "end": "The kernel died, but neither the end marker nor a panic follows.",
    }
}

impl Sign {
    /// The function at fault may be wrong or cannot be told.
    pub const fn corrupts(self) -> bool {
        !matches!(self, Self::LastStack | Self::End)
    }

    /// The end was cut off.
    pub const fn truncates(self) -> bool {
        matches!(self, Self::Stack | Self::LastStack | Self::End)
    }
}

//! What a line means for the bounds of a report.

use crate::parse::scan::{self, What};
use crate::tables::formats::Head;
use crate::tables::heads;

/// What a line means for the bounds of a report.
#[derive(Debug, Clone, Copy)]
pub(super) enum Mark {
    /// `------------[ cut here ]------------`: a head follows.
    Cut,
    /// The head of a report, or of a part of one.
    Head(&'static Head),
    /// The first line of a message about a device.
    Message(&'static Head),
    /// `Kernel panic - not syncing: ...`.
    Panic(&'static Head),
    /// A stack begins.
    Stack,
    /// A frame of a stack, or the instruction pointer.
    Frame,
    /// The last line of a report; registers or a panic may follow.
    End,
    /// A line that other CPUs are asked for their stacks.
    AskOthers,
    /// A line that only reports have.
    Body,
    /// Anything else.
    Other,
}

/// Beginnings of lines that only reports have.
const BODY: [&str; 47] = [
    "CPU: ",
    "Hardware name:",
    "Modules linked in:",
    "Code: ",
    "RSP: ",
    "RAX: ",
    "RDX: ",
    "RBP: ",
    "R10: ",
    "R13: ",
    "FS: ",
    "CS: ",
    "CR2: ",
    "DR0: ",
    "DR3: ",
    "PKRU:",
    "RIP: ",
    "<TASK>",
    "</TASK>",
    "<IRQ>",
    "</IRQ>",
    "<NMI>",
    "</NMI>",
    "Tainted: ",
    "Workqueue: ",
    "irq event stamp",
    "hardirqs last",
    "softirqs last",
    "Read of size",
    "Write of size",
    "The buggy address",
    "Memory state around",
    "page:",
    "raw: ",
    "flags: ",
    "note: ",
    "other info",
    "Possible unsafe",
    "stack backtrace",
    "locks held by",
    "#0: ",
    "#1: ",
    "Kernel Offset",
    "Rebooting in",
    "Mem-Info:",
    "Node ",
    "Sending NMI",
];

/// Beginnings of the last line of a report.
const ENDS: [&str; 4] = [
    "---[ end trace",
    "Out of memory: Kill",
    "Memory cgroup out of memory: Kill",
    "---[ end Kernel panic",
];

impl Mark {
    pub(super) fn of(text: &str) -> Self {
        let trimmed = text.trim_start();
        if let Some(what) = scan::item(text) {
            return match what {
                What::Stack(_) => Self::Stack,
                What::Frame(_) => Self::Frame,
                What::Pointer(_) => Self::Body,
            };
        }
        if ENDS.iter().any(|end| trimmed.starts_with(end)) {
            return Self::End;
        }
        if trimmed.starts_with("-----") && trimmed.contains("[ cut here ]") {
            return Self::Cut;
        }
        if let Some(head) = heads::find(text) {
            return if head.is_message() {
                Self::Message(head)
            } else if head.needle.starts_with("Kernel panic") {
                Self::Panic(head)
            } else {
                Self::Head(head)
            };
        }
        if trimmed.starts_with("Sending NMI from") || trimmed.starts_with("Sending NMI to") {
            return Self::AskOthers;
        }
        if BODY.iter().any(|start| trimmed.starts_with(start)) || text.contains("[Hardware Error]:") {
            return Self::Body;
        }
        Self::Other
    }
}

//! What a tracepoint's record means.

use faults::{Class, ReportKind, Severity, hardware::HardwareError};

/// What a record means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The sort of fault.
    pub class: Class,
    /// How bad it is.
    pub severity: Severity,
    /// One line for people, at most 256 bytes. Records are grouped by it: no address, count or name of one machine.
    pub title: String,
    /// The error of the hardware that the record tells.
    pub hardware: Option<HardwareError>,
    /// Kernel text that tells the same fault.
    pub twin: Option<Twin>,
}

/// Kernel text that tells the same fault as an event, so that it is stored once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Twin {
    /// The kinds of report that it is.
    pub kinds: &'static [ReportKind],
    /// Which of the two is stored.
    pub best: Best,
}

/// Which of an event and its text says more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Best {
    /// The event: the text is left out.
    Hook,
    /// The text: the event says who was running.
    Text,
}

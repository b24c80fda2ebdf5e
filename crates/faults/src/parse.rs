//! One report's text to a [`KernelReport`].

use crate::KernelReport;

/// Parses the text of one report. `None` when no line of it is the head of a report.
pub fn parse(text: &str) -> Option<KernelReport> {
    let _ = text;
    None
}

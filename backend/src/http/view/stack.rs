//! The stacks of a fault with files and lines, beside its text.

use askama::Template;
use proto::v1::{Fault, Record, ResolveFaultResponse};

use super::list::title;
use super::payload::{Sections, whole_href};
use super::{severity_word, trace};
use crate::http::access::Frame;

/// The page `/faults/{id}/stack`.
#[derive(Debug, Template)]
#[template(path = "stack.html")]
pub(in crate::http) struct StackPage {
    pub(in crate::http) id: String,
    pub(in crate::http) severity: &'static str,
    pub(in crate::http) title: String,
    /// Its stacks and its text, and nothing else.
    pub(in crate::http) sections: Sections,
    /// Why frames have no line.
    pub(in crate::http) problems: Vec<String>,
    pub(in crate::http) frame: Frame,
}

impl StackPage {
    pub(in crate::http) fn new(fault: &Fault, stacks: ResolveFaultResponse, frame: Frame) -> Self {
        let no_record = Record::default();
        let record = fault.record.as_ref().unwrap_or(&no_record);
        let whole = Sections::of_fault(&fault.id, record, false);
        let shown = Sections {
            traces: trace::resolved(&stacks, record),
            text: whole.text,
            text_href: whole.text_href,
            ..Sections::default()
        }
        .in_room();
        Self {
            id: fault.id.clone(),
            severity: severity_word(record.severity()),
            title: title(record),
            sections: Sections {
                whole_href: whole_href(&fault.id, shown.cut),
                ..shown
            },
            problems: stacks.problems,
            frame,
        }
    }
}

//! What a tracepoint or a controller told, value by value.

use proto::v1::{EventField, HardwareError, KernelEvent, event_field::Value};

use super::{Sections, Table};
use crate::http::view::text::{Text, hex_dump, text};
use crate::http::view::{Facts, bytes, grouped};
use crate::text::hex_digits;

/// An event of a tracepoint.
pub(super) fn kernel_event(event: &KernelEvent) -> Sections {
    let mut facts = Facts::new("Kernel event");
    facts.add_mono("Tracepoint", event.tracepoint.as_str());
    Sections {
        facts: vec![facts],
        tables: values(&event.fields).into_iter().collect(),
        ..Sections::default()
    }
}

/// An error of the hardware.
pub(super) fn hardware_error(error: &HardwareError) -> Sections {
    let mut facts = Facts::new("Hardware error");
    facts.add("What failed", error.what.as_str());
    facts.add("What to do", error.advice.as_str());
    facts.add("Part", error.part.as_str());
    facts.add("Position", error.position.as_str());
    facts.add("Processor", error.processor.as_str());
    facts.add_mono("PCI function", error.pci.as_str());
    let address = error.address.map(|address| format!("{address:#x}"));
    facts.add_mono("Address", address.unwrap_or_default());
    if error.count > 1 {
        facts.add("Errors", grouped(error.count));
    }
    facts.add_mono("Reported by", error.source.as_str());
    Sections {
        facts: vec![facts],
        tables: values(&error.fields).into_iter().collect(),
        text: text("As reported", &hex_dump(&error.raw), "", "", false).map(|dump| Text {
            size: bytes(error.raw.len() as u64),
            ..dump
        }),
        ..Sections::default()
    }
}

/// The fields as a table; `None` when there are none.
pub(super) fn values(fields: &[EventField]) -> Option<Table> {
    let rows = fields.iter().map(|field| vec![field.name.clone(), value(field)]);
    Table::new("What it says", &["Field", "Value"], rows.collect())
}

/// A value as people read it. Numbers that are addresses or masks are told by their size.
pub(in crate::http::view) fn value(field: &EventField) -> String {
    match &field.value {
        Some(Value::Unsigned(number)) if *number > u64::from(u32::MAX) => format!("{number:#x}"),
        Some(Value::Unsigned(number)) => number.to_string(),
        Some(Value::Signed(number)) => number.to_string(),
        Some(Value::Text(text)) => text.clone(),
        Some(Value::Bytes(bytes)) => hex_digits(bytes),
        None => String::new(),
    }
}

//! What the hooks of CXL have in common. `drivers/cxl/core/trace.h`, since 6.2 and 6.3.

use super::{Fields, Privacy, Record, Records, Severity, Source, Storm, Told};
use crate::catalogue::{Class, HookSpec};
use faults::cper::{Body, CxlEvent, CxlEventBody, CxlEventHeader, CxlProtocol, CxlRas};
use faults::cper::{ErrorSeverity, Guid, Raw, Section, guids};

/// A hook on a tracepoint of CXL.
pub(super) const fn hook(
    name: &'static str,
    sees: &'static str,
    attempts: &'static [Record],
    tell: fn(&Fields) -> Option<Told>,
) -> HookSpec {
    HookSpec {
        name,
        sees,
        without: "the device's own log has it (`cxl monitor`)",
        class: Class::HardwareCxlError,
        severity: Severity::High,
        storm: Storm::Configured,
        privacy: Privacy::Machine,
        source: Source::Records(Records {
            attempts,
            stack: false,
            twin: None,
            tell,
        }),
    }
}

/// A tracepoint of CXL.
pub(super) const fn record(tracepoint: &'static str, required: &'static [&'static str]) -> Record {
    Record {
        tracepoint,
        module: Some("cxl_core"),
        required,
        filter: &[],
    }
}

/// An event of a memory device.
pub(super) fn event(kind: Guid, event: CxlEventBody, fields: &Fields) -> Told {
    let header = CxlEventHeader {
        serial_number: fields.unsigned("serial"),
        flags: fields.number("hdr_flags"),
        handle: fields.number("hdr_handle"),
        related_handle: fields.number("hdr_related_handle"),
        timestamp_ns: fields.unsigned("hdr_timestamp"),
        maintenance_class: fields.number("hdr_maint_op_class"),
        ..CxlEventHeader::default()
    };
    let body = Body::CxlEvent(Box::new(CxlEvent { header, event }));
    told(&Section::of_parts(kind, body, severity_of(fields)), fields)
}

/// An error of a link.
pub(super) fn link(ras: CxlRas, severity: ErrorSeverity, fields: &Fields) -> Told {
    let error = CxlProtocol {
        serial_number: fields.unsigned("serial"),
        ras: Some(ras),
        ..CxlProtocol::default()
    };
    let body = Body::CxlProtocol(Box::new(error));
    told(&Section::of_parts(guids::CXL_PROTOCOL, body, severity), fields)
}

/// The part is the kernel's device (`mem0`, `port1`), the place the PCI function that it belongs to.
fn told(section: &Section, fields: &Fields) -> Told {
    let mut error = section.hardware_error();
    let part = fields.text("memdev").or_else(|| fields.text("device"));
    error.place.part = part.filter(|part| !part.is_empty()).map(str::to_owned);
    error.place.pci = fields.text("host").and_then(|host| host.parse().ok());
    Told::hardware(error)
}

/// `include/linux/cxl-event.h`, `enum cxl_event_log_type`: the device sorts its events by how bad they are, but counts
/// an error that it could not correct and that nobody used yet among the warnings (`CXL_GMER_EVT_DESC_UNCORECTABLE_EVENT`,
/// bit 0 of the descriptor).
pub(super) fn severity_of(fields: &Fields) -> ErrorSeverity {
    let uncorrected = fields.unsigned("descriptor").is_some_and(|bits| bits & 1 != 0);
    match fields.unsigned("log") {
        Some(3) => ErrorSeverity::Fatal,
        Some(2) => ErrorSeverity::Recoverable,
        Some(0 | 1) if uncorrected => ErrorSeverity::Recoverable,
        Some(1) => ErrorSeverity::Corrected,
        Some(0) => ErrorSeverity::Informational,
        _ => ErrorSeverity::Unknown,
    }
}

/// The address in the device with its flags in the lowest bits, as the device reports it and before the kernel parts them.
pub(super) fn device_address(fields: &Fields) -> Option<u64> {
    Some(fields.unsigned("dpa")? | fields.unsigned("dpa_flags").unwrap_or(0))
}

/// A number, when bit `bit` of `validity_flags` says that the device reports it.
pub(super) fn valid<T: TryFrom<u64>>(fields: &Fields, bit: u32, name: &str) -> Option<T> {
    is_valid(fields, bit).then(|| fields.number(name)).flatten()
}

/// The same of an array.
pub(super) fn valid_raw(fields: &Fields, bit: u32, name: &str) -> Option<Raw> {
    let bytes = is_valid(fields, bit).then(|| fields.bytes(name)).flatten()?;
    Some(Raw {
        bytes: bytes.to_vec(),
        left_off: 0,
    })
}

fn is_valid(fields: &Fields, bit: u32) -> bool {
    fields
        .unsigned("validity_flags")
        .is_some_and(|flags| flags >> bit & 1 != 0)
}

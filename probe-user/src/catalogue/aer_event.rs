//! An error of PCI Express. `include/ras/ras_event.h`; the header of the packet has 4 words, 14 since 6.16.

use super::{Best, Class, Fields, HookSpec, Privacy, Record, Records, Severity, Source, Storm, Told, Twin};
use faults::ReportKind;
use faults::aer::AerError;

pub(super) const HOOK: HookSpec = HookSpec {
    name: "aer_event",
    sees: "errors of PCI Express links and devices: function, error registers, packet",
    without: "the text `PCIe Bus Error` is left, which the kernel limits",
    class: Class::HardwarePcieError,
    severity: Severity::High,
    storm: Storm::Configured,
    privacy: Privacy::Machine,
    source: Source::Records(Records {
        attempts: &[Record {
            tracepoint: "ras:aer_event",
            module: None,
            required: &["status", "severity"],
            filter: &[],
        }],
        stack: false,
        twin: Some(TWIN),
        tell,
    }),
};

/// `drivers/pci/pcie/aer.c`, `aer_print_error`; `drivers/acpi/apei/ghes.c` where the firmware handles the errors.
const TWIN: Twin = Twin {
    kinds: &[ReportKind::PcieError],
    says: &["PCIe Bus Error: severity=", "section_type: PCIe error"],
    best: Best::Hook,
};

fn tell(fields: &Fields) -> Option<Told> {
    let status = fields.number("status")?;
    let severity = fields.number("severity")?;
    let is_valid = fields
        .unsigned("tlp_header_valid")
        .is_some_and(|valid| valid != 0);
    let header = fields.bytes("tlp_header").filter(|_| is_valid).map(words);
    let device = fields.text("dev_name").unwrap_or_default();
    let error = AerError::of_event(device, status, severity, header.as_deref())?;
    Some(Told::hardware(error.hardware_error()))
}

fn words(bytes: &[u8]) -> Vec<u32> {
    bytes
        .as_chunks()
        .0
        .iter()
        .map(|word| u32::from_ne_bytes(*word))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Value;

    fn event(severity: u64, valid: u64) -> Option<Told> {
        let header = [0x4000_0001u32, 2, 3, 4, 5];
        tell(&Fields::from_iter([
            ("dev_name", Value::Text("0000:00:1c.0".into())),
            ("status", Value::Unsigned(0x4_0000)),
            ("severity", Value::Unsigned(severity)),
            ("tlp_header_valid", Value::Unsigned(valid)),
            (
                "tlp_header",
                Value::Bytes(header.iter().flat_map(|word| word.to_ne_bytes()).collect()),
            ),
        ]))
    }

    #[test]
    fn the_function_and_the_packet_are_told() {
        let told = event(1, 1).unwrap();
        assert_eq!(told.title, "PCIe error: Malformed TLP (fatal)");
        assert_eq!(told.severity, Severity::Critical);
        let hardware = told.hardware.unwrap();
        assert_eq!(
            hardware.place.pci.map(|pci| pci.to_string()).as_deref(),
            Some("0000:00:1c.0")
        );
        let has_packet = |told: Told| {
            let fields = told.hardware.unwrap().fields;
            fields.iter().any(|field| field.name == "tlp_header")
        };
        assert!(has_packet(event(1, 1).unwrap()) && !has_packet(event(1, 0).unwrap()));
    }

    #[test]
    fn a_severity_that_no_kernel_has_is_not_told() {
        assert_eq!(event(7, 1), None);
    }
}

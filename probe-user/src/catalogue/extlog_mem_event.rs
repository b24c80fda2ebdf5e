//! A memory error of Intel's extended error log (eMCA). `include/ras/ras_event.h`, x86.

use super::{Best, Class, Fields, HookSpec, Privacy, Record, Records, Severity, Source, Storm, Told, Twin};
use faults::ReportKind;
use faults::ras::ExtendedLog;

pub(super) const HOOK: HookSpec = HookSpec {
    name: "extlog_mem_event",
    sees: "memory errors of Intel's extended error log: module, address",
    without: "the text `Hardware error detected on CPU` is left",
    class: Class::HardwareMemoryError,
    severity: Severity::High,
    storm: Storm::Configured,
    privacy: Privacy::Machine,
    source: Source::Records(Records {
        attempts: &[Record {
            tracepoint: "ras:extlog_mem_event",
            module: None,
            required: &["sev", "data"],
            filter: &[],
        }],
        stack: false,
        twin: Some(TWIN),
        tell,
    }),
};

/// `drivers/acpi/acpi_extlog.c`, `extlog_print`.
const TWIN: Twin = Twin {
    kinds: &[ReportKind::MemoryError],
    says: &["section_type: memory error"],
    best: Best::Hook,
};

fn tell(fields: &Fields) -> Option<Told> {
    let event = ExtendedLog {
        error_type: fields.number("etype").unwrap_or(u8::MAX),
        severity: fields.number("sev").unwrap_or(u8::MAX),
        address: fields.unsigned("pa").unwrap_or(u64::MAX),
        address_lsb: fields.number("pa_mask_lsb").unwrap_or(u8::MAX),
        fru_id: fields.array("fru_id").unwrap_or_default(),
        fru_text: fields.text("fru_text").unwrap_or_default(),
        data: fields.bytes("data").unwrap_or_default(),
    };
    let told = Told::hardware(event.section().hardware_error());
    Some(told.made_of("data"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Value;

    #[test]
    fn the_module_that_the_firmware_names_is_the_part() {
        let told = tell(&Fields::from_iter([
            ("etype", Value::Unsigned(2)),
            ("sev", Value::Unsigned(2)),
            ("pa", Value::Unsigned(0x1234_5000)),
            ("pa_mask_lsb", Value::Unsigned(12)),
            ("fru_text", Value::Text("DIMM 3".into())),
            ("data", Value::Bytes(vec![0; 55])),
        ]))
        .unwrap();
        assert_eq!(told.title, "memory error: single-bit ECC (corrected)");
        let place = told.hardware.unwrap().place;
        assert_eq!(
            (place.part.as_deref(), place.address),
            (Some("DIMM 3"), Some(0x1234_5000))
        );
    }
}

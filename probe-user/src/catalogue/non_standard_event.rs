//! A section of a firmware's error record that the kernel has no tracepoint of its own for. `include/ras/ras_event.h`.

use super::{Best, Class, Fields, HookSpec, Privacy, Record, Records, Severity, Source, Storm, Told, Twin};
use faults::ReportKind;
use faults::ras::NonStandard;

pub(super) const HOOK: HookSpec = HookSpec {
    name: "non_standard_event",
    sees: "errors that the firmware reports in a form of its vendor",
    without: "the text `Hardware error from APEI` is left",
    class: Class::HardwareFirmwareError,
    severity: Severity::High,
    storm: Storm::Configured,
    privacy: Privacy::Machine,
    source: Source::Records(Records {
        attempts: &[Record {
            tracepoint: "ras:non_standard_event",
            module: None,
            required: &["sec_type", "sev", "buf"],
            filter: &[],
        }],
        stack: false,
        twin: Some(TWIN),
        tell,
    }),
};

/// `drivers/acpi/apei/ghes.c`.
const TWIN: Twin = Twin {
    kinds: &[ReportKind::FirmwareError],
    says: &["Hardware error from APEI"],
    best: Best::Hook,
};

fn tell(fields: &Fields) -> Option<Told> {
    let event = NonStandard {
        section_type: fields.array("sec_type")?,
        fru_id: fields.array("fru_id").unwrap_or_default(),
        fru_text: fields.text("fru_text").unwrap_or_default(),
        severity: fields.number("sev").unwrap_or(u8::MAX),
        data: fields.bytes("buf").unwrap_or_default(),
    };
    let told = Told::hardware(event.section().hardware_error());
    Some(told.made_of("buf"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Value;

    #[test]
    fn a_section_is_named_by_its_vendor() {
        let kind: faults::cper::Guid = "e8ed898d-df16-43cc-8ecc-54f060ef157f".parse().unwrap();
        let told = tell(&Fields::from_iter([
            ("sec_type", Value::Bytes(kind.bytes().to_vec())),
            ("sev", Value::Unsigned(0)),
            ("buf", Value::Bytes(vec![1, 2])),
        ]))
        .unwrap();
        assert_eq!(
            told.title,
            "firmware error: error of an Ampere processor (recoverable)"
        );
        assert_eq!(
            tell(&Fields::from_iter([("sec_type", Value::Bytes(vec![1]))])),
            None
        );
    }
}

//! An error of an ARM processor that the firmware reports. `include/ras/ras_event.h`; older kernels have the fixed part
//! only.

use super::{Best, Class, Fields, HookSpec, Privacy, Record, Records, Severity, Source, Storm, Told, Twin};
use faults::ReportKind;
use faults::ras::ArmEvent;

pub(super) const HOOK: HookSpec = HookSpec {
    name: "arm_event",
    sees: "errors of ARM processors that the firmware reports: processor, error, registers",
    without: "the text `Hardware error from APEI` is left",
    class: Class::HardwareMachineCheck,
    severity: Severity::High,
    storm: Storm::Configured,
    privacy: Privacy::Machine,
    source: Source::Records(Records {
        attempts: &[Record {
            tracepoint: "ras:arm_event",
            module: None,
            required: &["mpidr"],
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
    says: &["section_type: ARM processor error"],
    best: Best::Hook,
};

fn tell(fields: &Fields) -> Option<Told> {
    let event = ArmEvent {
        mpidr: fields.unsigned("mpidr").unwrap_or(0),
        midr: fields.unsigned("midr").unwrap_or(0),
        running_state: fields.number("running_state").unwrap_or(u32::MAX),
        psci_state: fields.number("psci_state").unwrap_or(u32::MAX),
        affinity: fields.number("affinity").unwrap_or(u8::MAX),
        severity: fields.number("sev"),
        errors: fields.bytes("pei_buf").unwrap_or_default(),
        contexts: fields.bytes("ctx_buf").unwrap_or_default(),
        vendor: fields.bytes("oem_buf").unwrap_or_default(),
    };
    let told = Told::hardware(event.section().hardware_error());
    Some(told.made_of("pei_buf"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Value;

    #[test]
    fn the_short_form_of_old_kernels_is_told() {
        let told = tell(&Fields::from_iter([
            ("mpidr", Value::Unsigned(0x8000_0100)),
            ("affinity", Value::Unsigned(0xff)),
        ]))
        .unwrap();
        assert_eq!(told.class, Class::HardwareMachineCheck);
        let place = told.hardware.unwrap().place;
        assert_eq!(place.processor.as_deref(), Some("MPIDR 0x80000100"));
    }
}

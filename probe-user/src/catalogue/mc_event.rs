//! An error that a memory controller reports to EDAC. `include/ras/ras_event.h`, the same in all kernels since 3.17.

use super::{Best, Class, Fields, HookSpec, Privacy, Record, Records, Severity, Source, Storm, Told, Twin};
use faults::ReportKind;
use faults::ras::{McSeverity, MemoryController};

pub(super) const HOOK: HookSpec = HookSpec {
    name: "mc_event",
    sees: "errors that memory controllers report: module, position, address, how often",
    without: "the text `EDAC MC` is left",
    class: Class::HardwareMemoryError,
    severity: Severity::High,
    storm: Storm::Configured,
    privacy: Privacy::Machine,
    source: Source::Records(Records {
        attempts: &[Record {
            tracepoint: "ras:mc_event",
            module: None,
            required: &["error_type"],
            filter: &[],
        }],
        stack: false,
        twin: Some(TWIN),
        tell,
    }),
};

/// `drivers/edac/edac_mc.c`; `drivers/acpi/apei/ghes.c` where the firmware is the driver.
const TWIN: Twin = Twin {
    kinds: &[ReportKind::MemoryError],
    says: &["EDAC MC", "section_type: memory error"],
    best: Best::Hook,
};

fn tell(fields: &Fields) -> Option<Told> {
    let text = |name: &str| fields.text(name).unwrap_or_default().trim().to_owned();
    let layer = |name: &str| {
        fields
            .signed(name)
            .and_then(|layer| i8::try_from(layer).ok())
            .unwrap_or(-1)
    };
    let error = MemoryController {
        severity: fields.number("error_type").and_then(McSeverity::of_kernel)?,
        message: text("msg"),
        label: text("label"),
        count: fields.number("error_count").unwrap_or(1),
        controller: fields.number("mc_index").unwrap_or(0),
        layers: MemoryController::event_layers(
            layer("top_layer"),
            layer("middle_layer"),
            layer("lower_layer"),
        ),
        address: None,
        grain: None,
        // Declared `long`, meant unsigned.
        syndrome: fields.signed("syndrome").map(i64::cast_unsigned),
        detail: text("driver_detail"),
    };
    let address = fields.signed("address").map_or(0, i64::cast_unsigned);
    let error = error.at(address, fields.number("grain_bits").unwrap_or(u8::MAX));
    Some(Told {
        count: error.count.into(),
        ..Told::hardware(error.hardware_error())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Value;

    #[test]
    fn the_module_and_the_address_are_the_place() {
        let told = tell(&Fields::from_iter([
            ("error_type", Value::Unsigned(0)),
            ("msg", Value::Text("memory read error".into())),
            ("label", Value::Text("CPU_SrcID#0_MC#0_Chan#0_DIMM#0".into())),
            ("error_count", Value::Unsigned(2)),
            ("top_layer", Value::Signed(0)),
            ("middle_layer", Value::Signed(1)),
            ("lower_layer", Value::Signed(-1)),
            ("address", Value::Signed(-0x1000)),
            ("grain_bits", Value::Unsigned(5)),
            ("syndrome", Value::Signed(-1)),
        ]))
        .unwrap();
        assert_eq!(told.title, "memory error: memory read error (corrected)");
        let place = told.hardware.unwrap().place;
        assert_eq!(place.part.as_deref(), Some("CPU_SrcID#0_MC#0_Chan#0_DIMM#0"));
        assert_eq!(place.address, Some(0xffff_ffff_ffff_f000));
    }

    #[test]
    fn a_severity_that_no_kernel_has_is_not_told() {
        assert_eq!(
            tell(&Fields::from_iter([("error_type", Value::Unsigned(9))])),
            None
        );
    }
}

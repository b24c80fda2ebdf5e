//! A part is so hot that the machine is switched off, or nearly. `include/trace/events/thermal.h`.

use super::{
    Best, Class, Fields, HookSpec, Is, Privacy, Record, Records, Severity, Source, Storm, Term, Told, Twin,
};
use faults::ReportKind;

pub(super) const HOOK: HookSpec = HookSpec {
    name: "thermal_zone_trip",
    sees: "a part reached its hot or critical temperature: zone, trip point",
    without: "the text `critical temperature reached` is left",
    class: Class::HardwareThermal,
    severity: Severity::High,
    storm: Storm::PerMinute(1),
    privacy: Privacy::Machine,
    source: Source::Records(Records {
        attempts: &[Record {
            tracepoint: "thermal:thermal_zone_trip",
            module: None,
            required: &["trip_type"],
            // Fans and throttling are what active and passive trip points are for.
            filter: &[Term {
                field: "trip_type",
                is: Is::AtLeast,
                value: HOT as i128,
            }],
        }],
        stack: false,
        twin: Some(TWIN),
        tell,
    }),
};

/// `include/uapi/linux/thermal.h`, `enum thermal_trip_type`.
const HOT: u64 = 2;
const CRITICAL: u64 = 3;

/// `drivers/thermal/thermal_core.c`.
const TWIN: Twin = Twin {
    kinds: &[ReportKind::Thermal],
    says: &["critical temperature reached"],
    best: Best::Hook,
};

fn tell(fields: &Fields) -> Option<Told> {
    let (severity, what) = match fields.unsigned("trip_type")? {
        HOT => (Severity::High, "hot temperature reached"),
        CRITICAL => (Severity::Critical, "critical temperature reached"),
        _ => return None,
    };
    let title = match fields.text("thermal_zone").filter(|zone| !zone.is_empty()) {
        Some(zone) => format!("{what}: {zone}"),
        None => what.to_owned(),
    };
    Some(Told::new(HOOK.class, severity, title))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Value;

    #[test]
    fn only_what_endangers_the_machine_is_told() {
        let trip = |kind| {
            tell(&Fields::from_iter([
                ("thermal_zone", Value::Text("acpitz".into())),
                ("trip_type", Value::Unsigned(kind)),
            ]))
        };
        assert_eq!(trip(1), None);
        let told = trip(3).unwrap();
        assert_eq!(
            (told.severity, told.title.as_str()),
            (Severity::Critical, "critical temperature reached: acpitz")
        );
    }
}

//! A device accessed memory that it may not. `include/trace/events/iommu.h`; reported by the drivers of most IOMMUs
//! through `report_iommu_fault` (`drivers/iommu/iommu.c`), 5.10 to 7.2.

use super::{Class, Fields, HookSpec, Privacy, Record, Records, Severity, Source, Storm, Told};

pub(super) const HOOK: HookSpec = HookSpec {
    name: "iommu_page_fault",
    sees: "a device read or wrote memory that it may not: device, driver, address",
    without: "what the driver of the IOMMU prints",
    class: Class::KernelOther,
    severity: Severity::Medium,
    storm: Storm::PerMinute(10),
    privacy: Privacy::Machine,
    source: Source::Records(Records {
        attempts: &[Record {
            tracepoint: "iommu:io_page_fault",
            module: None,
            required: &["driver"],
            filter: &[],
        }],
        stack: false,
        twin: None,
        tell,
    }),
};

/// `include/linux/iommu.h`: `IOMMU_FAULT_WRITE`.
const WRITE: i64 = 1;

fn tell(fields: &Fields) -> Option<Told> {
    let driver = fields
        .text("driver")
        .filter(|driver| !driver.is_empty())
        .unwrap_or("a device");
    let did = match fields.signed("flags") {
        Some(flags) if flags & WRITE != 0 => "wrote",
        Some(_) => "read",
        None => "accessed",
    };
    let title = format!("IOMMU fault: {driver} {did} memory that it may not");
    Some(Told::new(HOOK.class, HOOK.severity, title))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Value;

    #[test]
    fn the_driver_and_the_direction_are_told() {
        let fields = Fields::from_iter([
            ("device", Value::Text("0000:00:1f.6".into())),
            ("driver", Value::Text("e1000e".into())),
            ("iova", Value::Unsigned(0x7fff_0000)),
            ("flags", Value::Signed(WRITE)),
        ]);
        assert_eq!(
            tell(&fields).unwrap().title,
            "IOMMU fault: e1000e wrote memory that it may not"
        );
        assert_eq!(
            tell(&Fields::default()).unwrap().title,
            "IOMMU fault: a device accessed memory that it may not"
        );
    }
}

//! An entry of a CXL device's list of poisoned memory, told when the list is read.

use super::{Fields, HookSpec, Is, Record, Term, Told, cxl};
use faults::Severity;
use faults::hardware::{HardwareError, Place};

pub(super) const HOOK: HookSpec = cxl::hook(
    "cxl_poison",
    "poisoned memory of CXL devices: device, address, where the poison is from",
    &[Record {
        // Poison that somebody injects or clears is a test or a repair: `enum cxl_poison_trace_type`.
        filter: &[Term {
            field: "trace_type",
            is: Is::Equal,
            value: 0,
        }],
        ..cxl::record("cxl:cxl_poison", &["trace_type", "source", "dpa"])
    }],
    tell,
);

fn tell(fields: &Fields) -> Option<Told> {
    // `drivers/cxl/cxlmem.h`, `CXL_POISON_SOURCE_*`
    let what = match fields.unsigned("source") {
        Some(1) => "poison from outside",
        Some(2) => "poison from inside the device",
        Some(3) => "injected poison",
        Some(7) => "poison, source by its vendor",
        _ => "poison",
    };
    Some(Told::hardware(HardwareError {
        class: HOOK.class,
        severity: Severity::High,
        title: format!("CXL memory error: {what}"),
        what: what.to_owned(),
        place: Place {
            part: fields.text("memdev").map(str::to_owned),
            position: fields
                .unsigned("dpa")
                .map(|dpa| format!("device address {dpa:#x}")),
            pci: fields.text("host").and_then(|host| host.parse().ok()),
            // All ones: the kernel does not know it.
            address: fields.unsigned("hpa").filter(|hpa| *hpa != u64::MAX),
            ..Place::default()
        },
        advice: "Take the memory at this address out of use and clear the poison; replace the device when more comes.",
        fields: Vec::new(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Value;

    #[test]
    fn an_address_that_the_kernel_does_not_know_is_left_out() {
        let poison = |hpa| {
            let fields = [("source", Value::Unsigned(2)), ("hpa", Value::Unsigned(hpa))];
            tell(&Fields::from_iter(fields)).unwrap()
        };
        assert_eq!(poison(0).title, "CXL memory error: poison from inside the device");
        assert_eq!(poison(0x1000).hardware.unwrap().place.address, Some(0x1000));
        assert_eq!(poison(u64::MAX).hardware.unwrap().place.address, None);
    }
}

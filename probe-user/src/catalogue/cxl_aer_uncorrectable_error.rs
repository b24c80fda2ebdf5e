//! An error of a CXL link that was not corrected, seen by a memory device.

use super::{Fields, HookSpec, Told, cxl};
use faults::cper::{CxlRas, ErrorSeverity};

pub(super) const HOOK: HookSpec = cxl::hook(
    "cxl_aer_uncorrectable_error",
    "errors of CXL links that were not corrected, seen by memory devices: device, errors",
    &[cxl::record("cxl:cxl_aer_uncorrectable_error", &["status"])],
    tell,
);

/// `first_error` is a bit of the register, not its number.
pub(super) fn tell(fields: &Fields) -> Option<Told> {
    let ras = CxlRas {
        uncorrectable_status: fields.number("status"),
        control: fields
            .number("first_error")
            .filter(|bit: &u32| bit.is_power_of_two())
            .map(u32::trailing_zeros),
        ..CxlRas::default()
    };
    Some(cxl::link(ras, ErrorSeverity::Recoverable, fields))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Value;

    #[test]
    fn the_errors_are_named() {
        let told = tell(&Fields::from_iter([
            ("memdev", Value::Text("mem1".into())),
            ("status", Value::Unsigned(1 << 10)),
            ("first_error", Value::Unsigned(1 << 10)),
        ]))
        .unwrap();
        assert_eq!(told.title, "CXL error: poison received from peer (recoverable)");
        assert_eq!(told.hardware.unwrap().place.to_string(), "mem1");
    }
}

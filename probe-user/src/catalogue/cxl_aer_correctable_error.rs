//! An error of a CXL link that was corrected, seen by a memory device.

use super::{Fields, HookSpec, Told, cxl};
use faults::cper::{CxlRas, ErrorSeverity};

pub(super) const HOOK: HookSpec = cxl::hook(
    "cxl_aer_correctable_error",
    "errors of CXL links that were corrected, seen by memory devices: device, errors",
    &[cxl::record("cxl:cxl_aer_correctable_error", &["status"])],
    tell,
);

pub(super) fn tell(fields: &Fields) -> Option<Told> {
    let ras = CxlRas {
        correctable_status: fields.number("status"),
        ..CxlRas::default()
    };
    Some(cxl::link(ras, ErrorSeverity::Corrected, fields))
}

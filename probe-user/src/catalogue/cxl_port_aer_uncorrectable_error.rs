//! An error of a CXL link that was not corrected, seen by a port. Since 6.16.

use super::{HookSpec, cxl, cxl_aer_uncorrectable_error::tell};

pub(super) const HOOK: HookSpec = cxl::hook(
    "cxl_port_aer_uncorrectable_error",
    "errors of CXL links that were not corrected, seen by ports: port, errors",
    &[cxl::record("cxl:cxl_port_aer_uncorrectable_error", &["status"])],
    tell,
);

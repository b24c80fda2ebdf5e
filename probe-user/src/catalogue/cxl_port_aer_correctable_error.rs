//! An error of a CXL link that was corrected, seen by a port. Since 6.16.

use super::{HookSpec, cxl, cxl_aer_correctable_error::tell};

pub(super) const HOOK: HookSpec = cxl::hook(
    "cxl_port_aer_correctable_error",
    "errors of CXL links that were corrected, seen by ports: port, errors",
    &[cxl::record("cxl:cxl_port_aer_correctable_error", &["status"])],
    tell,
);

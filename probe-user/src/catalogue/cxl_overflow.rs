//! A CXL device had more events than its log holds.

use super::{Fields, HookSpec, Told, cxl};
use faults::Severity;

pub(super) const HOOK: HookSpec = cxl::hook(
    "cxl_overflow",
    "a CXL device lost events, because its log was full: device, how many",
    &[cxl::record("cxl:cxl_overflow", &["log"])],
    tell,
);

fn tell(fields: &Fields) -> Option<Told> {
    let log = match fields.unsigned("log") {
        Some(0) => "information",
        Some(1) => "warnings",
        Some(2) => "failures",
        Some(3) => "fatal events",
        _ => "events",
    };
    let title = format!("CXL device: its log of {log} overflowed");
    Some(Told::new(HOOK.class, Severity::Medium, title))
}

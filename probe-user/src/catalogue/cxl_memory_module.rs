//! A change in the health of a CXL device: CXL 3.1, table 8-47.

use super::{Fields, HookSpec, Told, cxl};
use faults::cper::{CxlEventBody, CxlModule, guids};

pub(super) const HOOK: HookSpec = cxl::hook(
    "cxl_memory_module",
    "changes in the health of CXL devices: device, health, life used, temperature",
    &[cxl::record("cxl:cxl_memory_module", &["log", "event_type"])],
    tell,
);

fn tell(fields: &Fields) -> Option<Told> {
    let module = CxlModule {
        event_type: fields.number("event_type"),
        health_status: fields.number("health_status"),
        media_status: fields.number("media_status"),
        additional_status: fields.number("add_status"),
        life_used_percent: fields.number("life_used"),
        temperature_celsius: fields
            .signed("device_temp")
            .and_then(|celsius| i16::try_from(celsius).ok()),
        dirty_shutdowns: fields.number("dirty_shutdown_cnt"),
        corrected_volatile_errors: fields.number("cor_vol_err_cnt"),
        corrected_persistent_errors: fields.number("cor_per_err_cnt"),
        component_id: cxl::valid_raw(fields, 0, "comp_id"),
    };
    Some(cxl::event(
        guids::CXL_MODULE,
        CxlEventBody::Module(module),
        fields,
    ))
}

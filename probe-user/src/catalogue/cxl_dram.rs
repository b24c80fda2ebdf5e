//! An error of DRAM in a CXL device: CXL 3.1, table 8-46.

use super::{Fields, HookSpec, Told, cxl};
use faults::cper::{CxlDram, CxlEventBody, guids};

pub(super) const HOOK: HookSpec = cxl::hook(
    "cxl_dram",
    "errors of DRAM in CXL devices: device, address, rank, bank, row, column",
    &[cxl::record("cxl:cxl_dram", &["log", "type"])],
    tell,
);

fn tell(fields: &Fields) -> Option<Told> {
    let dram = CxlDram {
        device_address: cxl::device_address(fields),
        descriptor: fields.number("descriptor"),
        error_type: fields.number("type"),
        transaction: fields.number("transaction_type"),
        channel: cxl::valid(fields, 0, "channel"),
        rank: cxl::valid(fields, 1, "rank"),
        nibble_mask: cxl::valid(fields, 2, "nibble_mask"),
        bank_group: cxl::valid(fields, 3, "bank_group"),
        bank: cxl::valid(fields, 4, "bank"),
        row: cxl::valid(fields, 5, "row"),
        column: cxl::valid(fields, 6, "column"),
        correction_mask: cxl::valid_raw(fields, 7, "cor_mask"),
        component_id: cxl::valid_raw(fields, 8, "comp_id"),
        sub_channel: cxl::valid(fields, 10, "sub_channel"),
        sub_type: fields.number("sub_type"),
    };
    Some(cxl::event(guids::CXL_DRAM, CxlEventBody::Dram(dram), fields))
}

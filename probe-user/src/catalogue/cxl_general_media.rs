//! An error of memory of any sort in a CXL device: CXL 3.1, table 8-45.

use super::{Fields, HookSpec, Told, cxl};
use faults::cper::{CxlEventBody, CxlMedia, guids};

pub(super) const HOOK: HookSpec = cxl::hook(
    "cxl_general_media",
    "errors of memory in CXL devices: device, address, channel, rank",
    &[cxl::record("cxl:cxl_general_media", &["log", "type"])],
    tell,
);

fn tell(fields: &Fields) -> Option<Told> {
    let media = CxlMedia {
        device_address: cxl::device_address(fields),
        descriptor: fields.number("descriptor"),
        error_type: fields.number("type"),
        transaction: fields.number("transaction_type"),
        channel: cxl::valid(fields, 0, "channel"),
        rank: cxl::valid(fields, 1, "rank"),
        device: cxl::valid(fields, 2, "device"),
        component_id: cxl::valid_raw(fields, 3, "comp_id"),
        sub_type: fields.number("sub_type"),
    };
    Some(cxl::event(guids::CXL_MEDIA, CxlEventBody::Media(media), fields))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Value;

    #[test]
    fn what_the_device_does_not_mark_valid_is_left_out() {
        let told = tell(&Fields::from_iter([
            ("memdev", Value::Text("mem0".into())),
            ("host", Value::Text("0000:35:00.0".into())),
            ("log", Value::Signed(1)),
            ("dpa", Value::Unsigned(0x1000)),
            ("type", Value::Unsigned(4)),
            ("channel", Value::Unsigned(3)),
            ("rank", Value::Unsigned(1)),
            ("validity_flags", Value::Unsigned(1)),
        ]))
        .unwrap();
        assert_eq!(
            told.title,
            "CXL memory error: ECC error found by scrubbing (corrected)"
        );
        let place = told.hardware.unwrap().place;
        assert_eq!(place.to_string(), "mem0, channel 3, PCI 0000:35:00.0");
    }

    #[test]
    fn an_error_that_was_not_corrected_is_not_called_corrected() {
        let told = tell(&Fields::from_iter([
            ("log", Value::Signed(1)),
            ("type", Value::Unsigned(0)),
            ("descriptor", Value::Unsigned(1)),
        ]))
        .unwrap();
        assert_eq!(told.title, "CXL memory error: ECC error (recoverable)");
    }
}

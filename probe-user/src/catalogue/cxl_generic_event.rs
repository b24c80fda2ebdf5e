//! An event of a CXL device in a form of its vendor.

use super::{Fields, HookSpec, Told, cxl};
use faults::cper::Guid;
use faults::hardware::{HardwareError, Place};

pub(super) const HOOK: HookSpec = cxl::hook(
    "cxl_generic_event",
    "events of CXL devices in a form of their vendor",
    &[cxl::record("cxl:cxl_generic_event", &["log", "hdr_uuid"])],
    tell,
);

fn tell(fields: &Fields) -> Option<Told> {
    // CXL writes identifiers with the highest byte first, UEFI the first three parts with the lowest.
    let uuid = fields.array("hdr_uuid").map(|mut bytes: [u8; 16]| {
        bytes[..4].reverse();
        bytes[4..6].reverse();
        bytes[6..8].reverse();
        Guid::from_bytes(bytes)
    });
    let what = uuid.map_or_else(|| "event".to_owned(), |uuid| format!("event {uuid}"));
    let severity = cxl::severity_of(fields);
    let told = Told::hardware(HardwareError {
        class: HOOK.class,
        severity: severity.severity(),
        title: format!("CXL device: {what} ({severity})"),
        what,
        place: Place {
            part: fields.text("memdev").map(str::to_owned),
            pci: fields.text("host").and_then(|host| host.parse().ok()),
            ..Place::default()
        },
        advice: "Keep the record and give it to the vendor of the device: only its tools read it.",
        fields: Vec::new(),
    });
    Some(told.made_of("data"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Value;

    #[test]
    fn the_form_is_named_as_its_vendor_writes_it() {
        let uuid: Vec<u8> = (0..16).collect();
        let told = tell(&Fields::from_iter([("hdr_uuid", Value::Bytes(uuid))])).unwrap();
        assert_eq!(
            told.title,
            "CXL device: event 00010203-0405-0607-0809-0a0b0c0d0e0f (unknown severity)"
        );
    }
}

//! Bytes that nobody should have written.

use super::build::{Entry, block, record};
use super::{a_record, guests_region, memory, processor};
use crate::cper::{self, Body, ErrorSeverity, MAX_BLOCKS, MAX_SECTIONS, Raw, guids};
use proptest::prelude::*;

/// Everything that can be asked of a decoded input.
fn ask(bytes: &[u8]) -> usize {
    let decoded = cper::decode(bytes);
    let mut text = 0;
    for section in decoded.sections() {
        let error = section.hardware_error();
        text += error.place.to_string().len();
        text += error
            .fields
            .iter()
            .map(|field| field.to_string().len())
            .sum::<usize>();
    }
    assert!(decoded.sections().count() <= MAX_BLOCKS * MAX_SECTIONS);
    text
}

#[test]
fn truncation_at_every_length_is_survived_and_told() {
    let region = guests_region();
    let end = 20 + 64 + 80 + 64 + 192;
    for length in 1..end {
        let read = cper::region(&region[..length]);
        assert!(read.damage.is_some(), "{length}");
        ask(&region[..length]);
    }
    let record = a_record(&[(guids::MEMORY, 1, memory()), (guids::PROCESSOR, 0, processor())]);
    for length in 128..record.len() {
        assert!(
            cper::record(&record[..length]).unwrap().damage.is_some(),
            "{length}"
        );
    }
}

proptest! {
    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        ask(&bytes);
    }

    #[test]
    fn a_good_region_with_changed_bytes_is_survived(changes in prop::collection::vec((0usize..440, any::<u8>()), 1..20)) {
        let mut region = guests_region();
        for (at, byte) in changes {
            region[at] = byte;
        }
        ask(&region);
    }

    #[test]
    fn a_section_of_any_type_survives_any_bytes(
        kind in 0usize..18,
        bytes in prop::collection::vec(any::<u8>(), 0..600),
    ) {
        let kinds = [
            guids::PROCESSOR, guids::PROCESSOR_X86, guids::PROCESSOR_ARM, guids::MEMORY, guids::MEMORY_2, guids::PCIE,
            guids::PCI_BUS, guids::PCI_DEVICE, guids::FIRMWARE, guids::DMA, guids::DMA_VTD, guids::DMA_IOMMU,
            guids::CCIX, guids::CXL_PROTOCOL, guids::CXL_MEDIA, guids::CXL_DRAM, guids::CXL_MODULE, guids::LINUX_MCE,
        ];
        let section = cper::Section::of_body(kinds[kind], &bytes);
        prop_assert!(section.hardware_error().fields.len() < 3000);
    }
}

proptest! {
    /// What is put into a container comes out of it, in order and where it was put.
    #[test]
    fn containers_give_back_what_was_put_in(
        bodies in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..300), 0u32..4), 0..MAX_SECTIONS),
        with_time: bool,
    ) {
        let kind = guids::LINUX_MCE;
        let entries: Vec<_> = bodies
            .iter()
            .map(|(body, severity)| {
                let entry = Entry::new(kind, *severity, body.clone());
                if with_time { entry.time([0, 0, 0, 1, 1, 1, 0x26, 0x20]) } else { entry }
            })
            .collect();
        let in_block = block(1, &entries);
        let sections: Vec<_> = bodies.iter().map(|(body, severity)| (kind, *severity, body.clone())).collect();
        let in_record = record(1, &sections);

        let region = cper::region(&in_block);
        let record = cper::record(&in_record).unwrap();
        prop_assert_eq!((&region.damage, &record.damage), (&None, &None));
        for (bytes, read) in [(&in_block, region.sections().collect::<Vec<_>>()), (&in_record, record.sections.iter().collect())] {
            prop_assert_eq!(read.len(), bodies.len());
            for (section, (body, severity)) in read.iter().zip(&bodies) {
                prop_assert_eq!(&section.body, &Body::Raw(Raw { bytes: body.clone(), left_off: 0 }));
                prop_assert_eq!(section.severity, ErrorSeverity::of_number(*severity));
                prop_assert_eq!(&bytes[section.offset..section.offset + section.length], body.as_slice());
            }
        }
    }
}

pub(super) mod build;
mod hostile;
mod sections;

use super::*;
use crate::{Class, Severity};
use build::{Bytes, Entry, block};

/// A memory section: node 0, card 1, module 2, bank 3, row 85, column 102, multi-bit ECC at 0x123456000.
fn memory() -> Vec<u8> {
    Bytes::new(80)
        .u64(0, 0x437e)
        .u64(16, 0x1_2345_6000)
        .u64(24, 0xffff_ffff_ffff_f000)
        .u16(32, 0)
        .u16(34, 1)
        .u16(36, 2)
        .u16(38, 3)
        .u16(42, 85)
        .u16(44, 102)
        .u8(72, 3)
        .done()
}

/// A processor section: X64, cache error at a data read, overflow, level 1, processor 7.
fn processor() -> Vec<u8> {
    Bytes::new(192)
        .u64(0, 0x13f)
        .put(8, &[0, 2, 1, 1, 4, 1])
        .u64(152, 7)
        .done()
}

/// The region whose decoding by Linux 6.12 the guests' logs hold.
pub(super) fn guests_region() -> Vec<u8> {
    let fru = Guid::new(0x1122_3344_5566_7788_99aa_bbcc_ddee_ff00);
    let entries = [
        Entry::new(guids::MEMORY, 1, memory()).fru(fru, "DIMM_A1"),
        Entry::new(guids::PROCESSOR, 1, processor()).fru(fru, "CPU0"),
    ];
    let mut region = block(1, &entries);
    region.resize(4096, 0);
    region
}

#[test]
fn a_region_is_decoded_as_linux_does() {
    let region = region(&guests_region());
    assert_eq!(region.damage, None);
    let [block] = region.blocks.as_slice() else {
        panic!("{region:#?}")
    };
    assert_eq!(block.severity, ErrorSeverity::Fatal);
    assert_eq!((block.offset, block.length), (0, 20 + 64 + 80 + 64 + 192));

    let [memory, processor] = block.sections.as_slice() else {
        panic!("{block:#?}")
    };
    assert_eq!(memory.fru_text.as_deref(), Some("DIMM_A1"));
    assert_eq!(
        memory.fru_id.map(|id| id.to_string()).as_deref(),
        Some("11223344-5566-7788-99aa-bbccddeeff00")
    );
    let Body::Memory(error) = &memory.body else {
        panic!("{memory:#?}")
    };
    assert_eq!(error.physical_address, Some(0x1_2345_6000));
    assert_eq!(error.physical_address_mask, Some(0xffff_ffff_ffff_f000));
    assert_eq!(
        (error.node, error.card, error.module),
        (Some(0), Some(1), Some(2))
    );
    assert_eq!(
        (error.bank, error.row, error.column),
        (Some(3), Some(85), Some(102))
    );
    assert_eq!((error.error_type, error.type_name()), (Some(3), "multi-bit ECC"));
    assert_eq!((error.error_status, error.rank, error.device), (None, None, None));

    let found = memory.hardware_error();
    assert_eq!(found.title, "memory error: multi-bit ECC (fatal)");
    assert_eq!(
        (found.class, found.severity),
        (Class::HardwareMemoryError, Severity::Critical)
    );
    assert_eq!(
        found.place.to_string(),
        "DIMM_A1, node 0, card 1, module 2, bank 3, row 85, column 102, address 0x123456000"
    );
    assert_eq!(found.place.page(), Some(0x12_3456));

    let Body::Processor(error) = &processor.body else {
        panic!("{processor:#?}")
    };
    assert_eq!((error.processor_type, error.processor_isa), (Some(0), Some(2)));
    assert_eq!(
        (error.error_type, error.operation, error.flags),
        (Some(1), Some(1), Some(4))
    );
    assert_eq!(
        (error.level, error.processor_id, error.ip),
        (Some(1), Some(7), None)
    );
    let found = processor.hardware_error();
    assert_eq!(
        found.title,
        "processor error: cache error, data read, level 1 (fatal)"
    );
    assert_eq!(found.place.to_string(), "CPU0, processor 0x7");
    assert_eq!(found.class, Class::HardwareMachineCheck);
}

#[test]
fn a_region_may_hold_several_blocks_whose_status_the_kernel_cleared() {
    let mut first = block(1, &[Entry::new(guids::MEMORY, 1, memory())]);
    first[..4].copy_from_slice(&[0; 4]);
    let second = block(2, &[Entry::new(guids::PROCESSOR, 2, processor())]);
    let bytes = [first, second, vec![0; 100]].concat();
    let region = region(&bytes);
    assert_eq!(region.damage, None);
    let severities: Vec<_> = region.blocks.iter().map(|block| block.severity).collect();
    assert_eq!(severities, [ErrorSeverity::Fatal, ErrorSeverity::Corrected]);
    assert_eq!(region.blocks[0].block_status, 0);
}

#[test]
fn raw_data_moves_the_next_block() {
    let mut first = block(2, &[Entry::new(guids::MEMORY, 2, memory())]);
    let data = u32::try_from(first.len()).unwrap();
    first.extend([0xaa; 12]);
    first[4..8].copy_from_slice(&data.to_le_bytes());
    first[8..12].copy_from_slice(&12u32.to_le_bytes());
    let bytes = [
        first.clone(),
        block(3, &[Entry::new(guids::PROCESSOR, 3, processor())]),
    ]
    .concat();
    let region = region(&bytes);
    assert_eq!(region.damage, None);
    assert_eq!(region.blocks.len(), 2);
    assert_eq!(region.blocks[1].offset, first.len());
    assert_eq!(region.blocks[0].raw.as_ref().map(|raw| raw.bytes.len()), Some(12));
}

#[test]
fn entries_since_revision_3_have_a_time() {
    let entry = Entry::new(guids::MEMORY, 2, memory()).time([0x56, 0x34, 0x12, 1, 0x25, 0x11, 0x26, 0x20]);
    let region = region(&block(2, &[entry]));
    assert_eq!(region.damage, None);
    let section = &region.blocks[0].sections[0];
    assert_eq!(
        section.timestamp.map(|time| time.to_string()).as_deref(),
        Some("2026-11-25 12:34:56")
    );
    assert!(matches!(&section.body, Body::Memory(memory) if memory.module == Some(2)));
}

#[test]
fn times_that_are_none_are_not_shown() {
    for bytes in [
        [0x5a, 0, 0, 1, 1, 1, 1, 0x20],
        [0, 0, 0x24, 1, 1, 1, 1, 0x20],
        [0, 0, 0, 1, 0, 1, 1, 0x20],
        [0xff; 8],
    ] {
        assert_eq!(Timestamp::of_bcd(bytes), None, "{bytes:02x?}");
    }
}

#[test]
fn the_table_is_told_from_the_region() {
    let table = Bytes::new(48).put(0, b"BERT").done();
    assert_eq!(region(&table).damage, Some(CperError::BertTable));
}

/// A record as the kernel and firmware write it into ERST.
fn a_record(sections: &[(Guid, u32, Vec<u8>)]) -> Vec<u8> {
    build::record(1, sections)
}

#[test]
fn a_record_is_decoded() {
    let bytes = a_record(&[(guids::MEMORY, 1, memory()), (guids::PROCESSOR, 0, processor())]);
    let record = record(&bytes).unwrap();
    assert_eq!(record.damage, None);
    assert_eq!(record.severity, ErrorSeverity::Fatal);
    assert_eq!(record.header.record_id, Some(0x1234_5678_9abc_def0));
    assert_eq!(
        (record.header.platform_id, record.header.partition_id),
        (None, None)
    );
    assert_eq!(
        record.timestamp.map(|time| time.to_string()).as_deref(),
        Some("2026-11-25 12:34:56 (imprecise)")
    );
    let titles: Vec<_> = record.sections.iter().map(|s| s.hardware_error().title).collect();
    assert_eq!(
        titles,
        [
            "memory error: multi-bit ECC (fatal)",
            "processor error: cache error, data read, level 1 (recoverable)"
        ]
    );
    assert!(record.sections[0].flags.is_primary());
    assert_eq!(record.sections[0].fru_text.as_deref(), Some("unit 0"));
    let meanings: Vec<_> = record
        .fields()
        .into_iter()
        .filter_map(|field| field.meaning)
        .collect();
    assert_eq!(meanings, ["machine check", "of the boot before"]);
    assert!(matches!(decode(&bytes), Decoded::Record(_)));
    assert_eq!(decode(&bytes).sections().count(), 2);
}

#[test]
fn what_is_no_record_is_refused() {
    assert!(matches!(record(b"CPER"), Err(CperError::Signature { .. })));
    assert!(matches!(record(&[0; 200]), Err(CperError::Signature { .. })));
    let bytes = a_record(&[]);
    let error = record(&bytes[..100]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "record header at byte 0 wants 128 bytes, 100 are left"
    );
}

#[test]
fn a_section_that_does_not_fit_is_read_as_far_as_it_goes() {
    let bytes = a_record(&[(guids::PROCESSOR, 1, processor()), (guids::MEMORY, 1, memory())]);
    let record = record(&bytes[..bytes.len() - 40]).unwrap();
    let section = &record.sections[1];
    assert_eq!(
        section.damage.as_ref().map(ToString::to_string),
        Some(format!(
            "section at byte {} wants 80 bytes, 40 are left",
            section.offset
        ))
    );
    assert!(matches!(&section.body, Body::Memory(memory)
        if memory.physical_address == Some(0x1_2345_6000) && memory.bank == Some(3) && memory.row.is_none()));
    assert!(matches!(
        record.damage,
        Some(CperError::Short { what: "record", .. })
    ));
}

#[test]
fn a_section_too_small_for_its_type_says_so() {
    let bytes = a_record(&[(guids::PROCESSOR, 1, processor()), (guids::PCIE, 1, vec![0; 100])]);
    let record = record(&bytes).unwrap();
    assert_eq!(
        record.sections[1].damage.as_ref().map(ToString::to_string),
        Some("section 1 (PCIe error) at byte 464 has 100 bytes, its type needs 208".to_owned())
    );
}

#[test]
fn a_record_without_its_whole_header_is_no_block() {
    let bytes = a_record(&[(guids::MEMORY, 1, memory())]);
    let Decoded::Region(region) = decode(&bytes[..100]) else {
        panic!("a record was made of 100 bytes");
    };
    assert!(region.blocks.is_empty());
    assert_eq!(
        region.damage.map(|damage| damage.to_string()).as_deref(),
        Some("record header at byte 0 wants 128 bytes, 100 are left")
    );
}

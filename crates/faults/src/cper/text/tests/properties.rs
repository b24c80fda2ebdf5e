//! What holds of any log, and of any memory section that is printed.

use proptest::prelude::*;

use super::*;
use crate::cper::MemoryError;
use crate::cper::tests::build::{Bytes, Entry, block};

/// The lines that Linux prints of a memory section (`cper_print_mem`).
fn print_memory(memory: &MemoryError) -> String {
    let mut lines = vec!["  section_type: memory error".to_owned()];
    lines.extend(
        memory
            .physical_address
            .map(|value| format!("physical_address: {value:#018x}")),
    );
    lines.extend(
        memory
            .physical_address_mask
            .map(|value| format!("physical_address_mask: {value:#018x}")),
    );
    let bank = match (memory.bank, memory.bank_group, memory.bank_address) {
        (Some(bank), ..) => format!("bank:{bank} "),
        (None, group, address) => {
            let group = group
                .map(|group| format!("bank_group:{group} "))
                .unwrap_or_default();
            let address = address
                .map(|address| format!("bank_address:{address} "))
                .unwrap_or_default();
            group + &address
        }
    };
    let place = [
        memory.node.map(|value| format!("node:{value} ")),
        memory.card.map(|value| format!("card:{value} ")),
        memory.module.map(|value| format!("module:{value} ")),
        memory.rank.map(|value| format!("rank:{value} ")),
        Some(bank),
        memory.device.map(|value| format!("device:{value} ")),
        memory.row.map(|value| format!("row:{value} ")),
        memory.column.map(|value| format!("column:{value} ")),
        memory.bit_position.map(|value| format!("bit_position:{value} ")),
        memory
            .requestor_id
            .map(|value| format!("requestor_id:{value:#018x} ")),
        memory
            .responder_id
            .map(|value| format!("responder_id:{value:#018x} ")),
        memory.target_id.map(|value| format!("target_id:{value:#018x} ")),
        memory.chip_id.map(|value| format!("chip_id:{value} ")),
    ];
    lines.push(place.into_iter().flatten().collect());
    lines.extend(
        memory
            .error_type
            .map(|value| format!("error_type: {value}, {}", memory.type_name())),
    );
    let handle = memory.module_handle;
    lines.extend(handle.map(|value| format!("DIMM location: not present. DMI handle: {value:#06x} ")));
    let prefix = "{7}[Hardware Error]:   ";
    lines.iter().flat_map(|line| [prefix, line, "\n"]).collect()
}

proptest! {
    /// Error status and card handle are not printed, and neither is what the validation bits do not mark.
    #[test]
    fn memory_text_and_bytes_come_to_the_same(bytes in prop::collection::vec(any::<u8>(), 80), valid: u64) {
        let valid = valid & 0x3f_ffff & !(1 | 1 << 16);
        let bytes = Bytes::new(80).put(0, &bytes).u64(0, valid).done();
        let from_bytes = region(&block(2, &[Entry::new(guids::MEMORY, 2, bytes)]));
        let Body::Memory(memory) = &from_bytes.blocks[0].sections[0].body else { unreachable!() };
        let head = "{7}[Hardware Error]: event severity: corrected\n{7}[Hardware Error]:  Error 0, type: corrected\n";
        assert_same(&format!("{head}{}", print_memory(memory)), &from_bytes);
    }

    #[test]
    fn any_log_is_read(
        kind in "(memory error|general processor error|PCIe error|ARM processor error|IA32/X64 processor error|Firmware Error Record Reference|CXL Protocol Error)",
        lines in prop::collection::vec(
            "(error_type|row|slot|num errors|chip_id|device_id|Revision|DIMM location|version|00000000|error_status|precise tstamp|Error Structure Type|TLP Header)?:? ?(0x)?[0-9a-f]{0,20}[ -~é]{0,20}|(Error info structure|Context info structure|Context Information Structure|Error Information Structure) 0:",
            0..20,
        ),
    ) {
        let mut log = format!("[Hardware Error]: event severity: fatal\n[Hardware Error]: Error 0, type: fatal\n[Hardware Error]: section_type: {kind}\n");
        for line in &lines {
            log.push_str("[Hardware Error]: ");
            log.push_str(line);
            log.push('\n');
        }
        for section in of_log(log.lines()).sections() {
            prop_assert!(section.hardware_error().fields.len() < 3000);
        }
    }
}

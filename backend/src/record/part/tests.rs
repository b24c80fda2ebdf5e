use faults::{hardware::HardwareError as Told, ras::MemoryController};
use proptest::prelude::*;

use super::*;

fn memory_error(line: &str) -> Record {
    let told: Told = MemoryController::of_line(line).unwrap().hardware_error();
    wire::hardware_error(&told, "kernel log", 2, &[])
}

#[test]
fn a_memory_error_is_of_the_module_by_its_label_and_of_a_cell() {
    let record = memory_error(
        "EDAC MC0: 2 CE memory read error on CPU_SrcID#0_MC#0_Chan#1_DIMM#0 (channel:1 slot:0 page:0x12345 offset:0x40 \
         grain:32 syndrome:0x0 - err_code:0x0101:0x0091 socket:0 imc:0 rank:1 bg:2 ba:3 row:0x1f4 col:0x10)",
    );
    let errors = PartErrors::of(&record).unwrap();
    assert_eq!(
        (errors.kind, errors.part.as_str(), errors.harm, errors.count),
        (
            PartKind::Dimm,
            "CPU_SrcID#0_MC#0_Chan#1_DIMM#0",
            Harm::Corrected,
            2
        )
    );
    assert_eq!(
        errors.spot.to_string(),
        "rank:1 bank:35 row:500 column:16 page:74565"
    );
    assert_eq!(Spot::parse(&errors.spot.to_string()), errors.spot);
}

#[test]
fn a_module_without_a_label_is_called_by_the_way_to_it() {
    let record =
        memory_error("EDAC MC1: 1 UE error on unknown memory (channel:1 slot:2 page:0x1 offset:0x0 grain:8)");
    let errors = PartErrors::of(&record).unwrap();
    assert_eq!(
        (errors.part.as_str(), errors.harm),
        ("controller 1, channel 1, slot 2", Harm::Uncorrected)
    );
    let nowhere = HardwareError::default();
    assert_eq!(dimm(&nowhere), SOMEWHERE);
}

#[test]
fn machine_checks_are_of_the_memory_channel_or_of_the_socket() {
    let check = |status, bank| {
        let mce = MachineCheck {
            status,
            bank,
            socket_id: 1,
            cpu: 5,
            ..MachineCheck::default()
        };
        PartErrors::of(&Record {
            class: "hardware.machine_check".to_owned(),
            payload: Some(Payload::MachineCheck(mce)),
            ..Record::default()
        })
    };
    let memory = check(0x8c00_0040_0001_0091, 7).unwrap();
    assert_eq!(
        (memory.kind, memory.part.as_str()),
        (PartKind::Dimm, "socket 1, channel 1")
    );
    let cache = check(0x9000_0000_0000_0135, 1).unwrap();
    assert_eq!(
        (cache.kind, cache.part.as_str(), cache.spot.to_string().as_str()),
        (PartKind::Cpu, "socket 1", "bank:1 cpu:5")
    );
    assert_eq!(check(0, 1), None, "nothing happened");
}

#[test]
fn a_pcie_error_is_of_its_function_and_a_block_error_of_its_disk() {
    let error = HardwareError {
        pci: "0000:3b:00.0".to_owned(),
        part: "PCI device 8086:1572".to_owned(),
        ..HardwareError::default()
    };
    let record = Record {
        class: "hardware.pcie_error".to_owned(),
        severity: Severity::Critical.into(),
        payload: Some(Payload::HardwareError(error)),
        ..Record::default()
    };
    let errors = PartErrors::of(&record).unwrap();
    assert_eq!(
        (
            errors.part.as_str(),
            errors.model.as_str(),
            errors.harm,
            errors.count
        ),
        ("0000:3b:00.0", "PCI device 8086:1572", Harm::Fatal, 1)
    );
    let event = KernelEvent {
        fields: vec![EventField {
            name: "device".to_owned(),
            value: Some(event_field::Value::Text("sda".to_owned())),
        }],
        ..KernelEvent::default()
    };
    let record = Record {
        class: "storage.block_error".to_owned(),
        severity: Severity::High.into(),
        payload: Some(Payload::KernelEvent(event)),
        ..Record::default()
    };
    let errors = PartErrors::of(&record).unwrap();
    assert_eq!((errors.kind, errors.part.as_str()), (PartKind::Disk, "sda"));
    assert_eq!(PartErrors::of(&Record::default()), None);
}

proptest! {
    #[test]
    fn whatever_a_spot_is_written_as_is_read_back(text in ".*", numbers in proptest::array::uniform6(any::<Option<u64>>())) {
        let [rank, bank, row, column, page, cpu] = numbers;
        let spot = Spot { rank, bank, row, column, page, cpu };
        prop_assert_eq!(Spot::parse(&spot.to_string()), spot);
        Spot::parse(&text);
    }

    #[test]
    fn no_field_of_a_memory_error_is_too_strange(name in "detail|bank_group|bank|row", value in ".*", position in ".*") {
        let field = EventField { name, value: Some(event_field::Value::Text(value)) };
        let error = HardwareError { fields: vec![field], position, ..HardwareError::default() };
        Spot::of_memory(&error);
        prop_assert!(!dimm(&error).is_empty());
    }
}

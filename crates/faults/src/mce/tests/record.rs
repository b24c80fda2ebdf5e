use super::*;

/// Fields at the offsets of Linux 7.2's `struct mce`.
fn record() -> [u8; 128] {
    let mut bytes = [0; 128];
    let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
    put(0, &0x9c20_4000_0000_011b_u64.to_le_bytes());
    put(8, &0xd01a_0fff_0100_0000_u64.to_le_bytes());
    put(16, &0x1234_5fc0_u64.to_le_bytes());
    put(24, &5_u64.to_le_bytes());
    put(56, &[2]);
    put(60, &GENOA.to_le_bytes());
    put(64, &[0x10, 21, 7, 1]);
    put(68, &300_u32.to_le_bytes());
    put(72, &1_u32.to_le_bytes());
    put(76, &0x40_u32.to_le_bytes());
    put(80, &0x117_u64.to_le_bytes());
    put(88, &0x2a00_0002_u64.to_le_bytes());
    put(96, &0x0000_0096_0025_0f00_u64.to_le_bytes());
    put(104, &77_u64.to_le_bytes());
    put(112, &0x0a10_113e_u32.to_le_bytes());
    bytes
}

#[test]
fn every_field_of_the_record_is_read() {
    let check = MachineCheck::from_record(&record()).unwrap();
    let expected = MachineCheck {
        status: 0x9c20_4000_0000_011b,
        misc: 0xd01a_0fff_0100_0000,
        addr: 0x1234_5fc0,
        mcg_status: 5,
        vendor: 2,
        cpuid: GENOA,
        bank: 21,
        cpu: 300,
        socket_id: 1,
        apic_id: 0x40,
        mcg_cap: 0x117,
        synd: 0x2a00_0002,
        ipid: 0x0000_0096_0025_0f00,
        ppin: 77,
        microcode: 0x0a10_113e,
        ..MachineCheck::default()
    };
    assert_eq!(check, expected);
}

#[test]
fn older_kernels_records_are_shorter() {
    let bytes = record();
    let check = MachineCheck::from_record(&bytes[..88]).unwrap();
    assert_eq!((check.cpu, check.mcg_cap, check.ipid), (300, 0x117, 0));
    // Before `extcpu` the CPU had 8 bits.
    assert_eq!(MachineCheck::from_record(&bytes[..68]).unwrap().cpu, 7);
    assert_eq!(
        MachineCheck::from_record(&bytes[..67]),
        Err(RecordError::TooShort { length: 67 })
    );
}

#[test]
fn the_buffer_of_mcelog_holds_several() {
    let mut buffer = b"MACHINECHECK".to_vec();
    for word in [32_u32, 2, 0, 128, 0] {
        buffer.extend(word.to_le_bytes());
    }
    buffer.extend(record());
    buffer.extend([0; 128]);
    buffer.extend(record());
    assert_eq!(read_records(&buffer).unwrap().len(), 2);
    assert_eq!(read_records(&record()).unwrap().len(), 1);
    buffer[24] = 1;
    assert_eq!(
        read_records(&buffer),
        Err(RecordError::RecordLength { length: 1 })
    );
}

#[test]
fn registers_that_firmware_saved_begin_with_the_status() {
    let check = MachineCheck::from_registers(0xc000_2151, &[1, 2, 3, 4, 5, 6]).unwrap();
    assert_eq!(
        (check.bank, check.status, check.config, check.synd),
        (21, 1, 4, 6)
    );
    assert_eq!(
        MachineCheck::from_registers(0xc000_2152, &[]),
        Err(RecordError::NoStatus { msr: 0xc000_2152 })
    );
}

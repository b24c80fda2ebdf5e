use super::*;

#[test]
fn memory_controllers_of_zen_tell_channel_and_chip_select() {
    let check = MachineCheck {
        addr: 0x0600_0000_1234_5fff,
        ipid: 0x0000_0096_0025_0f00,
        synd: 0x0000_00ab_2a20_0002,
        ..amd(GENOA, 0x9c20_4000_0000_011b)
    };
    let decoded = check.decode();
    assert_eq!(decoded.what, "memory controller, channel 2: DRAM ECC error");
    assert_eq!(
        (decoded.unit, decoded.place.channel, decoded.place.chip_select),
        (Unit::Memory, Some(2), Some(2))
    );
    let address = decoded.place.address.unwrap();
    assert_eq!(
        (address.value, address.lsb, address.mode),
        (0x1234_5fc0, 6, AddressMode::Normalised)
    );
    assert_eq!(address.page(), None);
    assert_eq!(field(&decoded, "SYND", "Syndrome").unwrap().value, "0xab");
    assert_eq!(field(&decoded, "STATUS", "CECC").unwrap().value, "1");
}

#[test]
fn the_configuration_says_where_the_granularity_is() {
    let check = MachineCheck {
        addr: 0x0100_0000_0000_1fff,
        config: 1 << 8,
        ipid: 0x0001_0096_0020_0000,
        ..amd(GENOA, 0x8400_0000_0c00_0000)
    };
    let address = check.decode().place.address.unwrap();
    assert_eq!((address.value, address.lsb), (0x0100_0000_0000_1000, 12));
}

#[test]
fn physical_addresses_of_zen_are_told_by_their_bit_or_by_poison() {
    let mode = |status: u64, config| {
        let check = MachineCheck {
            addr: 0x1234_5000,
            ipid: 0x0010_00b0_0000_0000,
            config,
            ..amd(GENOA, status)
        };
        check.decode().place.address.unwrap().mode
    };
    assert_eq!(mode(0xbc40_0000_0001_0135, 1 << 11), AddressMode::Physical);
    assert_eq!(mode(0xbc00_0800_0001_0135, 1 << 11), AddressMode::Generic);
    assert_eq!(mode(0xbc00_0800_0001_0135, 0), AddressMode::Physical);
    assert_eq!(mode(0xbc00_0000_0001_0135, 0), AddressMode::Generic);
}

#[test]
fn errata_number_errors_otherwise() {
    let error = |cpuid, ipid| {
        let check = MachineCheck {
            ipid,
            ..amd(cpuid, 0x9820_0000_000a_080b)
        };
        check.decode().what
    };
    let station = 0x0002_002e_0000_0000;
    assert_eq!(
        error(0x00a0_0f12, station),
        "coherent station: probe filter ECC error"
    );
    assert_eq!(error(GENOA, station), "coherent station: counter overflow");
    assert_eq!(error(0x00b4_0f40, station), "coherent station: counter overflow");
    assert_eq!(
        error(0x00b0_0f20, station),
        "coherent station: probe filter ECC error"
    );
    let controller = 0x0000_0096_0000_0000;
    assert_eq!(
        error(0x00a9_0f00, controller),
        "memory controller of HBM, channel 0: thermal throttling"
    );
}

#[test]
fn codes_that_no_table_has_keep_their_number() {
    let check = MachineCheck {
        ipid: 0x0000_00b0_0000_0000,
        ..amd(GENOA, 0x9820_0000_003f_0135)
    };
    assert_eq!(
        check.decode().what,
        "load store unit: data memory data read error, L1, extended code 63"
    );
    let check = MachineCheck {
        ipid: 0x0000_0012_0000_0000,
        ..check
    };
    assert!(check.decode().what.starts_with("RAS microprocessor (MPRAS): "));
    let check = MachineCheck {
        ipid: 0x0099_0999_0000_0000,
        ..check
    };
    assert_eq!(check.decode().what, "data memory data read error, L1");
}

#[test]
fn banks_before_zen_have_fixed_parts() {
    let cases = [
        (
            4,
            0x9c20_4000_0008_0813,
            "northbridge: DRAM ECC error",
            Unit::Memory,
        ),
        (
            4,
            0xb200_0010_0003_0e0f,
            "northbridge: link master abort",
            Unit::Link,
        ),
        (
            4,
            0xb600_0000_0007_0e0f,
            "northbridge: watchdog timeout",
            Unit::Fabric,
        ),
        (
            4,
            0x9400_0000_000f_0018,
            "northbridge: data error at a GART table walk",
            Unit::Io,
        ),
        (2, 0x9c00_0000_0010_017a, "L2 cache: tag ECC error", Unit::Cache),
        (
            5,
            0xb200_0000_0000_0e0f,
            "execution unit: watchdog timeout: no instruction retired",
            Unit::Core,
        ),
        (
            1,
            0x9400_0000_0001_0151,
            "instruction fetch unit: instruction cache data parity error",
            Unit::Core,
        ),
        (
            0,
            0x9400_0000_0000_0015,
            "load store unit: data TLB error, L1",
            Unit::Core,
        ),
    ];
    for (bank, status, what, unit) in cases {
        let check = MachineCheck {
            bank,
            addr: 0x1234_5678,
            ..amd(BULLDOZER, status)
        };
        let decoded = check.decode();
        assert_eq!((decoded.what.as_str(), decoded.unit), (what, unit), "bank {bank}");
    }
    let check = MachineCheck {
        bank: 4,
        addr: 0x1234_5678,
        ..amd(BULLDOZER, 0x9c20_4000_ab08_0813)
    };
    let decoded = check.decode();
    assert_eq!(decoded.place.address.unwrap().page(), Some(0x12345));
    assert_eq!(field(&decoded, "STATUS", "Syndrome").unwrap().value, "0xab40");
}

#[test]
fn the_text_of_the_replaceable_unit_needs_the_configuration() {
    let text = *b"P0_CHANNEL_C\0\0\0\0";
    let half = |range: std::ops::Range<usize>| u64::from_le_bytes(text[range].try_into().unwrap());
    let check = MachineCheck {
        ipid: 0x0000_0096_0020_0000,
        synd1: half(0..8),
        synd2: half(8..16),
        config: 1 << 9,
        ..amd(GENOA, 0x9c20_4000_0000_011b)
    };
    assert_eq!(check.decode().place.fru.as_deref(), Some("P0_CHANNEL_C"));
    assert_eq!(MachineCheck { config: 0, ..check }.decode().place.fru, None);
}

#[test]
fn threshold_counters_are_shown() {
    let check = MachineCheck {
        misc: 0xd01b_0fff_0100_0000,
        ipid: 0x0000_0096_0020_0000,
        ..amd(GENOA, 0x9c20_4000_0000_011b)
    };
    let decoded = check.decode();
    assert_eq!(field(&decoded, "MISC", "ErrCnt").unwrap().value, "4095");
    assert_eq!(field(&decoded, "MISC", "Ovrflw").unwrap().value, "1");
    assert_eq!(decoded.corrected_count, None);
}

#[test]
fn the_global_registers_are_spelled_out() {
    let check = MachineCheck {
        mcg_status: 0b1101,
        ..xeon(0xbd80_0000_0010_0134)
    };
    let decoded = check.decode();
    let names: Vec<&str> = decoded
        .fields
        .iter()
        .filter(|field| field.register == "MCG_STATUS" && field.name != "raw")
        .map(|field| field.name)
        .collect();
    assert_eq!(names, ["RIPV", "MCIP", "LMCE"]);
    assert_eq!(field(&decoded, "MCG_CAP", "Count").unwrap().value, "20");
    assert!(field(&decoded, "MCG_CAP", "MCG_SER_P").is_some());
    assert_eq!(
        field(&decoded, "STATUS", "outcome").unwrap().meaning,
        "SRAR: S and AR are set"
    );
}

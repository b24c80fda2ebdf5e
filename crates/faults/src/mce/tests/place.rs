use super::*;

/// A bank of an Intel processor of family 6.
fn of_model(model: u32, bank: u8, status: u64, misc: u64) -> Decoded {
    let check = MachineCheck {
        bank,
        misc,
        addr: 0x12_3456_7fff,
        cpuid: (model >> 4) << 16 | 6 << 8 | (model & 0xf) << 4 | 4,
        ..xeon(status)
    };
    check.decode()
}

#[test]
fn io_errors_name_the_function() {
    let check = MachineCheck {
        misc: 0x0000_0001_3a8d_0000,
        ..xeon(0xba00_0000_0000_0e0b)
    };
    let decoded = check.decode();
    assert_eq!(decoded.place.pci.unwrap().to_string(), "0001:3a:11.5");
    assert_eq!(decoded.unit, Unit::Io);
    assert!(!decoded.title.contains("3a"));
    // Without MISC it is a bus error like others.
    assert_eq!(xeon(0xb200_0000_0000_0e0b).decode().unit, Unit::Bus);
}

#[test]
fn addresses_are_as_exact_as_they_say() {
    let exact = |misc| {
        of_model(0x9e, 1, 0x8c00_0000_0000_0134, misc)
            .place
            .address
            .unwrap()
    };
    let line = exact(0x86);
    assert_eq!(
        (line.value, line.lsb, line.mode),
        (0x12_3456_7fc0, 6, AddressMode::Physical)
    );
    assert_eq!(line.page(), Some(0x123_4567));
    let page = exact(0x8c);
    assert_eq!((page.value, page.page()), (0x12_3456_7000, Some(0x123_4567)));
    assert_eq!(exact(0x95).page(), None);
    assert_eq!(exact(0x46).mode, AddressMode::Linear);
    assert_eq!(exact(0x106).mode, AddressMode::Generic);
    // Nothing says what it is.
    let bare = of_model(0x9e, 1, 0x8400_0000_0000_0134, 0x86)
        .place
        .address
        .unwrap();
    assert_eq!(
        (bare.mode, bare.lsb, bare.page()),
        (AddressMode::Generic, 0, None)
    );
    assert_eq!(of_model(0x9e, 1, 0x8000_0000_0000_0134, 0x86).place.address, None);
}

#[test]
fn ranks_of_haswell_and_skylake() {
    let misc = 3 << 62 | 2 << 46 | 9 << 51 | 0x86;
    for (model, bank) in [(0x2d, 8), (0x3e, 16), (0x3f, 9), (0x4f, 10), (0x55, 13)] {
        let place = of_model(model, bank, 0x8c00_0040_0080_0091, misc).place;
        assert_eq!((place.channel, place.ranks), (Some(1), vec![2, 9]), "{model:#x}");
    }
    // The log is only of corrected errors.
    assert!(
        of_model(0x3f, 9, 0xac00_0040_0080_0091, misc)
            .place
            .ranks
            .is_empty()
    );
}

#[test]
fn cells_of_ice_lake_sapphire_and_granite_rapids() {
    let cell = |decoded: Decoded| (decoded.place.cell.unwrap(), decoded.place);
    // Fields as `i10nm_mc_decode` of Linux 7.2 takes them apart.
    let misc = 0x123 << 9
        | 0x1_2345 << 19
        | 0b10 << 40
        | 0b01 << 42
        | 1 << 44
        | 17 << 46
        | 3 << 52
        | 6 << 56
        | 1 << 59;
    let (ice, place) = cell(of_model(0x6a, 18, 0x8c00_0040_0080_0090, misc));
    assert_eq!(
        (place.controller, place.channel, place.dimm),
        (Some(1), Some(1), Some(1))
    );
    assert_eq!(place.ranks, [2]);
    assert_eq!(
        (ice.bank_group, ice.bank, ice.row, ice.column),
        (6, 1, 0x1_2345, 0x48c)
    );
    assert_eq!((ice.device, ice.sub_rank), (Some(17), Some(3)));

    let misc = 0x123 << 9 | 0x1_2345 << 19 | 0b10 << 37 | 0b11 << 39 | 1 << 41 | 1 << 57 | 1 << 58;
    let (sapphire, place) = cell(of_model(0x8f, 16, 0x8c00_0040_0080_0090, misc));
    assert_eq!(
        (place.controller, place.channel, place.dimm),
        (Some(1), Some(1), Some(1))
    );
    assert_eq!(
        (sapphire.bank_group, sapphire.bank, sapphire.row),
        (6, 3, 0x1_2345)
    );
    assert_eq!(place.ranks, [1]);

    let misc = 0x123 << 9 | 0x1_2345 << 19 | 0b10 << 37 | 0b101 << 39 | 5 << 43 | 2 << 51 | 3 << 55 | 1 << 57;
    let (granite, place) = cell(of_model(0xad, 24, 0x8c00_0042_0080_0090, misc));
    assert_eq!(
        (place.controller, place.channel, place.dimm),
        (Some(11), Some(0), Some(1))
    );
    assert_eq!(
        (granite.bank_group, granite.bank, granite.device),
        (5, 2, Some(5))
    );
    assert_eq!(place.ranks, [3]);
    // Bit 33 of the status says whether MISC holds a cell.
    assert_eq!(of_model(0xad, 24, 0x8c00_0040_0080_0090, misc).place.cell, None);
    // Persistent memory has no such cells.
    assert_eq!(of_model(0x6a, 18, 0x8c00_0040_0800_0090, misc).place.cell, None);
}

#[test]
fn nehalem_tells_module_and_channel() {
    let place = of_model(0x1a, 8, 0x8c00_0040_0001_009f, 0xdead_beef_0009_0042).place;
    assert_eq!((place.channel, place.dimm), (Some(2), Some(1)));
}

#[test]
fn what_failed_is_said_with_the_part_that_reports() {
    let cases = [
        (
            0x55,
            4,
            0xba00_0000_4400_0402,
            "power control unit: internal error: MCA_SVID_CRITICAL_VR_FAILED",
            Unit::PowerControl,
        ),
        (
            0x55,
            5,
            0x8800_0040_0030_0e0f,
            "socket link (UPI): CRC error at the receiver, retried",
            Unit::Link,
        ),
        (
            0x55,
            8,
            0x8c00_0040_0001_009f,
            "memory controller read error, channel not specified: data read from memory is bad",
            Unit::Memory,
        ),
        (
            0x55,
            10,
            0xbe20_0000_000c_110a,
            "last level cache slice (CHA): generic cache generic error, L2",
            Unit::Cache,
        ),
        (
            0x3f,
            20,
            0x8800_0040_0031_0c0f,
            "socket link (QPI): CRC error at the receiver, retried",
            Unit::Link,
        ),
        (
            0x6a,
            4,
            0xba00_0000_6a00_0402,
            "power control unit: internal error: MCA_PKGS_RESET_PREP_TIMEOUT",
            Unit::PowerControl,
        ),
        (
            0x55,
            1,
            0xbd80_0000_0010_0134,
            "data cache data read error, L0",
            Unit::Cache,
        ),
        (
            0x55,
            0,
            0xbd80_0000_0010_0150,
            "instruction cache instruction fetch error, L0",
            Unit::Cache,
        ),
        (0x8f, 2, 0x9000_0040_0001_0014, "data TLB error, L0", Unit::Tlb),
        (0x9e, 3, 0xbe00_0000_0080_0400, "internal timer error", Unit::Core),
    ];
    for (model, bank, status, what, unit) in cases {
        let decoded = of_model(model, bank, status, 0x86);
        assert_eq!(
            (decoded.what.as_str(), decoded.unit),
            (what, unit),
            "{model:#x} bank {bank}"
        );
    }
}

#[test]
fn zhaoxin_is_read_as_intel_without_intels_models() {
    let check = MachineCheck {
        vendor: 10,
        bank: 13,
        cpuid: SKYLAKE,
        ..xeon(0x8c00_0040_0080_0091)
    };
    assert_eq!(check.decode().what, "memory controller read error, channel 1");
}

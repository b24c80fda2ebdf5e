//! Processors before Zen, families 0Fh to 16h: the number of a bank says what it belongs to.
//!
//! From the BKDGs, "Machine Check Architecture", compared with Linux 7.2 `drivers/edac/mce_amd.c`.

use super::super::bits::{byte, field};
use super::super::code::Code;
use super::super::field::Fields;
use super::super::status::bit;
use super::super::{Address, AddressMode, MachineCheck, Place, Unit};

/// What a bank is: name, part, words by extended code.
struct Bank {
    name: &'static str,
    unit: Unit,
    errors: Errors,
}

/// Words by extended error code.
type Errors = &'static [(u8, &'static str)];

const NORTHBRIDGE: u8 = 4;

/// Whether the processor is one of these.
pub(super) fn applies(check: &MachineCheck) -> bool {
    check.ipid == 0 && (0x0f..0x17).contains(&check.family())
}

pub(super) fn decode(
    check: &MachineCheck,
    code: Code,
    place: &mut Place,
    fields: &mut Fields,
) -> (String, Unit) {
    let extended = extended(check);
    let Some(bank) = bank(check) else {
        fields.number("STATUS", "ErrorCodeExt", extended.to_string(), "");
        place.address = address(check, false, fields);
        return (code.words(), code.unit());
    };
    place.bank_name = Some(bank.name.to_owned());
    // The tables of the cores speak of memory codes; for others the code says more.
    let applies = check.bank >= NORTHBRIDGE || matches!(code, Code::Cache { .. });
    let error = bank
        .errors
        .iter()
        .find(|(value, _)| applies && *value == extended);
    let error = error.map(|(_, words)| *words).or_else(|| table_walk(check, code));
    fields.number(
        "STATUS",
        "ErrorCodeExt",
        extended.to_string(),
        error.unwrap_or_default(),
    );
    let is_dram = check.bank == NORTHBRIDGE && matches!(extended, 0 | 8);
    if check.bank == NORTHBRIDGE {
        northbridge(check, extended, fields);
    }
    place.address = address(check, is_dram, fields);
    let unit = if check.bank == NORTHBRIDGE {
        northbridge_unit(extended)
    } else {
        bank.unit
    };
    let words = error.map_or_else(|| code.words(), str::to_owned);
    (format!("{}: {words}", bank.name), unit)
}

/// The extended error code: its width grew with the families.
fn extended(check: &MachineCheck) -> u8 {
    let last = match (check.bank, check.family(), check.model()) {
        (NORTHBRIDGE, ..) => 20,
        (_, 0x15, 0x60) => 21,
        (_, 0x15 | 0x16, _) => 20,
        _ => 19,
    };
    byte(check.status, 16, last)
}

fn bank(check: &MachineCheck) -> Option<Bank> {
    let modern = check.family() >= 0x15;
    let bulldozer = check.family() == 0x15;
    let (name, unit, errors): (_, _, Errors) = match check.bank {
        0 if modern => (
            "load store unit",
            Unit::Core,
            if bulldozer { LOAD_STORE } else { &[] },
        ),
        0 => ("data cache", Unit::Cache, &[]),
        1 if modern => (
            "instruction fetch unit",
            Unit::Core,
            if bulldozer { FETCH } else { &[] },
        ),
        1 => ("instruction cache", Unit::Cache, &[]),
        2 if bulldozer => ("L2 cache", Unit::Cache, L2_CACHE),
        2 if modern => ("L2 cache", Unit::Cache, L2_CACHE_JAGUAR),
        2 => ("bus unit", Unit::Cache, &[]),
        3 if !modern => ("load store unit", Unit::Core, &[]),
        NORTHBRIDGE => ("northbridge", Unit::Fabric, NORTHBRIDGE_ERRORS),
        5 if modern => ("execution unit", Unit::Core, EXECUTION),
        5 => ("reorder buffer", Unit::Core, EXECUTION),
        6 => ("floating point unit", Unit::Core, FLOATING_POINT),
        _ => return None,
    };
    Some(Bank { name, unit, errors })
}

/// Code 15 of the northbridge means two things.
fn table_walk(check: &MachineCheck, code: Code) -> Option<&'static str> {
    match code {
        Code::Tlb { .. } if check.bank == NORTHBRIDGE && extended(check) == 0xf => {
            Some("data error at a GART table walk")
        }
        Code::Bus { .. } if check.bank == NORTHBRIDGE && extended(check) == 0xf => {
            Some("data error at a DMA exclusion table walk")
        }
        _ => None,
    }
}

fn northbridge_unit(extended: u8) -> Unit {
    match extended {
        0x00 | 0x08 | 0x0d => Unit::Memory,
        0x01..=0x04 | 0x0a | 0x0b | 0x0e => Unit::Link,
        0x05 | 0x06 | 0x09 | 0x0f => Unit::Io,
        0x1c..=0x1e => Unit::Cache,
        _ => Unit::Fabric,
    }
}

/// The syndrome, the link and the scrubber.
fn northbridge(check: &MachineCheck, extended: u8, fields: &mut Fields) {
    let low = field(check.status, 47, 54);
    match extended {
        0 => fields.number("STATUS", "Syndrome", format!("{low:#04x}"), "ECC syndrome"),
        8 => {
            let syndrome = field(check.status, 24, 31);
            fields.number(
                "STATUS",
                "Syndrome",
                format!("{:#06x}", syndrome << 8 | low),
                "x4 or x8 ECC syndrome",
            );
        }
        1..=4 | 6 | 0xa | 0xb | 0xe => {
            fields.number(
                "STATUS",
                "Link",
                field(check.status, 36, 39).to_string(),
                "HyperTransport link",
            );
        }
        _ => {}
    }
}

/// The address is physical for memory errors of the northbridge; whether others are is not known.
fn address(check: &MachineCheck, is_dram: bool, fields: &mut Fields) -> Option<Address> {
    if !check.has(bit::ADDR_VALID) {
        return None;
    }
    let mode = if is_dram {
        AddressMode::Physical
    } else {
        AddressMode::Generic
    };
    fields.number("ADDR", "ErrorAddr", format!("{:#x}", check.addr), mode.as_str());
    Some(Address {
        value: check.addr,
        lsb: 0,
        mode,
    })
}

const NORTHBRIDGE_ERRORS: Errors = &[
    (0x00, "DRAM ECC error"),
    (0x01, "link CRC error"),
    (0x02, "sync packets on a link"),
    (0x03, "link master abort"),
    (0x04, "link target abort"),
    (0x05, "invalid GART entry"),
    (0x06, "unsupported atomic request from I/O"),
    (0x07, "watchdog timeout"),
    (0x08, "DRAM ECC error"),
    (0x09, "DMA exclusion vector error"),
    (0x0a, "link data error"),
    (0x0b, "protocol error of link, L3 cache or probe filter"),
    (0x0c, "internal array parity error"),
    (0x0d, "DRAM command or address parity error"),
    (0x0e, "link retry after a transmission error"),
    (0x19, "bad data from a compute unit"),
    (0x1c, "L3 cache data ECC error"),
    (0x1d, "L3 cache tag error"),
    (0x1e, "L3 cache LRU parity error"),
    (0x1f, "probe filter directory ECC error"),
];

const LOAD_STORE: Errors = &[
    (0x00, "data array error"),
    (0x01, "uncorrected data at a fill from L2 or northbridge"),
    (0x02, "store queue error"),
    (0x03, "store coalescing buffer error"),
    (0x10, "tag error"),
    (0x11, "store queue error"),
    (0x12, "load queue error"),
];

const FETCH: Errors = &[
    (0x00, "uncorrected data at a fill from L2"),
    (0x01, "instruction cache data parity error"),
    (0x02, "instruction cache valid bit parity error"),
    (0x03, "main tag parity error"),
    (0x04, "prediction queue parity error"),
    (0x05, "prefetch buffer data or address parity error"),
    (0x06, "branch status register parity error"),
    (0x07, "prefetch buffer promotion address error"),
    (0x08, "tag error at a probe or eviction"),
    (0x09, "probe tag valid bit parity error"),
    (0x0a, "prefetch buffer non-cacheable bit parity error"),
    (0x0d, "prefetch buffer valid bit parity error"),
    (0x10, "microcode patch buffer error"),
    (0x11, "decoder micro-op queue parity error"),
    (0x12, "decoder instruction buffer parity error"),
    (0x13, "decoder predecode buffer parity error"),
    (0x14, "decoder fetch address FIFO parity error"),
    (0x15, "decoder dispatch queue parity error"),
];

const L2_CACHE: Errors = &[
    (0x04, "ECC error at a data fill"),
    (0x05, "parity error at an instruction fill"),
    (0x06, "prefetcher request FIFO parity error"),
    (0x07, "prefetch request queue address parity error"),
    (0x08, "prefetch request queue data parity error"),
    (0x09, "write coalescing cache tag ECC error"),
    (0x0a, "write coalescing cache data ECC error"),
    (0x0b, "write coalescing buffer data parity error"),
    (0x0c, "victim buffer data error"),
    (0x10, "tag ECC error"),
    (0x11, "hard tag ECC error"),
    (0x12, "tag matched more than once"),
    (0x13, "address buffer parity error"),
    (0x14, "probe buffer address parity error"),
];

/// Family 16h. Codes of one sort stand for the access at which the error was found.
const L2_CACHE_JAGUAR: Errors = &[
    (0x04, "buffer parity error"),
    (0x05, "buffer parity error"),
    (0x09, "tag ECC error"),
    (0x0a, "tag ECC error"),
    (0x0b, "tag ECC error"),
    (0x0d, "tag ECC error"),
    (0x0e, "tag ECC error"),
    (0x0f, "tag ECC error"),
    (0x10, "data ECC error"),
    (0x11, "data ECC error"),
    (0x12, "data ECC error"),
    (0x13, "data ECC error"),
    (0x14, "data ECC error"),
    (0x15, "data ECC error"),
    (0x16, "data ECC error"),
    (0x17, "data ECC error"),
    (0x18, "data ECC error"),
    (0x19, "data ECC error"),
    (0x1b, "data ECC error"),
    (0x1c, "attribute parity error"),
    (0x1d, "attribute parity error"),
    (0x1f, "attribute parity error"),
];

const EXECUTION: Errors = &[
    (0x00, "watchdog timeout: no instruction retired"),
    (0x01, "wakeup array destination tag parity error"),
    (0x02, "address generator payload parity error"),
    (0x03, "execution payload parity error"),
    (0x04, "immediate displacement array parity error"),
    (0x05, "retire dispatch queue parity error"),
    (0x06, "mapper checkpoint array parity error"),
    (0x07, "register file parity error, port EX0"),
    (0x08, "register file parity error, port EX1"),
    (0x09, "register file parity error, port AG0"),
    (0x0a, "register file parity error, port AG1"),
    (0x0b, "flag register file parity error"),
    (0x0c, "decode unit error"),
    (0x0d, "retire status queue parity error"),
];

const FLOATING_POINT: Errors = &[
    (0x00, "hardware assertion"),
    (0x01, "free list parity error"),
    (0x02, "physical register file parity error"),
    (0x03, "retire queue parity error"),
    (0x04, "scheduler parity error"),
    (0x05, "status register file parity error"),
];

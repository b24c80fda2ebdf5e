//! AMD's fields of the registers (APM 2, 9.3.2; PPR family 19h, `MCA_STATUS` and those beside it; Linux 7.2,
//! `arch/x86/include/asm/mce.h`, `arch/x86/kernel/cpu/mce/amd.c` and `drivers/edac/amd64_edac.c`).

use super::super::bits::{byte, field};
use super::super::field::Fields;
use super::super::status::bit;
use super::super::{Address, AddressMode, MachineCheck, Place};
use super::block::{Block, Kind};
use super::legacy;

const FLAGS: &[(u64, &str, &str)] = &[
    (
        bit::TASK_CONTEXT_CORRUPT,
        "TCC",
        "the running thread's state is lost",
    ),
    (
        bit::PHYSICAL_ADDR_VALID,
        "PADDRV",
        "ADDR is a physical address of the machine",
    ),
    (bit::SYNDROME_VALID, "SyndV", "SYND holds the syndrome"),
    (bit::CORRECTED_ECC, "CECC", "corrected by ECC"),
    (bit::UNCORRECTED_ECC, "UECC", "found by ECC and not corrected"),
    (
        bit::DEFERRED,
        "Deferred",
        "bad data was marked, nobody has used it yet",
    ),
    (bit::POISON, "Poison", "data that was marked bad was used"),
    (bit::SCRUB, "Scrub", "found by a scrubber"),
];

/// Flags that processors before Zen use otherwise.
const SINCE_ZEN: u64 = bit::PHYSICAL_ADDR_VALID | bit::SYNDROME_VALID;

/// `MCA_CONFIG`: the syndrome registers 1 and 2 hold the text of the replaceable unit.
const TEXT: u64 = 1 << 9;
/// `MCA_CONFIG`: the lowest valid bit of the address is in the status.
const LSB_IN_STATUS: u64 = 1 << 8;
/// `MCA_CONFIG`: PADDRV exists.
const PHYSICAL_ADDR: u64 = 1 << 11;

/// AMD's flags of the status that are set, and the core that reported.
pub(super) fn status(check: &MachineCheck, fields: &mut Fields) {
    let old = legacy::applies(check);
    for (flag, name, meaning) in FLAGS {
        if check.has(*flag) && !(old && flag & SINCE_ZEN != 0) {
            fields.flag("STATUS", name, true, meaning);
        }
    }
    if check.has(bit::CORE_VALID) {
        let core = field(check.status, 32, if old { 35 } else { 37 });
        fields.number(
            "STATUS",
            "ErrCoreId",
            core.to_string(),
            "the core of the group that reported",
        );
    }
}

/// `MCA_MISC0`: the counter of corrected errors that interrupts at a threshold.
pub(super) fn misc(check: &MachineCheck, fields: &mut Fields) {
    const VALID: u64 = 1 << 63;
    const COUNTER: u64 = 1 << 62;
    const OVERFLOW: u64 = 1 << 48;
    if !check.has(bit::MISC_VALID) {
        return;
    }
    fields.number("MISC", "raw", format!("{:#018x}", check.misc), "");
    if check.misc & VALID == 0 || check.misc & COUNTER == 0 {
        return;
    }
    fields.flag(
        "MISC",
        "Locked",
        field(check.misc, 61, 61) != 0,
        "firmware owns the counter",
    );
    fields.flag(
        "MISC",
        "CntEn",
        field(check.misc, 51, 51) != 0,
        "the counter counts",
    );
    let kind = field(check.misc, 49, 50);
    let interrupt = match kind {
        0 => "no interrupt",
        1 => "APIC interrupt",
        2 => "system management interrupt",
        _ => "reserved",
    };
    fields.number("MISC", "ThresholdIntType", kind.to_string(), interrupt);
    fields.flag(
        "MISC",
        "Ovrflw",
        check.misc & OVERFLOW != 0,
        "the threshold was reached",
    );
    let count = field(check.misc, 32, 43);
    fields.number(
        "MISC",
        "ErrCnt",
        count.to_string(),
        "counts up to 4095 from where software started it",
    );
    fields.number(
        "MISC",
        "BlkPtr",
        field(check.misc, 24, 31).to_string(),
        "non-zero: there are more counters",
    );
}

/// `MCA_IPID` and `MCA_SYND`.
pub(super) fn identity(check: &MachineCheck, fields: &mut Fields) {
    if check.ipid != 0 {
        fields.number(
            "IPID",
            "HardwareID",
            format!("{:#05x}", field(check.ipid, 32, 43)),
            "",
        );
        fields.number("IPID", "McaType", format!("{:#x}", field(check.ipid, 48, 63)), "");
        fields.number(
            "IPID",
            "InstanceIdHi",
            field(check.ipid, 44, 47).to_string(),
            "node",
        );
        fields.number(
            "IPID",
            "InstanceId",
            format!("{:#010x}", field(check.ipid, 0, 31)),
            "",
        );
    }
    if check.ipid != 0 && check.has(bit::SYNDROME_VALID) {
        fields.number("SYND", "raw", format!("{:#018x}", check.synd), "");
        fields.number(
            "SYND",
            "ErrorPriority",
            field(check.synd, 24, 26).to_string(),
            priority(check.synd),
        );
        let length = field(check.synd, 18, 23);
        fields.number("SYND", "Length", length.to_string(), "bits of the syndrome");
        // A field of 32 bits at most, however long the length says.
        let mask = (1u64 << length.min(32)) - 1;
        fields.number("SYND", "Syndrome", format!("{:#x}", check.synd >> 32 & mask), "");
        fields.number(
            "SYND",
            "ErrorInformation",
            format!("{:#07x}", field(check.synd, 0, 17)),
            "",
        );
    }
}

fn priority(synd: u64) -> &'static str {
    match field(synd, 24, 26) {
        0 => "no error",
        1 => "transparent",
        2 => "corrected",
        3 => "deferred",
        4 => "uncorrected",
        5 => "fatal",
        _ => "reserved",
    }
}

/// The text that firmware puts into the two further syndrome registers, when the configuration says that it does.
pub(super) fn replaceable_unit(check: &MachineCheck, fields: &mut Fields) -> Option<String> {
    if check.synd1 == 0 && check.synd2 == 0 {
        return None;
    }
    fields.number("SYND1", "raw", format!("{:#018x}", check.synd1), "");
    fields.number("SYND2", "raw", format!("{:#018x}", check.synd2), "");
    if check.config & TEXT == 0 || !check.has(bit::SYNDROME_VALID) {
        return None;
    }
    let bytes = [check.synd1.to_le_bytes(), check.synd2.to_le_bytes()].concat();
    let text: String = bytes
        .iter()
        .take_while(|byte| **byte != 0)
        .map(|byte| {
            if byte.is_ascii_graphic() || *byte == b' ' {
                char::from(*byte)
            } else {
                '.'
            }
        })
        .collect();
    let text = text.trim();
    fields.number("SYND1", "FRU text", text.to_owned(), "the replaceable unit");
    (!text.is_empty()).then(|| text.to_owned())
}

/// The address and how exact it is.
pub(super) fn address(check: &MachineCheck, block: Option<&Block>, fields: &mut Fields) -> Option<Address> {
    if !check.has(bit::ADDR_VALID) {
        return None;
    }
    let (lsb, last) = granularity(check);
    let value = check.addr & (u64::MAX << lsb) & (u64::MAX >> (63 - last));
    let mode = mode(check, block);
    fields.number("ADDR", "ErrorAddr", format!("{value:#x}"), mode.as_str());
    if lsb != 0 {
        fields.number(
            "ADDR",
            "AddrLsb",
            lsb.to_string(),
            "lowest valid bit of the address",
        );
    }
    Some(Address { value, lsb, mode })
}

/// The lowest and the highest valid bit of the address. The kernel clears the lowest bit's number in the register before
/// it reports; then the number is 0 here.
fn granularity(check: &MachineCheck) -> (u8, u8) {
    let in_status = byte(check.status, 24, 29);
    let in_addr = byte(check.addr, 56, 61);
    if legacy::applies(check) {
        return (0, 63);
    }
    if check.config & LSB_IN_STATUS != 0 {
        return (in_status, 56);
    }
    // Without the configuration, a number in one of the two places speaks for itself.
    if check.config == 0 && in_addr == 0 && in_status != 0 {
        return (in_status, 56);
    }
    (in_addr, 55)
}

/// Which addresses are physical (Linux 7.2, `amd_mce_usable_address`).
fn mode(check: &MachineCheck, block: Option<&Block>) -> AddressMode {
    if check.config & PHYSICAL_ADDR != 0 || check.config == 0 && check.has(bit::PHYSICAL_ADDR_VALID) {
        return if check.has(bit::PHYSICAL_ADDR_VALID) {
            AddressMode::Physical
        } else {
            AddressMode::Generic
        };
    }
    let memory = block.is_some_and(|block| matches!(block.kind, Kind::Controller | Kind::StackedController));
    match memory {
        true => AddressMode::Normalised,
        false if check.has(bit::POISON) => AddressMode::Physical,
        false => AddressMode::Generic,
    }
}

/// The channel and chip select of a memory controller (Linux 7.2, `umc_get_err_info` and `gpu_get_err_info`).
pub(super) fn memory(check: &MachineCheck, block: &Block, place: &mut Place, fields: &mut Fields) {
    let instance = field(check.ipid, 20, 31);
    let dram_error = super::extended(check) == 0;
    match block.kind {
        Kind::Plain | Kind::Cache(_) => {}
        Kind::Controller => {
            place.channel = u8::try_from(instance).ok();
            if dram_error && check.has(bit::SYNDROME_VALID) {
                let select = byte(check.synd, 0, 1);
                place.chip_select = Some(select);
                fields.number("SYND", "ChipSelect", select.to_string(), "");
            }
        }
        Kind::StackedController => {
            let physical = byte(check.ipid, 12, 15);
            place.channel = Some(if instance.is_multiple_of(2) {
                physical
            } else {
                physical + 4
            });
        }
    }
}

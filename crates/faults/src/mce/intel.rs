//! The architectural compound error codes (SDM 3B, 17.9).

use super::MachineCheck;

/// "Corrected filtering": the hardware reports fewer of these; not a part of the code.
const FILTERED: u16 = 1 << 12;

const TRANSACTIONS: [&str; 4] = ["instruction", "data", "generic", "reserved"];
const LEVELS: [&str; 4] = ["L0", "L1", "L2", "generic level"];
const REQUESTS: [&str; 9] = [
    "generic",
    "read",
    "write",
    "data read",
    "data write",
    "instruction fetch",
    "prefetch",
    "eviction",
    "snoop",
];
const MEMORY: [&str; 8] = [
    "generic",
    "read",
    "write",
    "address or command",
    "scrub",
    "reserved",
    "reserved",
    "reserved",
];
const PARTICIPANTS: [&str; 4] = [
    "local processor originated",
    "local processor responded",
    "observed by third party",
    "generic",
];
const PLACES: [&str; 4] = ["memory access", "reserved", "I/O", "other transaction"];
const SIMPLE: [&str; 7] = [
    "no error",
    "unclassified error",
    "microcode ROM parity error",
    "external error",
    "functional redundancy check error",
    "internal parity error",
    "SMM handler code access violation",
];
/// The code that the kernel makes up when firmware reports a memory error; it is no decoded controller code.
const FROM_FIRMWARE: u16 = 0x9f;

/// What failed.
pub(super) fn what(check: &MachineCheck) -> String {
    let code = code(check);
    if check.bank >= 128 {
        return software_bank(check);
    }
    let level = pick(&LEVELS, code & 3);
    let transaction = pick(&TRANSACTIONS, code >> 2 & 3);
    let request = REQUESTS
        .get(usize::from(code >> 4 & 0xf))
        .copied()
        .unwrap_or("reserved");
    match code {
        0..=6 => pick(&SIMPLE, code).to_owned(),
        0x000c..=0x000f => format!("cache hierarchy error, {level}"),
        0x0010..=0x001f => format!("{transaction} TLB error, {level}"),
        FROM_FIRMWARE if check.bank == u8::MAX => "memory error reported by firmware".to_owned(),
        0x0080..=0x00ff => memory("memory controller", code),
        0x0280..=0x02ff => memory("memory cache controller", code),
        0x0100..=0x01ff => format!("{transaction} cache {request} error, {level}"),
        0x0400 => "internal timer error".to_owned(),
        0x0401..=0x07ff => "internal unclassified error".to_owned(),
        0x0800..=0x0fff => {
            let timeout = if code & 0x100 == 0 { "" } else { ", timed out" };
            let participant = pick(&PARTICIPANTS, code >> 9 & 3);
            let place = pick(&PLACES, code >> 2 & 3);
            format!("bus or interconnect {request} error, {place}, {participant}, {level}{timeout}")
        }
        _ => format!("unknown error code {code:#06x}"),
    }
}

fn code(check: &MachineCheck) -> u16 {
    (check.status & 0xffff) as u16 & !FILTERED
}

fn memory(controller: &str, code: u16) -> String {
    let request = pick(&MEMORY, code >> 4 & 7);
    match code & 0xf {
        0xf => format!("{controller} {request} error, channel not specified"),
        channel => format!("{controller} {request} error, channel {channel}"),
    }
}

/// Banks that the kernel makes up.
fn software_bank(check: &MachineCheck) -> String {
    match check.bank {
        128 if check.status & 1 != 0 => "temperature above the threshold, clock throttled".to_owned(),
        128 => "temperature back to normal".to_owned(),
        u8::MAX => "memory error reported by firmware".to_owned(),
        bank => format!("event of software bank {bank}"),
    }
}

fn pick<'n>(names: &[&'n str], index: u16) -> &'n str {
    names.get(usize::from(index)).copied().unwrap_or("reserved")
}

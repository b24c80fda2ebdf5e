//! AMD's error codes (APM 2, 9.3.3) and the blocks of scalable machine-check architecture (PPR 3.1.5).

use super::MachineCheck;

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
    "probe",
];

/// Hardware id and type of `MCA_IPID` to the block that the bank belongs to.
const BLOCKS: &[(u16, u16, &str)] = &[
    (0x0b0, 0x00, "load store unit"),
    (0x0b0, 0x10, "load store unit"),
    (0x0b0, 0x01, "instruction fetch unit"),
    (0x0b0, 0x02, "L2 cache"),
    (0x0b0, 0x03, "decode unit"),
    (0x0b0, 0x05, "execution unit"),
    (0x0b0, 0x06, "floating point unit"),
    (0x0b0, 0x07, "L3 cache"),
    (0x02e, 0x00, "coherent slave"),
    (0x02e, 0x02, "coherent slave"),
    (0x02e, 0x01, "power, interrupts, etc."),
    (0x02e, 0x04, "memory-attached last level cache"),
    (0x096, 0x00, "memory controller"),
    (0x096, 0x01, "memory controller"),
    (0x005, 0x00, "parameter block"),
    (0x0ff, 0x00, "platform security processor"),
    (0x0ff, 0x01, "platform security processor"),
    (0x001, 0x00, "system management unit"),
    (0x001, 0x01, "system management unit"),
    (0x001, 0x02, "microprocessor 5"),
    (0x001, 0x03, "data mover"),
    (0x018, 0x00, "northbridge I/O"),
    (0x046, 0x00, "PCI Express root port"),
    (0x046, 0x01, "PCI Express root port"),
    (0x050, 0x00, "xGMI controller"),
    (0x06c, 0x00, "northbridge interface"),
    (0x080, 0x00, "system hub"),
    (0x0a8, 0x00, "SATA"),
    (0x0aa, 0x00, "USB"),
    (0x241, 0x00, "GMI controller"),
    (0x259, 0x00, "xGMI link"),
    (0x267, 0x00, "WAFL link"),
    (0x269, 0x00, "GMI link"),
];
/// The type of the memory controllers among [`BLOCKS`].
const MEMORY_CONTROLLER: u16 = 0x096;

/// What failed.
pub(super) fn what(check: &MachineCheck) -> String {
    let code = (check.status & 0xffff) as u16;
    let error = error(code);
    let (hardware, kind) = ((check.ipid >> 32 & 0xfff) as u16, (check.ipid >> 48) as u16);
    let block = BLOCKS
        .iter()
        .find(|(id, block, _)| (*id, *block) == (hardware, kind));
    match block {
        None => error,
        Some((MEMORY_CONTROLLER, _, name)) => {
            let channel = (check.ipid & 0xffff_ffff) >> 20;
            format!(
                "{name}, channel {channel}: {error}, extended code {}",
                extended(check)
            )
        }
        Some((_, _, name)) => format!("{name}: {error}, extended code {}", extended(check)),
    }
}

/// Which error of the block it is.
fn extended(check: &MachineCheck) -> u64 {
    check.status >> 16 & 0x3f
}

fn error(code: u16) -> String {
    let level = pick(&LEVELS, code & 3);
    let transaction = pick(&TRANSACTIONS, code >> 2 & 3);
    let request = pick(&REQUESTS, code >> 4 & 0xf);
    if code & 0xfff0 == 0x0010 {
        format!("{transaction} TLB error, {level}")
    } else if code & 0xff00 == 0x0100 {
        format!("{transaction} memory {request} error, {level}")
    } else if code & 0xf800 == 0x0800 {
        let timeout = if code & 0x100 == 0 { "" } else { ", timed out" };
        format!("bus {request} error, {level}{timeout}")
    } else if code & 0xf4ff == 0x0400 {
        "internal error".to_owned()
    } else {
        format!("error code {code:#06x}")
    }
}

fn pick<'n>(names: &[&'n str], index: u16) -> &'n str {
    names.get(usize::from(index)).copied().unwrap_or("reserved")
}

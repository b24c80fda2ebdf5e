//! The memory access that failed.

use super::pattern::find;
use crate::bytes::contains;
use crate::report::{Access, AccessMode, Register};

/// What stands before the address in lines that say that an access failed.
const ADDRESSES: [&str; 8] = [
    "virtual address {x}",
    "virtual kernel address {x}",
    "for address: {x}",
    "address: {x}",
    "address 0x{x}",
    " addr {x}",
    " at 0x{x}",
    " at {x}",
];

/// Words that say what was tried: x86 (`arch/x86/mm/fault.c`), powerpc and arm (their `mm/fault.c`), KASAN, KFENCE.
const MODES: [(&str, AccessMode); 13] = [
    (" write access in ", AccessMode::Write),
    (" read access in ", AccessMode::Read),
    (" instruction fetch in ", AccessMode::Execute),
    ("when write", AccessMode::Write),
    ("when read", AccessMode::Read),
    ("when execute", AccessMode::Execute),
    (" on write at ", AccessMode::Write),
    (" on read at ", AccessMode::Read),
    ("instruction fetch", AccessMode::Execute),
    ("execute from ", AccessMode::Execute),
    ("to execute ", AccessMode::Execute),
    ("write at 0x", AccessMode::Write),
    ("read at 0x", AccessMode::Read),
];

/// Lines of most reports that begin like one about a failed access and are none.
const OTHERS: [&str; 6] = ["CPU: ", "Code: ", "Call ", "CS: ", "CR2: ", "FS: "];

/// Collects what is said of the first access that failed.
#[derive(Debug, Default)]
pub(crate) struct AccessReader {
    access: Access,
}

impl AccessReader {
    /// Reads a line without leading spaces; true when it is about a failed access and not the head of a report.
    pub(crate) fn line(&mut self, line: &str) -> bool {
        match line.as_bytes().first() {
            Some(b'#') if line.starts_with("#PF: ") => self.page_fault(line),
            Some(b'R' | b'W') => self.sanitizer(line),
            Some(b'E' | b'F' | b'C') if !OTHERS.iter().any(|start| line.starts_with(start)) => {
                self.syndrome(line)
            }
            Some(b's') => self.riscv(line),
            // The page table entries on the way to the address (`show_pte` and the like).
            Some(b'P' | b'[' | b'p' | b'*' | b'M' | b'S' | b'u' | b'A') => is_way(line),
            Some(b'B' | b'U' | b'O' | b'I' | b'g' | b'k') => {
                self.head(line);
                false
            }
            // `KASAN: null-ptr-deref in range [0x0000000000000008-0x000000000000000f]`: what the shadow's address stands for.
            Some(b'K') => {
                let range = find("in range [0x{x}-", line).and_then(|[start, ..]| number(start));
                self.access.address = range.or(self.access.address);
                range.is_some()
            }
            _ => false,
        }
    }

    /// What is known. What registers and the error code of the exception (`tried`) add counts for page faults only.
    pub(crate) fn done(
        mut self,
        tried: Option<AccessMode>,
        registers: &[Register],
        is_fault: bool,
    ) -> Option<Access> {
        if is_fault {
            let register = |name: &str| registers.iter().find(|register| register.name == name)?.number();
            let address = || {
                register("CR2")
                    .or_else(|| register("DAR"))
                    .or_else(|| register("BADVA"))
            };
            self.access.address = self.access.address.or_else(address);
            self.access.mode = self.access.mode.or(tried);
        }
        Some(self.access).filter(|access| *access != Access::default())
    }

    fn put(&mut self, mode: Option<AccessMode>, address: Option<u64>) {
        self.access.mode = self.access.mode.or(mode);
        self.access.address = self.access.address.or(address);
    }

    /// `#PF: supervisor write access in kernel mode`, `#PF: error_code(0x0002) - not-present page` (x86 since 5.1).
    fn page_fault(&mut self, line: &str) -> bool {
        self.put(mode_in(line), None);
        if let Some((_, reason)) = line.split_once(") - ") {
            self.access.reason.get_or_insert_with(|| reason.trim().to_owned());
        }
        true
    }

    /// `Read of size 8 at addr ffff888000000000 by task a/77`, `Write at addr f2ff000000000000 by ...` (KASAN).
    fn sanitizer(&mut self, line: &str) -> bool {
        let (mode, rest) = if let Some(rest) = line.strip_prefix("Read ") {
            (AccessMode::Read, rest)
        } else if let Some(rest) = line.strip_prefix("Write ") {
            (AccessMode::Write, rest)
        } else {
            return false;
        };
        let Some([address, ..]) = find("at addr {x}", rest) else {
            return false;
        };
        self.put(Some(mode), number(address));
        let size = find("of size {n}", rest).and_then(|[size, ..]| size.parse().ok());
        self.access.size = self.access.size.or(size);
        true
    }

    /// The words with which processors say why an exception happened, and other lines about it.
    fn syndrome(&mut self, line: &str) -> bool {
        if let Some([address, ..]) = find("Failing address: {x}", line) {
            self.put(None, number(address));
        } else if let Some([_, reason, ..]) = find("FSC = 0x{x}: {*}", line) {
            self.access.reason.get_or_insert_with(|| reason.trim().to_owned());
        } else if line.starts_with("EC = ") {
            self.put(line.contains(": IABT").then_some(AccessMode::Execute), None);
        } else if let Some([_, write, ..]) = find("CM = {n}, WnR = {n}", line) {
            let mode = if write == "1" {
                AccessMode::Write
            } else {
                AccessMode::Read
            };
            self.put(Some(mode), None);
        } else if let Some(mode) = cause(line) {
            self.put(Some(mode), None);
        } else {
            self.head(line);
            return ["ESR = ", "Fault in ", "Faulting instruction"]
                .iter()
                .any(|start| line.starts_with(start));
        }
        true
    }

    /// `status: ... badaddr: ... cause: ...`: the causes are those of the privileged architecture (scause).
    fn riscv(&mut self, line: &str) -> bool {
        if let Some([address, cause, ..]) = find("badaddr: {x} cause: {x}", line) {
            let mode = match number(cause) {
                Some(0 | 1 | 12) => Some(AccessMode::Execute),
                Some(4 | 5 | 13) => Some(AccessMode::Read),
                Some(6 | 7 | 15) => Some(AccessMode::Write),
                _ => None,
            };
            self.put(mode, number(address).filter(|_| mode.is_some()));
        }
        false
    }

    /// The heads of page faults and the like.
    fn head(&mut self, line: &str) {
        const WORDS: [&str; 6] = [
            "nable to handle",
            "NULL pointer dereference",
            "general protection fault, ",
            "read at 0x",
            "write at 0x",
            "to execute ",
        ];
        if !WORDS.iter().any(|word| contains(line, word)) {
            return;
        }
        let address = || {
            ADDRESSES
                .iter()
                .find_map(|pattern| number(find(pattern, line)?[0]))
        };
        if self.access.address.is_none() {
            self.put(None, address());
        }
        self.put(mode_in(line), None);
    }
}

/// `PGD 0 P4D 0`, `pgd = c7c44000`, `[00000008] *pgd=00000000`, `user pgtable: 4k pages, ...`, `AS:00000000f1d18007 R3:...`.
fn is_way(line: &str) -> bool {
    const STARTS: [&str; 9] = [
        "PGD ",
        "pgd = ",
        "*pde = ",
        "*pdpt = ",
        "user pgtable:",
        "swapper pgtable:",
        "Mem abort info:",
        "SET = ",
        "AS:",
    ];
    line.starts_with('[') && (line.contains("] *pgd=") || line.contains("] pgd="))
        || STARTS.iter().any(|start| line.starts_with(start))
}

fn mode_in(line: &str) -> Option<AccessMode> {
    MODES
        .iter()
        .find_map(|(word, mode)| contains(line, word).then_some(*mode))
}

/// What registers of causes say was tried: `Cause : 0080000c (ExcCode 03)` of mips (2 load, 1 and 3 store),
/// `ESTAT: 00020000 [PIS] (IS= ECode=2 EsubCode=0)` of loongarch (1 load, 2 store, 3 fetch), `DSISR: 42000000` of powerpc (a store
/// when bit 25 is set).
fn cause(line: &str) -> Option<AccessMode> {
    if let Some([code, ..]) = find("(ExcCode {x})", line) {
        return match code.trim_start_matches('0') {
            "1" | "3" => Some(AccessMode::Write),
            "2" => Some(AccessMode::Read),
            _ => None,
        };
    }
    if let Some([code, ..]) = find(" ECode={n} ", line) {
        return match code {
            "1" => Some(AccessMode::Read),
            "2" => Some(AccessMode::Write),
            "3" => Some(AccessMode::Execute),
            _ => None,
        };
    }
    let [_, bits, ..] = find("DAR: {x} DSISR: {x}", line)?;
    let is_write = number(bits)? >> 25 & 1 == 1;
    Some(if is_write {
        AccessMode::Write
    } else {
        AccessMode::Read
    })
}

/// What an exception's error code says was tried. `what` is the text before it.
///
/// x86 (SDM volume 3, "Page-Fault Exceptions"): bit 1 a write, bit 4 an instruction fetch. arm64 (ESR): the class in bits
/// 31 to 26 is 0x20 or 0x21 for an instruction abort, 0x24 or 0x25 for a data abort, with bit 6 for a write. arm (FSR): bit
/// 11 a write. The number that s390 prints (`0004 ilc:2`) says nothing about that.
pub(crate) fn tried(what: &str, code: u64) -> Option<AccessMode> {
    let write = |bit: u32| {
        if code >> bit & 1 == 1 {
            AccessMode::Write
        } else {
            AccessMode::Read
        }
    };
    match code >> 26 {
        0x20 | 0x21 => Some(AccessMode::Execute),
        0x24 | 0x25 => Some(write(6)),
        0 if what.starts_with("Internal error: Oops: ") => Some(write(11)),
        // Bit 2 is set for what a program does: then it is no error code of x86.
        0 if what.starts_with("Oops: ") && !what.contains("ilc:") && code & 4 == 0 => {
            Some(if code >> 4 & 1 == 1 {
                AccessMode::Execute
            } else {
                write(1)
            })
        }
        _ => None,
    }
}

fn number(digits: &str) -> Option<u64> {
    crate::bytes::hexadecimal(digits.as_bytes())
}

#[cfg(test)]
mod tests {
    use AccessMode::{Execute, Read, Write};

    use super::*;

    /// What machines print, and the access that it tells of. The formats are those of 6.12: arch/*/mm/fault.c, mm/kasan/report.c, mm/kfence/report.c.
    const ACCESSES: [(&str, Option<AccessMode>, u64); 13] = [
        (
            "BUG: kernel NULL pointer dereference, address: 0000000000000008\n#PF: supervisor write access in kernel mode",
            Some(Write),
            8,
        ),
        (
            "BUG: unable to handle page fault for address: ffffc90000000000\n#PF: supervisor instruction fetch in kernel mode",
            Some(Execute),
            0xffff_c900_0000_0000,
        ),
        (
            "BUG: unable to handle kernel NULL pointer dereference at 0000000000000010",
            None,
            0x10,
        ),
        (
            "Oops: general protection fault, probably for non-canonical address 0xdead000000000122: 0000 [#1] SMP",
            None,
            0xdead_0000_0000_0122,
        ),
        (
            "Unable to handle kernel paging request at virtual address dead000000000122\n  EC = 0x25: DABT (current EL), IL = 32 bits\n  CM = 0, WnR = 1, TnD = 0",
            Some(Write),
            0xdead_0000_0000_0122,
        ),
        (
            "Unable to handle kernel paging request at virtual address 0008000000000000\nEC = 0x21: IABT (current EL), IL = 32 bits",
            Some(Execute),
            0x8_0000_0000_0000,
        ),
        (
            "8<--- cut here ---\nUnable to handle kernel NULL pointer dereference at virtual address 00000008 when write",
            Some(Write),
            8,
        ),
        (
            "status: 0000000200000120 badaddr: 0000000000000008 cause: 000000000000000f",
            Some(Write),
            8,
        ),
        (
            "BUG: Kernel NULL pointer dereference on read at 0x00000008",
            Some(Read),
            8,
        ),
        (
            "Failing address: 0000000000001000 TEID: 0000000000001483",
            None,
            0x1000,
        ),
        (
            "Read of size 8 at addr ffff888000000040 by task a/77",
            Some(Read),
            0xffff_8880_0000_0040,
        ),
        (
            "Out-of-bounds write at 0xffff888000000040 (1B right of kfence-#7):",
            Some(Write),
            0xffff_8880_0000_0040,
        ),
        (
            "CPU 0 Unable to handle kernel paging request at virtual address 00000008, epc == 80123456, ra == 80123456",
            None,
            8,
        ),
    ];

    fn read(text: &str) -> (Option<AccessMode>, Option<u64>, Option<u64>, Option<String>) {
        let mut reader = AccessReader::default();
        for line in text.lines() {
            reader.line(line.trim_start());
        }
        let access = reader.done(None, &[], true).unwrap_or_default();
        (access.mode, access.address, access.size, access.reason)
    }

    #[test]
    fn accesses_of_all_machines_are_read() {
        for (text, mode, address) in ACCESSES {
            let (found, at, ..) = read(text);
            assert_eq!((found, at), (mode, Some(address)), "{text}");
        }
        assert_eq!(
            read("Write of size 16 at addr ffff888000000040 by task a/77").2,
            Some(16)
        );
        assert_eq!(
            read("#PF: error_code(0x0002) - not-present page").3.as_deref(),
            Some("not-present page")
        );
        assert_eq!(
            read("FSC = 0x04: level 0 translation fault").3.as_deref(),
            Some("level 0 translation fault")
        );
        let general = "Oops: general protection fault, probably for non-canonical address 0xdffffc0000000001: 0000 [#1] SMP KASAN\n\
                       KASAN: null-ptr-deref in range [0x0000000000000008-0x000000000000000f]\n";
        assert_eq!(read(general).1, Some(8));
        assert_eq!(read("Rebooting at 0x12"), (None, None, None, None));
    }

    #[test]
    fn error_codes_say_what_was_tried() {
        let cases = [
            ("Oops: ", 0, Some(Read)),
            ("Oops: ", 2, Some(Write)),
            ("Oops: ", 0x10, Some(Execute)),
            ("Internal error: Oops: ", 0x9600_0004, Some(Read)),
            ("Internal error: Oops: ", 0x9600_0044, Some(Write)),
            ("Internal error: Oops: ", 0x8600_0004, Some(Execute)),
            ("Internal error: Oops - BRK: ", 0xf200_0800, None),
            ("Internal error: Oops: ", 0x817, Some(Write)),
            ("Internal error: Oops: ", 0x17, Some(Read)),
            ("Oops: 0010 ilc:2 ", 0x10, None),
            ("Oops: ", 4, None),
            ("general protection fault: 0000 ", 0, None),
        ];
        for (what, code, expected) in cases {
            assert_eq!(tried(what, code), expected, "{what}{code:x}");
        }
    }
}

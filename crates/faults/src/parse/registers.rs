//! Registers in each architecture's form.

use crate::report::Register;
use std::sync::LazyLock;

/// Registers kept of one report; s390 prints 16, powerpc 45.
const REGISTERS_MAX: usize = 64;

/// Names of registers that are not a letter or two and a number, sorted.
///
/// x86: `__show_regs` in `arch/x86/kernel/process_64.c` and `process_32.c`; arm and arm64: `__show_regs` in their
/// `kernel/process.c`; riscv: `__show_regs` in `arch/riscv/kernel/process.c`; powerpc: `__show_regs` in
/// `arch/powerpc/kernel/process.c`; mips: `__show_regs` in `arch/mips/kernel/traps.c`; loongarch: the same of its own.
const NAMES: [&str; 71] = [
    "badaddr", "badv", "badva", "cause", "cfar", "cr", "crmd", "cs", "ctr", "dar", "dear", "ds", "dsisr",
    "eax", "ebp", "ebx", "ecfg", "ecx", "edi", "edx", "eflags", "epc", "era", "es", "esi", "esp", "esr",
    "estat", "euen", "fp", "fs", "gp", "gs", "hi", "ip", "irqmask", "knlgs", "lo", "lr", "msr", "nip",
    "orig_eax", "orig_rax", "pc", "pfs", "pkru", "pmr", "prid", "prmd", "psr", "pstate", "ra", "rax", "rbp",
    "rbx", "rcx", "rdi", "rdx", "regs", "rsi", "rsp", "sp", "ss", "status", "tnpc", "tp", "tpc", "trap",
    "tstate", "unat", "xer",
];

/// The names as numbers, which compare faster than texts.
static PACKED: LazyLock<Vec<u64>> =
    LazyLock::new(|| NAMES.iter().map(|name| packed(name.as_bytes())).collect());

/// Bytes of the longest name.
const NAME_MAX: usize = 8;

/// What stands before the number of a numbered register.
const NUMBERED: [&str; 12] = ["r", "x", "a", "s", "t", "g", "o", "l", "i", "b", "cr", "dr"];

/// Marks of a register block that is a program's: x86 in its 64-bit and 32-bit segments, powerpc's system calls.
const USER: [&str; 7] = [
    "RIP: 0033:",
    "RIP: 0023:",
    "RIP: 002b:",
    "EIP: 0023:",
    "EIP: 0073:",
    "--- interrupt: c00",
    "--- interrupt: 3000",
];

/// Collects the registers of the kernel's context.
#[derive(Debug, Default)]
pub(crate) struct Registers {
    pub(crate) all: Vec<Register>,
    /// A block of a program began: what follows is not the kernel's context.
    user: bool,
    /// The same of x86, which prints the code behind that.
    pub(crate) user_code: bool,
    /// The block was read and ended.
    done: bool,
    /// The number of the register that a row of bare values goes on with, and what its name begins with.
    row: Option<(&'static str, usize)>,
}

impl Registers {
    /// Reads a line without leading spaces; true when it shows registers, whoever's they are.
    pub(crate) fn line(&mut self, line: &str) -> bool {
        let is_user = line.starts_with(['R', 'E', '-']) && USER.iter().any(|mark| line.starts_with(mark));
        self.user |= is_user;
        self.user_code |= is_user && line.starts_with(['R', 'E']);
        self.done |= !self.all.is_empty() && (line.starts_with("Call ") || line.starts_with("Stack:"));
        if let Some((name, first, values)) = row_head(line) {
            let count = self.row(name, first, values);
            self.row = Some((name, first + count));
            return count > 0;
        }
        if let Some((name, next)) = self.row.take() {
            let count = self.row(name, next, line);
            if count > 0 {
                self.row = Some((name, next + count));
                return true;
            }
        }
        self.pairs(line) || self.bare_pairs(line) || is_user || is_return_address(line)
    }

    /// `RAX: 0000000000000000 RBX: ...`, `x29: ffff800011223344 x28: ...`, `sp : ffff...`, `FS:  0(0000) GS:ffff(0000)`,
    /// `pc : [<c0123456>]`.
    fn pairs(&mut self, line: &str) -> bool {
        let start = line.as_bytes().get(..NAME_MAX + 2).unwrap_or(line.as_bytes());
        if memchr::memchr(b':', start).is_none() {
            return false;
        }
        let mut found = false;
        let mut words = line.split_ascii_whitespace().peekable();
        while let Some(word) = words.next() {
            if word.starts_with(['<', '(']) {
                continue;
            }
            let (name, joined) = word.split_once(':').unwrap_or((word, ""));
            if !word.contains(':') && words.next_if_eq(&":").is_none() || !is_name(name) {
                break;
            }
            let value = if joined.is_empty() {
                words.next()
            } else {
                Some(joined)
            };
            let Some(value) = value.filter(|value| is_value(value)) else {
                break;
            };
            self.push(name, value);
            found = true;
        }
        found
    }

    /// `pc 9000000000123456 ra 9000000000123456 ...` of loongarch.
    fn bare_pairs(&mut self, line: &str) -> bool {
        let is_pair = |name: &str, value: &str| value.len() == 16 && is_name(name) && is_hexadecimal(value);
        let mut words = line.split_ascii_whitespace();
        let mut found = false;
        while let (Some(name), Some(value)) = (words.next(), words.next()) {
            if !is_pair(name, value) {
                break;
            }
            self.push(name, value);
            found = true;
        }
        found
    }

    /// Values of registers that follow each other; how many there were.
    fn row(&mut self, name: &str, first: usize, values: &str) -> usize {
        let is_word = |value: &&str| matches!(value.len(), 8 | 16) && is_hexadecimal(value);
        let mut count = 0;
        for value in values.split_ascii_whitespace().take_while(is_word) {
            self.push(&format!("{name}{}", first + count), value);
            count += 1;
        }
        count
    }

    fn push(&mut self, name: &str, value: &str) {
        if !self.user && !self.done && self.all.len() < REGISTERS_MAX {
            self.all.push(Register {
                name: name.to_ascii_uppercase(),
                value: value.trim_matches(['[', ']', '<', '>']).to_owned(),
            });
        }
    }
}

/// Lines that show where the function at fault returns to, or the bits of a status word.
fn is_return_address(line: &str) -> bool {
    const STARTS: [&str; 9] = [
        "LR is at ",
        "lr : ",
        "LR [",
        "ra : ",
        "ra: ",
        "RPC: <",
        "RIP  [<",
        "RSP <",
        "R:0 T:",
    ];
    line.starts_with(['L', 'l', 'r', 'R']) && STARTS.iter().any(|start| line.starts_with(start))
}

/// The row that a line begins: `GPR04: ` (powerpc), `Krnl GPRS: ` (s390), `$ 4   : ` (mips), `r04-07  ` (parisc).
fn row_head(line: &str) -> Option<(&'static str, usize, &str)> {
    if let Some(values) = line.strip_prefix("Krnl GPRS:") {
        return Some(("R", 0, values));
    }
    if let Some((first, values)) = line.strip_prefix('r').and_then(|row| row.split_once('-')) {
        return Some((
            "R",
            first.parse().ok().filter(|first| *first < 64)?,
            values.get(2..)?,
        ));
    }
    let (name, rest) = if let Some(rest) = line.strip_prefix("GPR") {
        ("GPR", rest)
    } else {
        ("$", line.strip_prefix('$')?)
    };
    let (number, values) = rest.split_once(':')?;
    Some((
        name,
        number.trim().parse().ok().filter(|number| *number < 64)?,
        values,
    ))
}

/// A name of at most [`NAME_MAX`] bytes as a number, in the order of names.
fn packed(name: &[u8]) -> u64 {
    let mut bytes = [0; NAME_MAX];
    bytes.iter_mut().zip(name).for_each(|(to, from)| *to = *from);
    u64::from_be_bytes(bytes)
}

fn is_name(name: &str) -> bool {
    let mut lower = [0; NAME_MAX];
    let Some(lower) = lower.get_mut(..name.len()).filter(|lower| !lower.is_empty()) else {
        return false;
    };
    lower.copy_from_slice(name.as_bytes());
    lower.make_ascii_lowercase();
    let letters = lower.iter().take_while(|b| b.is_ascii_lowercase()).count();
    let (letters, digits) = lower.split_at(letters);
    if digits.first().is_none_or(|b| *b == b'_') {
        return PACKED.binary_search(&packed(lower)).is_ok();
    }
    digits.len() <= 2
        && digits.iter().all(u8::is_ascii_digit)
        && NUMBERED.iter().any(|known| known.as_bytes() == letters)
}

/// `0000000000000246`, `0018:ff89c3f74041bbf0`, `00000000062c33c0(0000)`, `[<c0123456>]`.
fn is_value(value: &str) -> bool {
    let digits = value.trim_matches(['[', ']', '<', '>']);
    let digits = digits.rsplit(':').next().unwrap_or(digits);
    let digits = digits.split('(').next().unwrap_or(digits);
    (4..=16).contains(&digits.len()) && is_hexadecimal(digits)
}

fn is_hexadecimal(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted() {
        assert!(NAMES.is_sorted() && NAMES.iter().all(|name| is_name(name) && name.len() <= NAME_MAX));
    }

    fn read(text: &str) -> Vec<String> {
        let mut registers = Registers::default();
        for line in text.lines() {
            registers.line(line.trim_start());
        }
        let show = |register: &Register| format!("{}={}", register.name, register.value);
        registers.all.iter().map(show).collect()
    }

    #[test]
    fn registers_of_x86_are_read() {
        let text = "RSP: 0018:ff89c3f74041bbf0 EFLAGS: 00000246\n\
                    FS:  00000000062c33c0(0000) GS:ff300d2cfe600000(0000) knlGS:0000000000000000\n\
                    CS:  0010 DS: 0000 ES: 0000 CR0: 0000000080050033\nPKRU: 55555554\nCall Trace:\n\
                    RAX: 0000000000000001\n";
        let expected = [
            "RSP=0018:ff89c3f74041bbf0",
            "EFLAGS=00000246",
            "FS=00000000062c33c0(0000)",
            "GS=ff300d2cfe600000(0000)",
            "KNLGS=0000000000000000",
            "CS=0010",
            "DS=0000",
            "ES=0000",
            "CR0=0000000080050033",
            "PKRU=55555554",
        ];
        assert_eq!(read(text), expected);
        let text =
            "EAX: 00000000 EBX: c1a2b3c4\nDS: 007b ES: 007b FS: 00d8 GS: 0000 SS: 0068 EFLAGS: 00010246\n";
        assert_eq!(read(text).len(), 8);
        assert!(read("RIP: 0033:0x47b7a0\nRAX: ffffffffffffffda RBX: 0000000000000001\n").is_empty());
    }

    #[test]
    fn registers_of_other_machines_are_read() {
        // arch/arm64/kernel/process.c, 6.12.
        let text = "pstate: 60000005 (nZCv daif -PAN -UAO)\npc : example+0x10/0x20\nsp : ffff80001000bd00\n\
                    x29: ffff80001000bd00 x28: ffff000003a10000 x27: 0000000000000000\n";
        assert_eq!(read(text).len(), 5);
        // arch/arm/kernel/process.c, 6.12; the dump of the stack is none of registers.
        let text = "pc : [<c0123456>]    lr : [<c0123450>]    psr: 60000013\nsp : c0801f00  ip : 00000000  fp : c0801f1c\n\
                    r10: 00000000  r9 : c0800000  r8 : 00000001\nStack: (0xc0801f00 to 0xc0802000)\nbf00: 00000000 c0123456\n";
        assert_eq!(read(text)[0], "PC=c0123456");
        assert_eq!(read(text).len(), 9);
        // arch/riscv/kernel/process.c, 6.12.
        let text = "epc : example+0x10/0x20\n epc : ffffffff80012340 ra : ffffffff80012300 sp : ffffffc80000bd00\n\
                    status: 0000000200000120 badaddr: 0000000000000008 cause: 000000000000000d\n";
        assert_eq!(read(text).len(), 6);
        // arch/s390/kernel/dumpstack.c, 6.12.
        let text = "Krnl GPRS: 0000000000000000 0000000000000001 0000000000000002 0000000000000003\n\
                    \x20          0000000000000004 0000000000000005 0000000000000006 0000000000000007\nKrnl Code: 0: 00\n";
        assert_eq!(read(text)[7], "R7=0000000000000007");
        assert_eq!(read(text).len(), 8);
        // arch/powerpc/kernel/process.c, 6.12.
        let text = "NIP:  c000000000123456 LR: c000000000123400 CTR: c000000000123000\n\
                    MSR:  8000000000009033 <SF,EE,ME,IR,DR,RI,LE>  CR: 28002842  XER: 00000000\n\
                    CFAR: c000000000001234 DAR: 0000000000000008 DSISR: 40000000 IRQMASK: 0 \n\
                    GPR00: c000000000123400 c000000001a2b3c0 c000000001a2b000 0000000000000000 \n\
                    GPR04: 0000000000000001 0000000000000002 0000000000000003 0000000000000004 \n";
        assert_eq!(read(text).len(), 17);
        assert_eq!(read(text)[16], "GPR7=0000000000000004");
        // arch/mips/kernel/traps.c and arch/loongarch/kernel/traps.c, 6.12.
        assert_eq!(read("$ 0   : 00000000 00000001 80123456 00000000\n").len(), 4);
        assert_eq!(
            read("pc 9000000000123456 ra 9000000000123400 tp 9000000001a2b000\n").len(),
            3
        );
    }

    #[test]
    fn other_text_shows_no_registers() {
        for text in [
            "page:ffffea0000000000 refcount:1 mapcount:0",
            "raw: 00fffffc00000200 0000000000000000",
            "Tainted: G",
            "flags: 0xfffffc0000200",
            "a: b",
            "",
        ] {
            assert!(read(text).is_empty(), "{text}");
        }
    }
}

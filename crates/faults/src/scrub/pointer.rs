//! Addresses in memory.

use std::ops::Range;

use super::{
    mark::DISK_PREFIXES,
    token::{self, POINTER_MARK, apart, is_word, runs},
};

/// What begins messages whose numbers are of hardware errors, not of memory as programs see it.
const HARDWARE_ERRORS: [&str; 4] = ["[Hardware Error]", "mce: ", "MCE: ", "EDAC "];

/// Registers of settings and results rather than addresses, before a `:`.
const SETTINGS: [&str; 14] = [
    "CR0", "CR4", "DR6", "DR7", "ORIG_RAX", "EFLAGS", "PKRU", "MSR", "XER", "PSW", "pstate", "PSTATE",
    "status", "cause",
];

/// Words before addresses of 32 bits, which as such look like any other number.
const BEFORE_SHORT: [&str; 37] = [
    "address", "addr", "EAX", "EBX", "ECX", "EDX", "ESI", "EDI", "EBP", "ESP", "EIP", "CR2", "pc", "lr",
    "sp", "ip", "fp", "r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9", "r10", "r11", "r12", "epc",
    "ra", "gp", "tp", "at", "IP", "PC",
];

/// Reports each address. `stays` tells whether a place is left as it is.
pub(super) fn find(text: &str, stays: impl Fn(&Range<usize>) -> bool, note: &mut impl FnMut(Range<usize>)) {
    for (start, line) in token::lines(text) {
        if is_hardware_error(line) {
            continue;
        }
        for word in runs(line, is_word) {
            let stays = |range: Range<usize>| stays(&(start + range.start..start + range.end));
            if is_address(line, &word, stays) {
                note(start + word.start..start + word.end);
            }
        }
    }
}

/// Whether a line, behind times and the like in brackets, is about a hardware error.
fn is_hardware_error(line: &str) -> bool {
    let mut rest = line.split_once(" kernel: ").map_or(line, |(_, message)| message);
    loop {
        rest = rest.trim_start();
        if HARDWARE_ERRORS.iter().any(|start| rest.starts_with(start)) {
            return true;
        }
        match rest.strip_prefix('[').and_then(|inside| inside.split_once(']')) {
            Some((_, after)) => rest = after,
            None => return rest.starts_with("CPU ") && rest.contains("Machine Check"),
        }
    }
}

fn is_address(line: &str, word: &Range<usize>, stays: impl Fn(Range<usize>) -> bool) -> bool {
    let written = line.get(word.clone()).unwrap_or_default();
    let digits = written.strip_prefix("0x").unwrap_or(written);
    if !(8..=16).contains(&digits.len()) || digits.starts_with(POINTER_MARK) {
        return false;
    }
    let Some(value) = crate::bytes::hexadecimal(digits.as_bytes()) else {
        return false;
    };
    let before = line.get(..word.start).unwrap_or_default();
    // Names of disks.
    let to_digits = line.get(..word.end - digits.len()).unwrap_or_default();
    if DISK_PREFIXES.iter().any(|prefix| to_digits.ends_with(prefix)) {
        return false;
    }
    // Offsets and sizes of frames; parts of longer words.
    if before.ends_with(['+', '/']) || !apart(line.as_bytes(), word, |_| false) {
        return false;
    }
    let name = last_word(before);
    let named = |names: &[&str]| line.get(name.clone()).is_some_and(|name| names.contains(&name));
    match digits.len() {
        16 => is_long(value) && !(named(&SETTINGS) && stays(name)),
        9.. => digits.len() < written.len() && is_long(value),
        _ => is_short(value) && (before.ends_with("[<") || named(&BEFORE_SHORT)),
    }
}

/// The word before a value: `RSP` in `RSP: 0018:`, `addr` in `at addr `. What is further away than a name is long does not count.
fn last_word(before: &str) -> Range<usize> {
    let far = before.ceil_char_boundary(before.len().saturating_sub(32));
    let near = before.get(far..).unwrap_or_default();
    let mut near = near.trim_end_matches([':', '=', ' ']);
    // A segment selector: four digits behind a colon.
    if let Some((name, selector)) = near.rsplit_once(|c: char| !c.is_ascii_hexdigit())
        && selector.len() == 4
    {
        near = name.trim_end_matches([':', ' ']);
    }
    let start = near
        .rfind(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .map_or(0, |at| at + 1);
    // Behind a character of several bytes there is no word.
    let start = near.ceil_char_boundary(start);
    far + start..far + near.len()
}

/// Whether a number of up to 64 bits may be an address. It is when it is in one of
///
/// - the upper 1/256 of all (kernels on x86-64, arm64, riscv64, loongarch: 48 to 57 bits, sign extended), but not an error code (`MAX_ERRNO`,
///   `include/linux/err.h`);
/// - the linear map, the I/O and the vmalloc area of powerpc (`arch/powerpc/include/asm/book3s/64/pgtable.h`);
/// - what programs have, from 64 GiB to 48 bits;
/// - 32 bits and no more, since `%p` prints a hash of so many (`Documentation/core-api/printk-formats.rst`).
pub(super) fn is_long(value: u64) -> bool {
    const KERNEL: Range<u64> = 0xff00_0000_0000_0001..0xffff_ffff_ffff_f000;
    const PROGRAM: Range<u64> = 0x10_0000_0000..0x1_0000_0000_0000;
    // The lowest half is zero where a region begins, or where a mask has been.
    let kernel = KERNEL.contains(&value) && value & 0xffff_ffff != 0;
    let powerpc = matches!(value >> 48, 0xc000..=0xc00f | 0xd000) && value & 0xffff_ffff != 0;
    kernel || powerpc || PROGRAM.contains(&value) || is_hashed(value)
}

fn is_hashed(value: u64) -> bool {
    (0x1_0000..0xffff_f000).contains(&value)
}

/// Whether a number of 32 bits may be an address of the kernel: from where 2 GiB of user space end.
fn is_short(value: u64) -> bool {
    (0x8000_0000..0xffff_f000).contains(&value) && value & 0xff_ffff != 0
}

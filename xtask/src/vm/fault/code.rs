//! The machine code that breaks a kernel. It runs as the init function of a module.

use super::{Fault, Series};
use crate::vm::broken_module::Code;

/// Dereferences a null pointer: `xor eax, eax; mov [rax], rax`.
const NULL_DEREFERENCE: &[u8] = &[0x31, 0xc0, 0x48, 0x89, 0x00];
/// What `BUG()` compiles to: `ud2`.
const UNDEFINED_INSTRUCTION: &[u8] = &[0x0f, 0x0b];
/// How long a CPU is kept at least, seconds. The guest sets `watchdog_thresh` to 4. The kernel counts in units of
/// 2^30 ns and looks every 1.6 s, so it reports a lockup after at most 11.3 s, and again after 15.5 s or more.
const LOCKUP_S: f64 = 11.95;
/// The same for a stall of RCU: the guest sets `rcu_cpu_stall_timeout` to 3, and 12 s would be reported again.
const STALL_S: f64 = 6.0;
/// When `/proc/cpuinfo` does not say.
const TYPICAL_MHZ: f64 = 2500.0;

/// `lea rdi, [rsp - 128]`: memory that nothing needs until something is called.
const SCRATCH: &[u8] = &[0x48, 0x8d, 0x7c, 0x24, 0x80];
/// The same memory, zeroed (`and dword [rdi], 0`): a spinlock that nobody holds.
const SPINLOCK: &[u8] = &[0x48, 0x8d, 0x7c, 0x24, 0x80, 0x83, 0x27, 0x00];
/// `xor eax, eax; ret`.
const RETURN: &[u8] = &[0x31, 0xc0, 0xc3];

/// The code of a fault, when it is one that needs a module.
///
/// What calls a function has the stack as the kernel's unwinder expects it there: as it was at entry.
pub(super) fn of(fault: Fault, series: Series) -> Option<Code> {
    let names = Names::of(series);
    let code = Code::default();
    Some(match fault {
        Fault::Oops => code.then(NULL_DEREFERENCE),
        Fault::Bug => code.then(UNDEFINED_INSTRUCTION),
        Fault::SoftLockup => code
            // With the lock no kernel preempts.
            .then(SPINLOCK)
            .call("_raw_spin_lock_bh")
            .then(&busy_loop(LOCKUP_S, host_mhz()))
            .then(SCRATCH)
            .call("_raw_spin_unlock_bh")
            .then(RETURN),
        Fault::RcuStall => code
            .then(&[0xfa]) // cli
            .then(&busy_loop(STALL_S, host_mhz()))
            .then(&[0xfb]) // sti
            .then(RETURN),
        // mov rax, 0xdead000000000100; mov [rax], al
        Fault::Gpf => code.then(&[0x48, 0xb8, 0, 1, 0, 0, 0, 0, 0xad, 0xde, 0x88, 0x00]),
        // mov rax, 0xfffff80000001000; mov [rax], al. Between the fixed mappings of a kernel without KASAN.
        Fault::BadAddress => code.then(&[0x48, 0xb8, 0, 0x10, 0, 0, 0, 0xf8, 0xff, 0xff, 0x88, 0x00]),
        // xor ecx, ecx; xor edx, edx; div ecx
        Fault::Divide => code.then(&[0x31, 0xc9, 0x31, 0xd2, 0xf7, 0xf1]),
        // xor eax, eax; call rax
        Fault::NullCall => code.then(&[0x31, 0xc0, 0xff, 0xd0]),
        // mov rax, rsp; jmp rax
        Fault::ExecData => code.then(&[0x48, 0x89, 0xe0, 0xff, 0xe0]),
        // again: call again
        Fault::StackOverflow => code.then(&[0xe8, 0xfb, 0xff, 0xff, 0xff]),
        // cli
        Fault::Warn => code.then(&[0xfa]).then(RETURN),
        // 3 is REFCOUNT_SUB_UAF: push 3; pop rsi
        Fault::Refcount => code
            .then(SCRATCH)
            .then(&[0x6a, 3, 0x5e])
            .call("refcount_warn_saturate")
            .then(RETURN),
        // mov rdi, rsp; mov rsi, rsp; mov rdx, rsp
        Fault::List => code
            .then(&[0x48, 0x89, 0xe7, 0x48, 0x89, 0xe6, 0x48, 0x89, 0xe2])
            .call(names.list_add_valid),
        // mov rdi, rsp; mov esi, 0x10000; push 1; pop rdx
        Fault::Usercopy => code
            .then(&[0x48, 0x89, 0xe7, 0xbe, 0, 0, 1, 0, 0x6a, 1, 0x5a])
            .call("__check_object_size"),
        // push 64; pop rdi; xor esi, esi. Then push rax; mov rdi, rax. Then pop rdi
        Fault::DoubleFree => code
            .then(&[0x6a, 64, 0x5f, 0x31, 0xf6])
            .call(names.kmalloc)
            .then(&[0x50, 0x48, 0x89, 0xc7])
            .call("kfree")
            .then(&[0x5f])
            .call("kfree")
            .then(RETURN),
        Fault::Kfence => use_after_free(names.kmalloc),
        // push 1; pop rdi
        Fault::Atomic => code
            .then(SPINLOCK)
            .call("_raw_spin_lock_bh")
            .then(&[0x6a, 1, 0x5f])
            .call("msleep")
            .then(RETURN),
        // again: push 10; pop rsi; mov edi, GFP_ATOMIC | GFP_DMA. Then test eax, eax; jnz again; ret. The zone for DMA
        // has 16 MiB.
        Fault::Alloc => code
            .then(&[0x6a, 10, 0x5e, 0xbf, 0x21, 0x08, 0, 0])
            .call(names.get_free_pages)
            .then(&[0x85, 0xc0, 0x75, 0xef, 0xc3]),
        // push 1; pop rdi; shl rdi, 40
        Fault::Vmalloc => code
            .then(&[0x6a, 1, 0x5f, 0x48, 0xc1, 0xe7, 40])
            .call(names.vmalloc)
            .then(RETURN),
        Fault::StackProtector => code.call("__stack_chk_fail"),
        _ => return None,
    })
}

/// Functions whose names changed.
struct Names {
    list_add_valid: &'static str,
    kmalloc: &'static str,
    get_free_pages: &'static str,
    vmalloc: &'static str,
}

impl Names {
    const fn of(series: Series) -> Self {
        match series {
            Series::V5_10 | Series::V6_1 => Self {
                list_add_valid: "__list_add_valid",
                kmalloc: "__kmalloc",
                get_free_pages: "__get_free_pages",
                vmalloc: "vmalloc",
            },
            Series::V6_12 | Series::Sid => Self {
                list_add_valid: "__list_add_valid_or_report",
                kmalloc: "__kmalloc_noprof",
                get_free_pages: "get_free_pages_noprof",
                vmalloc: "vmalloc_noprof",
            },
        }
    }
}

/// Allocates, frees and reads, until KFENCE had its turn. It takes an allocation of any caller every now and then.
fn use_after_free(kmalloc: &'static str) -> Code {
    Code::default()
        .then(&[0xc7, 0x84, 0x24, 0x00, 0xe8, 0xff, 0xff, 0x40, 0x0d, 3, 0]) // mov dword [rsp - 0x1800], 200_000
        .then(&[0x6a, 64, 0x5f, 0x31, 0xf6]) // again: push 64; pop rdi; xor esi, esi
        .call(kmalloc)
        .then(&[0x50, 0x48, 0x89, 0xc7]) // push rax; mov rdi, rax
        .call("kfree")
        .then(&[0x58, 0x8a, 0x00]) // pop rax; mov al, [rax]
        .then(&[0xff, 0x8c, 0x24, 0x00, 0xe8, 0xff, 0xff]) // dec dword [rsp - 0x1800]
        .then(&[0x75, 0xe1]) // jnz again
        .then(RETURN)
}

/// Machine code that spins for a while, so that the guest can go on.
fn busy_loop(seconds: f64, mhz: f64) -> [u8; 11] {
    // The loop counts in units of 2^32 cycles of the time stamp counter, which the guest shares with this host. It
    // starts somewhere within a unit.
    let unit_s = 4_294_967_296.0 / (mhz * 1e6);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to the range of the operand"
    )]
    let units = ((seconds / unit_s).ceil() + 1.0).clamp(2.0, 100.0) as u8;
    [
        0x0f, 0x31, // rdtsc
        0x8d, 0x4a, units, // lea ecx, [rdx + units]
        0x0f, 0x31, // again: rdtsc
        0x29, 0xca, // sub edx, ecx
        0x78, 0xfa, // js again
    ]
}

fn host_mhz() -> f64 {
    std::fs::read_to_string("/proc/cpuinfo")
        .unwrap_or_default()
        .lines()
        .find_map(|line| {
            line.strip_prefix("cpu MHz")?
                .split(':')
                .nth(1)?
                .trim()
                .parse()
                .ok()
        })
        .unwrap_or(TYPICAL_MHZ)
}

/// The smallest x86-64 program that dereferences a null pointer.
pub(crate) fn crashing_program() -> Vec<u8> {
    const BASE: u64 = 0x40_0000;
    const HEADERS: u64 = 64 + 56;
    let code = NULL_DEREFERENCE;
    let size = HEADERS + code.len() as u64;
    let mut elf = Vec::new();
    elf.extend_from_slice(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
    elf.extend_from_slice(&[2, 0, 62, 0, 1, 0, 0, 0]); // executable, x86-64, version 1
    for word in [BASE + HEADERS, 64, 0] {
        elf.extend_from_slice(&u64::to_le_bytes(word)); // entry, program headers, section headers
    }
    elf.extend_from_slice(&[0, 0, 0, 0, 64, 0, 56, 0, 1, 0, 64, 0, 0, 0, 0, 0]); // flags and sizes of headers
    elf.extend_from_slice(&[1, 0, 0, 0, 5, 0, 0, 0]); // load, read and execute
    for word in [0, BASE, BASE, size, size, 0x1000] {
        elf.extend_from_slice(&u64::to_le_bytes(word)); // offset, addresses, sizes, alignment
    }
    elf.extend_from_slice(code);
    elf
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lockup_lasts_between_two_reports_of_the_watchdog() {
        for mhz in [2150.0, 2500.0, 2600.0, 3300.0, 5000.0] {
            let units = f64::from(busy_loop(LOCKUP_S, mhz)[4]);
            let unit_s = 4_294.967_296 / mhz;
            let longest = units * unit_s;
            assert!(longest - unit_s >= LOCKUP_S, "{mhz}");
            assert!(longest < 15.5, "{mhz}: {longest}");
        }
    }

    #[test]
    fn the_crashing_program_crashes() {
        use std::os::unix::{fs::PermissionsExt as _, process::ExitStatusExt as _};
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("crash");
        std::fs::write(&program, crashing_program()).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let status = std::process::Command::new(&program)
            .current_dir(dir.path())
            .status()
            .unwrap();
        assert_eq!(status.signal(), Some(11));
    }
}

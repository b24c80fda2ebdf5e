//! The machine code that breaks a kernel. It runs as the init function of a module.

use crate::vm::{broken_module::Code, kernels::Series};

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
/// `mov edi, 0x1000`: an address that is of no use to `vfree()`.
const VFREE_ARGUMENT: &[u8] = &[0xbf, 0, 0x10, 0, 0];
/// Waits until the upper half of the time stamp counter changes, which is the same moment on all CPUs: `rdtsc; mov ecx,
/// edx; again: rdtsc; cmp edx, ecx; je again`.
const RENDEZVOUS: &[u8] = &[0x0f, 0x31, 0x89, 0xd1, 0x0f, 0x31, 0x39, 0xca, 0x74, 0xfa];
/// `push -1; pop rax; ret`: `-EPERM`.
const FAILURE: &[u8] = &[0x6a, 0xff, 0x58, 0xc3];
/// `xor eax, eax; ret`.
const RETURN: &[u8] = &[0x31, 0xc0, 0xc3];

// What calls a function has the stack as the kernel's unwinder expects it there: as it was at entry.

/// A null pointer dereference.
pub(super) fn oops(_: Series) -> Code {
    Code::default().then(NULL_DEREFERENCE)
}

/// `BUG()`, without the table that says where.
pub(super) fn bug(_: Series) -> Code {
    Code::default().then(UNDEFINED_INSTRUCTION)
}

/// A CPU that does not schedule: with the lock no kernel preempts.
pub(super) fn soft_lockup(_: Series) -> Code {
    Code::default()
        .then(SPINLOCK)
        .call("_raw_spin_lock_bh")
        .then(&busy_loop(LOCKUP_S, host_mhz()))
        .then(SCRATCH)
        .call("_raw_spin_unlock_bh")
        .then(RETURN)
}

/// A CPU that has its interrupts off: `cli`, `sti`.
pub(super) fn rcu_stall(_: Series) -> Code {
    Code::default()
        .then(&[0xfa])
        .then(&busy_loop(STALL_S, host_mhz()))
        .then(&[0xfb])
        .then(RETURN)
}

/// An address that is not canonical: `mov rax, 0xdead000000000100; mov [rax], al`.
pub(super) fn gpf(_: Series) -> Code {
    Code::default().then(&[0x48, 0xb8, 0, 1, 0, 0, 0, 0, 0xad, 0xde, 0x88, 0x00])
}

/// An address between the fixed mappings of a kernel without KASAN: `mov rax, 0xfffff80000001000; mov [rax], al`.
pub(super) fn bad_address(_: Series) -> Code {
    Code::default().then(&[0x48, 0xb8, 0, 0x10, 0, 0, 0, 0xf8, 0xff, 0xff, 0x88, 0x00])
}

/// `xor ecx, ecx; xor edx, edx; div ecx`.
pub(super) fn divide(_: Series) -> Code {
    Code::default().then(&[0x31, 0xc9, 0x31, 0xd2, 0xf7, 0xf1])
}

/// `xor eax, eax; call rax`.
pub(super) fn null_call(_: Series) -> Code {
    Code::default().then(&[0x31, 0xc0, 0xff, 0xd0])
}

/// `mov rax, rsp; jmp rax`.
pub(super) fn exec_data(_: Series) -> Code {
    Code::default().then(&[0x48, 0x89, 0xe0, 0xff, 0xe0])
}

/// `again: call again`.
pub(super) fn stack_overflow(_: Series) -> Code {
    Code::default().then(&[0xe8, 0xfb, 0xff, 0xff, 0xff])
}

/// What the compiler calls when the guard of a stack was overwritten.
pub(super) fn stack_protector(_: Series) -> Code {
    Code::default().call("__stack_chk_fail")
}

/// Returns with interrupts off: `cli`.
pub(super) fn warn(_: Series) -> Code {
    Code::default().then(&[0xfa]).then(RETURN)
}

/// Nothing: the module only taints.
pub(super) fn nothing(_: Series) -> Code {
    Code::default().then(RETURN)
}

/// Gives back memory that nobody has, 1000 times: `mov dword [rsp - 0x2400], 1000; again: mov edi, 0x1000; call; dec
/// dword [rsp - 0x2400]; jnz again`. It says that it failed, so that it can be loaded again.
pub(super) fn storm(_: Series) -> Code {
    Code::default()
        .then(&[0xc7, 0x84, 0x24, 0x00, 0xdc, 0xff, 0xff, 0xe8, 0x03, 0, 0])
        .then(VFREE_ARGUMENT)
        .call("vfree")
        .then(&[0xff, 0x8c, 0x24, 0x00, 0xdc, 0xff, 0xff])
        .then(&[0x75, 0xed])
        .then(FAILURE)
}

/// Gives back memory that nobody has, when the time comes.
pub(super) fn vfree_in_time(_: Series) -> Code {
    Code::default()
        .then(RENDEZVOUS)
        .then(VFREE_ARGUMENT)
        .call("vfree")
        .then(RETURN)
}

/// Gives back an interrupt that nobody has, when the time comes: `xor edi, edi; push 8; pop rsi`.
pub(super) fn free_irq_in_time(_: Series) -> Code {
    Code::default()
        .then(RENDEZVOUS)
        .then(&[0x31, 0xff, 0x6a, 8, 0x5e])
        .call("free_irq")
        .then(RETURN)
}

/// Lets the core of EDAC tell of a corrected error of a memory controller that there is not: `edac_mc_alloc(0, 1, layers,
/// 0)`, then `edac_mc_handle_error(HW_EVENT_ERR_CORRECTED, it, 1, 0x12345, 0x80, 0, 0, -1, -1, text, text)`
/// (`drivers/edac/edac_mc.h`).
pub(super) fn mc_event(_: Series) -> Code {
    Code::default()
        // xor edi, edi; push 1; pop rsi; lea rdx, [rip + layers]; xor ecx, ecx
        .then(&[
            0x31, 0xff, 0x6a, 1, 0x5e, 0x48, 0x8d, 0x15, 56, 0, 0, 0, 0x31, 0xc9,
        ])
        .call("edac_mc_alloc")
        // mov rsi, rax; lea rax, [rip + text]; push rax; push rax; push -1; push -1; push 0
        .then(&[0x48, 0x89, 0xc6, 0x48, 0x8d, 0x05, 51, 0, 0, 0, 0x50, 0x50])
        .then(&[0x6a, 0xff, 0x6a, 0xff, 0x6a, 0])
        // xor edi, edi; push 1; pop rdx; mov ecx, 0x12345; mov r8d, 0x80; xor r9d, r9d
        .then(&[0x31, 0xff, 0x6a, 1, 0x5a, 0xb9, 0x45, 0x23, 1, 0])
        .then(&[0x41, 0xb8, 0x80, 0, 0, 0, 0x45, 0x31, 0xc9])
        .call("edac_mc_handle_error")
        // add rsp, 40
        .then(&[0x48, 0x83, 0xc4, 40])
        .then(RETURN)
        // One layer, EDAC_MC_LAYER_ALL_MEM, of one row (struct edac_mc_layer, include/linux/edac.h).
        .then(&[4, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0])
        .then(b"read error\0")
}

/// `push 3; pop rsi`: 3 is `REFCOUNT_SUB_UAF` (`enum refcount_saturation_type`, include/linux/refcount.h).
pub(super) fn refcount(_: Series) -> Code {
    Code::default()
        .then(SCRATCH)
        .then(&[0x6a, 3, 0x5e])
        .call("refcount_warn_saturate")
        .then(RETURN)
}

/// `mov rdi, rsp; mov rsi, rsp; mov rdx, rsp`.
pub(super) fn list(series: Series) -> Code {
    Code::default()
        .then(&[0x48, 0x89, 0xe7, 0x48, 0x89, 0xe6, 0x48, 0x89, 0xe2])
        .call(Names::of(series).list_add_valid)
}

/// `mov rdi, rsp; mov esi, 0x10000; push 1; pop rdx`.
pub(super) fn usercopy(_: Series) -> Code {
    Code::default()
        .then(&[0x48, 0x89, 0xe7, 0xbe, 0, 0, 1, 0, 0x6a, 1, 0x5a])
        .call("__check_object_size")
}

/// `push 64; pop rdi; xor esi, esi`, then `push rax; mov rdi, rax`, then `pop rdi`.
pub(super) fn double_free(series: Series) -> Code {
    Code::default()
        .then(&[0x6a, 64, 0x5f, 0x31, 0xf6])
        .call(Names::of(series).kmalloc)
        .then(&[0x50, 0x48, 0x89, 0xc7])
        .call("kfree")
        .then(&[0x5f])
        .call("kfree")
        .then(RETURN)
}

/// Sleeps with a spinlock held: `push 1; pop rdi`.
pub(super) fn atomic(_: Series) -> Code {
    Code::default()
        .then(SPINLOCK)
        .call("_raw_spin_lock_bh")
        .then(&[0x6a, 1, 0x5f])
        .call("msleep")
        .then(RETURN)
}

/// Takes pieces of 4 MiB from the zone for DMA, which has 16 MiB, until there is none: `again: push 10; pop rsi; mov edi,
/// GFP_ATOMIC | GFP_DMA`, then `test eax, eax; jnz again; ret`.
pub(super) fn page_alloc(series: Series) -> Code {
    Code::default()
        .then(&[0x6a, 10, 0x5e, 0xbf, 0x21, 0x08, 0, 0])
        .call(Names::of(series).get_free_pages)
        .then(&[0x85, 0xc0, 0x75, 0xef, 0xc3])
}

/// Asks for 1 TiB: `push 1; pop rdi; shl rdi, 40`.
pub(super) fn vmalloc(series: Series) -> Code {
    Code::default()
        .then(&[0x6a, 1, 0x5f, 0x48, 0xc1, 0xe7, 40])
        .call(Names::of(series).vmalloc)
        .then(RETURN)
}

/// Uses memory after it was freed, until KFENCE had its turn.
pub(super) fn kfence(series: Series) -> Code {
    use_after_free(Names::of(series).kmalloc)
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
        use std::os::unix::process::ExitStatusExt as _;
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("crash");
        testing::write_program(&program, &crashing_program());
        let status = std::process::Command::new(&program)
            .current_dir(dir.path())
            .status()
            .unwrap();
        assert_eq!(status.signal(), Some(11));
    }
}

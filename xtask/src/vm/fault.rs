//! The faults that a guest can be made to have, and what the collector should have stored afterwards.

use std::fmt;

use anyhow::{Context as _, Result};

use super::{
    broken_module::{self, BreakError},
    kernels::Series,
    modules::{Module, Modules},
};

/// Dereferences a null pointer: `xor eax, eax; mov [rax], rax`.
const NULL_DEREFERENCE: &[u8] = &[0x31, 0xc0, 0x48, 0x89, 0x00];
/// What `BUG()` compiles to: `ud2`.
const UNDEFINED_INSTRUCTION: &[u8] = &[0x0f, 0x0b];
/// How long a CPU is kept at least, seconds. The guest sets `watchdog_thresh` to 4. The kernel counts in units of
/// 2^30 ns and looks every 1.6 s, so it reports a lockup after at most 11.3 s, and again after 15.5 s or more.
const LOCKUP_S: f64 = 11.95;
/// When `/proc/cpuinfo` does not say.
const TYPICAL_MHZ: f64 = 2500.0;

/// A fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Fault {
    /// A null pointer dereference in the kernel
    Oops,
    /// An undefined instruction in the kernel
    Bug,
    /// A CPU that makes no progress for some seconds
    SoftLockup,
    /// A corrected memory error, by mce-inject
    Mce,
    /// A program that eats more memory than its cgroup may have
    Oom,
    /// A program that dereferences a null pointer
    Crash,
    /// A panic, read back from ramoops after the reboot
    Panic,
}

impl Fault {
    /// All, in an order in which one boot has them; a panic is last, for it ends the boot.
    pub(crate) const ALL: [Self; 7] = [
        Self::Crash,
        Self::Oom,
        Self::Mce,
        Self::Oops,
        Self::Bug,
        Self::SoftLockup,
        Self::Panic,
    ];

    /// The name on the command line and in the guest.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Oops => "oops",
            Self::Bug => "bug",
            Self::SoftLockup => "soft-lockup",
            Self::Mce => "mce",
            Self::Oom => "oom",
            Self::Crash => "crash",
            Self::Panic => "panic",
        }
    }

    /// Why a kernel cannot have it.
    pub(super) const fn impossible_on(self, series: Series) -> Option<&'static str> {
        match (self, series) {
            (Self::SoftLockup, Series::Sid) => Some("this kernel preempts a module's init function"),
            _ => None,
        }
    }

    /// The class that the collector stores it under.
    pub(crate) const fn class(self) -> &'static str {
        match self {
            Self::Oops | Self::Bug => "kernel.oops",
            Self::SoftLockup => "kernel.lockup",
            Self::Mce => "hardware.machine_check",
            Self::Oom => "memory.oom_kill",
            Self::Crash => "program.crash",
            Self::Panic => "kernel.panic",
        }
    }

    /// What its title contains.
    pub(crate) const fn title_part(self) -> &'static str {
        match self {
            Self::Oops => "NULL pointer dereference",
            Self::Bug => "invalid opcode",
            Self::SoftLockup => "soft lockup",
            Self::Mce => "memory controller read error, channel 1",
            Self::Oom => "tail",
            Self::Crash => "guest-crash",
            Self::Panic => "sysrq triggered crash",
        }
    }

    fn machine_code(self) -> Option<Vec<u8>> {
        match self {
            Self::Oops => Some(NULL_DEREFERENCE.to_vec()),
            Self::Bug => Some(UNDEFINED_INSTRUCTION.to_vec()),
            Self::SoftLockup => Some(busy_loop(host_mhz())),
            Self::Mce | Self::Oom | Self::Crash | Self::Panic => None,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A module for each fault that needs one: character sets of file systems, which nothing here uses. Each is another stock module, for one that died in its init function is
/// never finished and blocks its name until the reboot.
pub(super) fn broken_modules(modules: &Modules) -> Result<Vec<(Fault, Module)>> {
    let mut candidates = modules.names_under("kernel/fs/nls");
    let mut broken = Vec::new();
    for fault in Fault::ALL {
        let Some(code) = fault.machine_code() else {
            continue;
        };
        let module =
            next_usable(modules, &mut candidates, &code).with_context(|| format!("a module for {fault}"))?;
        broken.push((fault, module));
    }
    Ok(broken)
}

fn next_usable<'a>(
    modules: &Modules,
    candidates: &mut impl Iterator<Item = &'a str>,
    code: &[u8],
) -> Result<Module> {
    let mut last = None;
    for name in candidates {
        if modules.with_dependencies(&[name])?.len() != 1 {
            continue;
        }
        let module = modules.read(name)?;
        match broken_module::break_module(&module.bytes, code) {
            Ok(bytes) => {
                let name = module.name;
                return Ok(Module { name, bytes });
            }
            Err(error @ (BreakError::Room { .. } | BreakError::Patched | BreakError::NoInit)) => {
                last = Some(error);
            }
            Err(error) => return Err(error).with_context(|| format!("module {name}")),
        }
    }
    match last {
        Some(error) => Err(error).context("no stock module can be used; the last one that was tried"),
        None => anyhow::bail!("no stock module is left"),
    }
}

/// Machine code that spins and then returns 0. It ends by itself, so that the guest can go on.
fn busy_loop(mhz: f64) -> Vec<u8> {
    // The loop counts in units of 2^32 cycles of the time stamp counter, which the guest shares with this host. It
    // starts somewhere within a unit.
    let unit_s = 4_294_967_296.0 / (mhz * 1e6);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to the range of the operand"
    )]
    let units = ((LOCKUP_S / unit_s).ceil() + 1.0).clamp(2.0, 100.0) as u8;
    vec![
        0x0f, 0x31, // rdtsc
        0x8d, 0x4a, units, // lea ecx, [rdx + units]
        0x0f, 0x31, // again: rdtsc
        0x29, 0xca, // sub edx, ecx
        0x78, 0xfa, // js again
        0x31, 0xc0, // xor eax, eax
        0xc3, // ret
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
            let units = f64::from(busy_loop(mhz)[4]);
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

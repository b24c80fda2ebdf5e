//! The faults that a guest can be made to have, and what the collector should have stored afterwards.

mod code;

use std::fmt;

use anyhow::{Context as _, Result};
use clap::ValueEnum as _;

pub(crate) use self::code::crashing_program;
use super::{
    broken_module::{self, BreakError, Code},
    kernels::Series,
    modules::{Module, Modules},
};

/// A fault. They are in an order in which one boot can have them and each shows: what ends a boot comes first, then what
/// nothing dies of. The kernel tells of a failed allocation once in 10 s.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Fault {
    /// A panic, read back from ramoops after the reboot
    Panic,
    /// A stack with its guard overwritten: a panic
    StackProtector,
    /// A function that calls itself for ever
    StackOverflow,
    /// A program that dereferences a null pointer
    Crash,
    /// A program that eats more memory than its cgroup may have
    Oom,
    /// A program that eats all memory
    OomGlobal,
    /// A corrected memory error, by mce-inject
    Mce,
    /// A page that is said to be broken, by hwpoison-inject
    Hwpoison,
    /// A file system with garbage in its table of inodes
    Ext4,
    /// A disk with a sector that cannot be read
    Disk,
    /// An allocation of more memory than the machine has
    Vmalloc,
    /// A task that waits for a file system that is frozen
    HungTask,
    /// Free memory that is too small or in pieces
    Alloc,
    /// A function that sleeps with a spinlock held
    Atomic,
    /// A function that returns with interrupts off
    Warn,
    /// A reference count below zero
    Refcount,
    /// A use of memory that was freed, found by KFENCE
    Kfence,
    /// A CPU that makes no progress for some seconds
    SoftLockup,
    /// A CPU that has its interrupts off for some seconds
    RcuStall,
    /// A null pointer dereference in the kernel
    Oops,
    /// An undefined instruction in the kernel
    Bug,
    /// An access to an address that no pointer can have
    Gpf,
    /// An access to an address where nothing is
    BadAddress,
    /// A division by zero
    Divide,
    /// A call of a null pointer
    NullCall,
    /// A jump to data
    ExecData,
    /// A list whose neighbours do not point at each other
    List,
    /// A copy from beyond the end of the stack to a program
    Usercopy,
    /// Memory that is freed twice
    DoubleFree,
}

impl Fault {
    /// Those that the tests cause, in an order in which one boot has them; a panic is last, for it ends the boot.
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
    pub(crate) fn name(self) -> String {
        // Invariant: no variant is skipped, so each has a value.
        self.to_possible_value()
            .map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// Why a kernel cannot have it.
    pub(super) const fn impossible_on(self, series: Series) -> Option<&'static str> {
        match (self, series) {
            (Self::Kfence, Series::V5_10 | Series::V6_1) => Some("this kernel has no KFENCE"),
            _ => None,
        }
    }

    /// It ends in a reboot.
    pub(super) const fn is_fatal(self) -> bool {
        matches!(self, Self::Panic | Self::StackOverflow | Self::StackProtector)
    }

    /// The class that the collector stores it under, and what its title contains. Only for those of the tests: others
    /// may leave several records, and are for the console's log.
    pub(super) const fn expected(self) -> Option<(&'static str, &'static str)> {
        Some(match self {
            Self::Oops => ("kernel.oops", "NULL pointer dereference"),
            Self::Bug => ("kernel.oops", "invalid opcode"),
            Self::SoftLockup => ("kernel.lockup", "soft lockup"),
            Self::Mce => (
                "hardware.machine_check",
                "memory controller read error, channel 1",
            ),
            Self::Oom => ("memory.oom_kill", "tail"),
            Self::Crash => ("program.crash", "guest-crash"),
            Self::Panic => ("kernel.panic", "sysrq triggered crash"),
            _ => return None,
        })
    }

    /// Modules that the guest loads for it.
    pub(super) const fn modules(self) -> &'static [&'static str] {
        match self {
            Self::HungTask | Self::Ext4 => &["loop"],
            Self::Disk => &["sd_mod", "scsi_debug"],
            Self::Hwpoison => &["hwpoison_inject"],
            _ => &[],
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

/// Where the modules are that are broken: character sets of file systems and parts of TCP, which nothing here uses.
const FOLDERS: [&str; 2] = ["kernel/fs/nls", "kernel/net/ipv4"];

/// A module for each fault that needs one, the same on all kernels as far as it goes. Each is another stock module, for one that died in its init function is
/// never finished and blocks its name until the reboot.
pub(super) fn broken_modules(modules: &Modules, series: Series) -> Result<Vec<(Fault, Module)>> {
    let mut candidates: Vec<&str> = FOLDERS
        .iter()
        .flat_map(|folder| modules.names_under(folder))
        .collect();
    let mut codes: Vec<(Fault, Code)> = Fault::value_variants()
        .iter()
        .filter_map(|fault| Some((*fault, code::of(*fault, series)?)))
        .collect();
    // Few modules have room for much.
    codes.sort_by_key(|(_, code)| std::cmp::Reverse(code.bytes.len()));
    let mut broken = Vec::new();
    for (fault, code) in codes {
        let module =
            take_usable(modules, &mut candidates, &code).with_context(|| format!("a module for {fault}"))?;
        broken.push((fault, module));
    }
    Ok(broken)
}

fn take_usable(modules: &Modules, candidates: &mut Vec<&str>, code: &Code) -> Result<Module> {
    let mut last = None;
    for (index, name) in candidates.iter().enumerate() {
        if modules.with_dependencies(&[name])?.len() != 1 {
            continue;
        }
        let module = modules.read(name)?;
        match broken_module::break_module(&module.bytes, code) {
            Ok(bytes) => {
                candidates.remove(index);
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

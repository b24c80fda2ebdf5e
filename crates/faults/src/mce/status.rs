//! The bits of the registers that every bank has, and which of them a processor has.
//!
//! SDM 3B, "Machine-Check MSRs"; APM 2, 9.3.2; `arch/x86/include/asm/mce.h` of Linux 7.2.

use super::{MachineCheck, Vendor};

/// Bits of `MCi_STATUS`.
pub(super) mod bit {
    pub(in crate::mce) const VALID: u64 = 1 << 63;
    pub(in crate::mce) const OVERFLOW: u64 = 1 << 62;
    pub(in crate::mce) const UNCORRECTED: u64 = 1 << 61;
    pub(in crate::mce) const ENABLED: u64 = 1 << 60;
    pub(in crate::mce) const MISC_VALID: u64 = 1 << 59;
    pub(in crate::mce) const ADDR_VALID: u64 = 1 << 58;
    pub(in crate::mce) const CONTEXT_CORRUPT: u64 = 1 << 57;
    /// Intel: the error was signalled by a machine check.
    pub(in crate::mce) const SIGNALLED: u64 = 1 << 56;
    /// Intel: software must act.
    pub(in crate::mce) const ACTION: u64 = 1 << 55;
    /// AMD: the thread's context is corrupt.
    pub(in crate::mce) const TASK_CONTEXT_CORRUPT: u64 = 1 << 55;
    /// AMD: the number of the core that reported is valid (before Zen).
    pub(in crate::mce) const CORE_VALID: u64 = 1 << 56;
    /// AMD: the address is a physical address of the machine, where `MCA_CONFIG` says that the bit exists.
    pub(in crate::mce) const PHYSICAL_ADDR_VALID: u64 = 1 << 54;
    /// AMD: the syndrome register is valid (Zen).
    pub(in crate::mce) const SYNDROME_VALID: u64 = 1 << 53;
    /// AMD: corrected by ECC.
    pub(in crate::mce) const CORRECTED_ECC: u64 = 1 << 46;
    /// AMD: found by ECC, not corrected.
    pub(in crate::mce) const UNCORRECTED_ECC: u64 = 1 << 45;
    /// AMD: deferred.
    pub(in crate::mce) const DEFERRED: u64 = 1 << 44;
    /// AMD: poisoned data was used.
    pub(in crate::mce) const POISON: u64 = 1 << 43;
    /// AMD: found by a scrubber.
    pub(in crate::mce) const SCRUB: u64 = 1 << 40;
}

/// Bits of `MCG_STATUS`.
pub(super) mod global {
    /// Execution can go on at the saved instruction pointer.
    pub(in crate::mce) const RESTART: u64 = 1;
    /// The saved instruction pointer is that of the instruction at fault.
    pub(in crate::mce) const ERROR_POINTER: u64 = 1 << 1;
    /// A machine check is in progress.
    pub(in crate::mce) const IN_PROGRESS: u64 = 1 << 2;
    /// The exception came to one logical processor alone.
    pub(in crate::mce) const LOCAL: u64 = 1 << 3;
    /// The processor ran a trust domain.
    pub(in crate::mce) const SEAM: u64 = 1 << 12;
}

/// Bits of `MCG_CAP`.
pub(super) mod capability {
    /// Corrected errors are counted and can interrupt.
    pub(in crate::mce) const CORRECTED_INTERRUPT: u64 = 1 << 10;
    /// The status tells of a threshold.
    pub(in crate::mce) const THRESHOLD_STATUS: u64 = 1 << 11;
    /// Enhanced machine check.
    pub(in crate::mce) const ENHANCED: u64 = 1 << 25;
    /// Software can recover from some errors.
    pub(in crate::mce) const RECOVERY: u64 = 1 << 24;
}

/// What `MCG_CAP` says that the processor has. `None` when the register is not known and the model does not tell.
#[derive(Debug, Clone, Copy)]
pub(super) struct Capabilities {
    register: u64,
    vendor: Vendor,
}

impl Capabilities {
    pub(super) fn of(check: &MachineCheck) -> Self {
        Self {
            register: check.mcg_cap,
            vendor: check.vendor(),
        }
    }

    /// `MCG_SER_P`: S and AR of the status, and address granularity and mode in `MCi_MISC`.
    pub(super) fn recovery(self) -> Option<bool> {
        self.has(capability::RECOVERY)
    }

    /// `MCG_CMCI_P`: the count of corrected errors.
    pub(super) fn corrected_count(self) -> Option<bool> {
        self.has(capability::CORRECTED_INTERRUPT)
    }

    /// `MCG_TES_P`: the threshold status.
    pub(super) fn threshold_status(self) -> Option<bool> {
        self.has(capability::THRESHOLD_STATUS)
    }

    /// `MCG_EMC_P`: whether firmware changed the status.
    pub(super) fn firmware_status(self) -> Option<bool> {
        self.has(capability::ENHANCED)
    }

    fn has(self, bit: u64) -> Option<bool> {
        if self.vendor.is_amd() {
            return Some(false);
        }
        // No processor has 0 banks: 0 stands for a register that nobody read.
        (self.register != 0).then_some(self.register & bit != 0)
    }
}

impl MachineCheck {
    pub(super) const fn has(&self, bit: u64) -> bool {
        self.status & bit != 0
    }
}

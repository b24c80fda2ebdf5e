//! Where the values that the kernel prints lie in their sections: name, validation bit, offset, bytes.

use crate::cper::{Guid, guids};

/// Name in the text, validation bit ([`crate::cper::ALWAYS`] for none), offset, bytes.
pub(super) type Key = (&'static str, u32, usize, usize);

use crate::cper::ALWAYS;

/// Section types by the names that the kernel prints.
const SECTION_TYPES: &[(&str, Guid)] = &[
    ("general processor error", guids::PROCESSOR),
    ("memory error", guids::MEMORY),
    ("PCIe error", guids::PCIE),
    ("ARM processor error", guids::PROCESSOR_ARM),
    ("IA32/X64 processor error", guids::PROCESSOR_X86),
    ("Firmware Error Record Reference", guids::FIRMWARE),
    ("CXL Protocol Error", guids::CXL_PROTOCOL),
];

pub(super) fn section_type(name: &str) -> Option<Guid> {
    SECTION_TYPES
        .iter()
        .find(|(known, _)| *known == name.trim())
        .map(|(_, kind)| *kind)
}

pub(super) const MEMORY: &[Key] = &[
    ("physical_address", 1, 16, 8),
    ("physical_address_mask", 2, 24, 8),
    ("node", 3, 32, 2),
    ("card", 4, 34, 2),
    ("module", 5, 36, 2),
    ("rank", 15, 74, 2),
    ("bank", 6, 38, 2),
    ("bank_group", 19, 39, 1),
    ("bank_address", 20, 38, 1),
    ("device", 7, 40, 2),
    ("row", 8, 42, 2),
    ("column", 9, 44, 2),
    ("bit_position", 10, 46, 2),
    ("requestor_id", 11, 48, 8),
    ("responder_id", 12, 56, 8),
    ("target_id", 13, 64, 8),
    ("error_type", 14, 72, 1),
];

pub(super) const PROCESSOR: &[Key] = &[
    ("processor_type", 0, 8, 1),
    ("processor_isa", 1, 9, 1),
    ("error_type", 2, 10, 1),
    ("operation", 3, 11, 1),
    ("flags", 4, 12, 1),
    ("level", 5, 13, 1),
    ("version_info", 6, 16, 8),
    ("processor_id", 8, 152, 8),
    ("target_address", 9, 160, 8),
    ("requestor_id", 10, 168, 8),
    ("responder_id", 11, 176, 8),
    ("IP", 12, 184, 8),
];

pub(super) const PCIE: &[Key] = &[
    ("port_type", 0, 8, 4),
    ("command", 2, 16, 2),
    ("status", 2, 18, 2),
    ("vendor_id", 3, 24, 2),
    ("device_id", 3, 26, 2),
    ("secondary_bus", 3, 36, 1),
    ("secondary_status", 5, 48, 2),
    ("control", 5, 50, 2),
    ("aer_uncor_status", 7, 116, 4),
    ("aer_uncor_mask", 7, 120, 4),
    ("aer_uncor_severity", 7, 124, 4),
    ("aer_cor_status", 7, 128, 4),
    ("aer_cor_mask", 7, 132, 4),
];

/// The error log is put right behind the fixed part: the CXL part of the configuration space is printed as a dump only.
pub(super) const CXL_PROTOCOL: &[Key] = &[
    ("agent_type", 0, 8, 1),
    ("rcrb_base_address", 1, 16, 8),
    ("vendor_id", 2, 24, 2),
    ("device_id", 2, 26, 2),
    ("sub_vendor_id", 2, 28, 2),
    ("sub_device_id", 2, 30, 2),
    ("lower_dw", 3, 40, 4),
    ("upper_dw", 3, 44, 4),
    ("cxl_ras_uncor_status", 6, 116, 4),
    ("cxl_ras_uncor_mask", 6, 120, 4),
    ("cxl_ras_uncor_severity", 6, 124, 4),
    ("cxl_ras_cor_status", 6, 128, 4),
    ("cxl_ras_cor_mask", 6, 132, 4),
    ("cap_control", 6, 136, 4),
];

pub(super) const X86: &[Key] = &[("Local APIC_ID", 0, 8, 8)];

pub(super) const X86_INFO: &[Key] = &[
    ("Check Information", 0, 24, 8),
    ("Target Identifier", 1, 32, 8),
    ("Requestor Identifier", 2, 40, 8),
    ("Responder Identifier", 3, 48, 8),
    ("Instruction Pointer", 4, 56, 8),
];

pub(super) const X86_CONTEXT: &[Key] = &[
    ("MSR Address", ALWAYS, 4, 4),
    ("MM Register Address", ALWAYS, 8, 8),
];

/// In the order of their numbers.
pub(super) const X86_CONTEXTS: &[&str] = &[
    "Unclassified Data",
    "MSR Registers (Machine Check and other MSRs)",
    "32-bit Mode Execution Context",
    "64-bit Mode Execution Context",
    "FXSAVE Context",
    "32-bit Mode Debug Registers (DR0-DR7)",
    "64-bit Mode Debug Registers (DR0-DR7)",
    "Memory Mapped Registers",
];

pub(super) const ARM: &[Key] = &[
    ("Multiprocessor Affinity Register (MPIDR)", 0, 16, 8),
    ("error affinity level", 1, 12, 1),
    ("MIDR", ALWAYS, 24, 8),
    ("running state", 2, 32, 4),
    ("Power State Coordination Interface state", 2, 36, 4),
];

pub(super) const ARM_INFO: &[Key] = &[
    ("error_type", ALWAYS, 4, 1),
    ("error_info", 2, 8, 8),
    ("virtual fault address", 3, 16, 8),
    ("physical fault address", 4, 24, 8),
];

/// In the order of their bits.
pub(super) const ARM_FLAGS: &[&str] = &[
    "first error captured",
    "last error captured",
    "propagated error captured",
    "overflow occurred, error info is incomplete",
];

/// In the order of their numbers.
pub(super) const ARM_CONTEXTS: &[&str] = &[
    "AArch32 general purpose registers",
    "AArch32 EL1 context registers",
    "AArch32 EL2 context registers",
    "AArch32 secure context registers",
    "AArch64 general purpose registers",
    "AArch64 EL1 context registers",
    "AArch64 EL2 context registers",
    "AArch64 EL3 context registers",
    "Misc. system register structure",
];

/// In the order of their numbers.
pub(super) const FIRMWARE_TYPES: &[&str] = &[
    "IPF SAL Error Record",
    "SOC Firmware Error Record Type1 (Legacy CrashLog Support)",
    "SOC Firmware Error Record Type2",
];

//! The generic processor section: N.2.4.1.

use super::layout;
use super::layout::{le, text};
use crate::hardware::{bits, hex, name_of, named, names_of_bits, plain};

layout! {
    /// An error of a processor of any architecture.
    pub struct ProcessorError {
        /// Architecture.
        processor_type: u8 = bit 0, le(8), named(&["IA32/X64", "IA64", "ARM"]);
        /// Instruction set at the time.
        processor_isa: u8 = bit 1, le(9), named(&["IA32", "IA64", "X64", "ARM A32/T32", "ARM A64"]);
        /// What failed, bits.
        error_type: u8 = bit 2, le(10), bits(TYPES);
        /// What the processor did.
        operation: u8 = bit 3, le(11), named(OPERATIONS);
        /// How it ended, bits.
        flags: u8 = bit 4, le(12), bits(&[(0, "restartable"), (1, "precise IP"), (2, "overflow"), (3, "corrected")]);
        /// Cache or TLB level.
        level: u8 = bit 5, le(13), plain;
        /// Model: `CPUID(1).EAX`, `MIDR_EL1`.
        version_info: u64 = bit 6, le(16), hex;
        /// Model by name.
        brand: String = bit 7, text(24, 128), plain;
        /// Which processor: local APIC id, MPIDR.
        processor_id: u64 = bit 8, le(152), hex;
        /// Address of the access, of the kind that the processor uses.
        target_address: u64 = bit 9, le(160), hex;
        /// Who asked.
        requestor_id: u64 = bit 10, le(168), hex;
        /// Who answered.
        responder_id: u64 = bit 11, le(176), hex;
        /// Instruction pointer.
        ip: u64 = bit 12, le(184), hex;
    }
}

/// What fails in a processor; the bits of this section's error type, and of ARM's, one bit higher.
pub(super) const TYPES: &[(u32, &str)] = &[
    (0, "cache error"),
    (1, "TLB error"),
    (2, "bus error"),
    (3, "micro-architectural error"),
];

const OPERATIONS: &[&str] = &[
    "unknown or generic",
    "data read",
    "data write",
    "instruction execution",
];

impl ProcessorError {
    /// What failed, in words: `cache error, data read, level 1`.
    pub fn what(&self) -> String {
        let kinds = names_of_bits(TYPES, self.error_type.unwrap_or(0).into());
        let mut words = vec![if kinds.is_empty() {
            "unknown error".to_owned()
        } else {
            kinds.join(" and ")
        }];
        let operation = self.operation.filter(|operation| *operation > 0);
        words.extend(operation.map(|operation| name_of(OPERATIONS, operation.into()).to_owned()));
        words.extend(self.level.map(|level| format!("level {level}")));
        words.join(", ")
    }
}

//! The IA32/X64 processor section: N.2.4.2.

use super::layout::{ALWAYS, guid, le, or_zero, slice};
use super::section::Read;
use super::{CperError, Guid, MAX_STRUCTURES, Raw, layout};
use crate::hardware::{Field, Fields, Shown, hex, meaning, name_of, part, plain};

/// An error of an x86 processor.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct X86Error {
    /// Local APIC id.
    pub apic_id: Option<u64>,
    /// The 48 bytes of `CPUID` leaf 1 (EAX, EBX, ECX, EDX, each in 8 bytes, then reserved).
    pub cpuid: Option<Raw>,
    /// What failed.
    pub errors: Vec<X86ErrorInfo>,
    /// Registers that were saved.
    pub contexts: Vec<X86Context>,
}

layout! {
    /// One thing that failed.
    pub struct X86ErrorInfo {
        /// Kind of structure; [`X86ErrorInfo::kind`] names it.
        structure: Guid = bit ALWAYS, guid(0), structure;
        /// What happened, packed; [`X86ErrorInfo::check`] unpacks it.
        check_info: u64 = bit 0, le(24), hex;
        /// Address of the access.
        target_id: u64 = bit 1, le(32), hex;
        /// Who asked.
        requestor_id: u64 = bit 2, le(40), hex;
        /// Who answered.
        responder_id: u64 = bit 3, le(48), hex;
        /// Instruction pointer.
        ip: u64 = bit 4, le(56), hex;
    }
}

/// Size of one error structure.
const INFO_BYTES: usize = 64;
/// Size of the section before the error structures.
const FIXED_BYTES: usize = 64;
/// Size of a register context before its registers.
const CONTEXT_BYTES: usize = 16;

/// Structures by GUID, in the order of [`super::processor::TYPES`].
const STRUCTURES: &[(Guid, &str)] = &[
    (Guid::new(0xa55701f5_e3ef_43de_ac72_249b573fad2c), "cache error"),
    (Guid::new(0xfc06b535_5e1f_4562_9f25_0a3b9adb63c3), "TLB error"),
    (Guid::new(0x1cf3f8b3_c5b1_49a2_aa59_5eef92ffa63c), "bus error"),
    (
        Guid::new(0x48ab7f57_dc34_4f6c_a7d3_b0b5b0a74314),
        "micro-architectural error",
    ),
];

fn structure(kind: Guid) -> Shown {
    let name = STRUCTURES.iter().find(|(guid, _)| *guid == kind);
    meaning(plain(kind), name.map_or("unknown", |(_, name)| name))
}

/// The structure that the kernel names so, or by its GUID.
pub(super) fn structure_of(name: &str) -> Option<Guid> {
    let known = STRUCTURES.iter().find(|(_, known)| *known == name);
    known.map(|(guid, _)| *guid).or_else(|| name.parse().ok())
}

/// A check structure, unpacked. What its validation bits do not mark is `None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct X86Check {
    /// Instruction, data or generic.
    pub transaction: Option<&'static str>,
    /// What the processor did.
    pub operation: Option<&'static str>,
    /// Cache or TLB level.
    pub level: Option<u8>,
    /// Kind of micro-architectural error.
    pub error_type: Option<&'static str>,
    /// The processor's state is lost.
    pub context_corrupt: Option<bool>,
    /// Not corrected.
    pub uncorrected: Option<bool>,
    /// The instruction pointer is that of the error.
    pub precise_ip: Option<bool>,
    /// Execution can go on at the instruction pointer.
    pub restartable: Option<bool>,
    /// There were more errors.
    pub overflow: Option<bool>,
    /// The processor's part in a bus transaction.
    pub participation: Option<&'static str>,
    /// The bus transaction timed out.
    pub timed_out: Option<bool>,
    /// Address space of the bus transaction.
    pub address_space: Option<&'static str>,
}

const TRANSACTIONS: &[&str] = &["instruction", "data access", "generic"];
const OPERATIONS: &[&str] = &[
    "generic error",
    "generic read",
    "generic write",
    "data read",
    "data write",
    "instruction fetch",
    "prefetch",
    "eviction",
    "snoop",
];
/// TLB and bus checks know the operations up to prefetch.
const COMMON_OPERATIONS: usize = 7;
const MICRO_ERRORS: &[&str] = &[
    "no error",
    "unclassified",
    "microcode ROM parity error",
    "external error",
    "FRC error",
    "internal unclassified",
];
const PARTICIPATIONS: &[&str] = &["originated", "responded", "observed", "generic"];
const ADDRESS_SPACES: &[&str] = &["memory", "reserved", "I/O", "other"];

impl X86Check {
    fn of(kind: usize, check: u64) -> Self {
        let set = |bit: u32| check >> bit & 1 != 0;
        let name = |names: &[&'static str], low, width| name_of(names, part(check, low, width));
        let flag = |valid_bit, bit| set(valid_bit).then(|| set(bit));
        if kind == 3 {
            return Self {
                error_type: set(0).then(|| name(MICRO_ERRORS, 16, 3)),
                context_corrupt: flag(1, 19),
                uncorrected: flag(2, 20),
                precise_ip: flag(3, 21),
                restartable: flag(4, 22),
                overflow: flag(5, 23),
                ..Self::default()
            };
        }
        let operations = OPERATIONS
            .get(..COMMON_OPERATIONS)
            .filter(|_| kind != 0)
            .unwrap_or(OPERATIONS);
        let bus = |bit| kind == 2 && set(bit);
        Self {
            transaction: set(0).then(|| name(TRANSACTIONS, 16, 2)),
            operation: set(1).then(|| name(operations, 18, 4)),
            level: set(2).then(|| part(check, 22, 3)),
            error_type: None,
            context_corrupt: flag(3, 25),
            uncorrected: flag(4, 26),
            precise_ip: flag(5, 27),
            restartable: flag(6, 28),
            overflow: flag(7, 29),
            participation: bus(8).then(|| name(PARTICIPATIONS, 30, 2)),
            timed_out: bus(9).then(|| set(32)),
            address_space: bus(10).then(|| name(ADDRESS_SPACES, 33, 2)),
        }
    }

    fn show(&self, fields: &mut Fields) {
        let names = [
            ("transaction", self.transaction),
            ("operation", self.operation),
            ("error_type", self.error_type),
            ("participation", self.participation),
            ("address_space", self.address_space),
        ];
        let flags = [
            ("context_corrupt", self.context_corrupt),
            ("uncorrected", self.uncorrected),
            ("precise_ip", self.precise_ip),
            ("restartable", self.restartable),
            ("overflow", self.overflow),
            ("timed_out", self.timed_out),
        ];
        for (name, value) in names {
            if let Some(value) = value {
                fields.text(name, value);
            }
        }
        self.level
            .into_iter()
            .for_each(|level| fields.text("level", level));
        for (name, value) in flags {
            if let Some(value) = value {
                fields.text(name, value);
            }
        }
    }
}

impl X86ErrorInfo {
    /// What failed.
    pub fn kind(&self) -> &'static str {
        let found = STRUCTURES.iter().find(|(guid, _)| Some(*guid) == self.structure);
        found.map_or("unknown error", |(_, name)| name)
    }

    /// The check structure, unpacked; `None` for a kind that is not known.
    pub fn check(&self) -> Option<X86Check> {
        let kind = STRUCTURES
            .iter()
            .position(|(guid, _)| Some(*guid) == self.structure)?;
        Some(X86Check::of(kind, self.check_info?))
    }

    fn what(&self) -> String {
        let check = self.check().unwrap_or_default();
        let mut words = vec![self.kind().to_owned()];
        let names = [check.error_type, check.operation, check.transaction];
        words.extend(
            names
                .into_iter()
                .flatten()
                .filter(|name| !name.starts_with("generic"))
                .map(str::to_owned),
        );
        words.extend(check.level.map(|level| format!("level {level}")));
        words.join(", ")
    }
}

/// Registers that were saved.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct X86Context {
    /// Kind of registers; [`X86Context::name`] names it.
    pub kind: u16,
    /// First MSR of an MSR context.
    pub msr_address: Option<u32>,
    /// First address of a context of memory-mapped registers.
    pub mapped_address: Option<u64>,
    /// The registers.
    pub registers: Raw,
}

const CONTEXTS: &[&str] = &[
    "unclassified data",
    "MSR registers",
    "32-bit execution context",
    "64-bit execution context",
    "FXSAVE context",
    "32-bit debug registers",
    "64-bit debug registers",
    "memory-mapped registers",
];

impl X86Context {
    /// What the registers are.
    pub fn name(&self) -> &'static str {
        name_of(CONTEXTS, self.kind.into())
    }

    /// A context and its size; `None` when it does not fit.
    fn read(bytes: &[u8], at: usize) -> Option<(Self, usize)> {
        let kind = le(at)(bytes)?;
        let size = usize::from(le::<u16>(at + 2)(bytes)?);
        let msr: u32 = le(at + 4)(bytes)?;
        let mapped: u64 = le(at + 8)(bytes)?;
        let context = Self {
            kind,
            msr_address: (kind == 1).then_some(msr),
            mapped_address: (kind == 7).then_some(mapped),
            registers: Raw::of(slice(bytes, at + CONTEXT_BYTES, size)?),
        };
        Some((context, CONTEXT_BYTES + size))
    }
}

impl X86Error {
    pub(super) fn read(bytes: &[u8]) -> Read<Self> {
        let valid: u64 = or_zero(bytes, 0);
        let (infos, contexts): (usize, usize) = (part(valid, 2, 6), part(valid, 8, 6));
        let mut error = Self {
            apic_id: le(8)(bytes).filter(|_| valid & 1 != 0),
            cpuid: slice(bytes, 16, 48).filter(|_| valid & 2 != 0).map(Raw::of),
            errors: Vec::new(),
            contexts: Vec::new(),
        };
        let mut at = FIXED_BYTES;
        for _ in 0..infos.min(MAX_STRUCTURES) {
            let Some(info) = slice(bytes, at, INFO_BYTES) else {
                break;
            };
            error.errors.push(X86ErrorInfo::read(info, or_zero(info, 16)));
            at += INFO_BYTES;
        }
        for _ in 0..contexts.min(MAX_STRUCTURES) {
            let Some((context, size)) = X86Context::read(bytes, at) else {
                break;
            };
            error.contexts.push(context);
            at += size;
        }
        let missing = |what, said, found: usize| {
            (found < said).then_some(CperError::Count {
                what,
                offset: FIXED_BYTES,
                said,
                found,
            })
        };
        let damage = missing("error structures", infos, error.errors.len())
            .or_else(|| missing("register contexts", contexts, error.contexts.len()));
        (error, damage)
    }

    /// What failed, in words: `cache error, data read, level 1`.
    pub fn what(&self) -> String {
        match self.errors.first() {
            Some(first) => first.what(),
            None => "unknown error".to_owned(),
        }
    }

    pub(super) fn fields(&self) -> Vec<Field> {
        let mut fields = Fields::default();
        if let Some(apic_id) = &self.apic_id {
            fields.add("apic_id", hex(*apic_id));
        }
        if let Some(cpuid) = &self.cpuid {
            fields.text("cpuid", cpuid.hex());
        }
        for (index, info) in self.errors.iter().enumerate() {
            fields.prefix = format!("error {index} ");
            info.show(&mut fields);
            info.check().into_iter().for_each(|check| check.show(&mut fields));
        }
        for (index, context) in self.contexts.iter().enumerate() {
            fields.prefix = format!("context {index} ");
            fields.text("registers", context.name());
            if let Some(address) = &context.msr_address {
                fields.add("msr_address", hex(*address));
            }
            if let Some(address) = &context.mapped_address {
                fields.add("mapped_address", hex(*address));
            }
            fields.text("data", context.registers.hex());
        }
        fields.list
    }
}

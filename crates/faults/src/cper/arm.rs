//! The ARM processor section: N.2.4.4.

use super::layout::{ALWAYS, le, number, or_zero, slice};
use super::processor::TYPES;
use super::section::Read;
use super::{CperError, MAX_STRUCTURES, Raw, layout};
use crate::hardware::{Field, Fields, Shown, bits, hex, meaning, name_of, names_of_bits, part, plain};

/// An error of an ARM processor.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct ArmError {
    /// What the fixed part says.
    pub processor: ArmProcessor,
    /// What failed.
    pub errors: Vec<ArmErrorInfo>,
    /// Registers that were saved.
    pub contexts: Vec<ArmContext>,
    /// What the vendor added.
    pub vendor: Option<Raw>,
}

layout! {
    /// Which processor it was.
    pub struct ArmProcessor {
        /// `MPIDR_EL1`: the processor's place in the machine.
        mpidr: u64 = bit 0, le(16), hex;
        /// Level of the processor's affinity that the error concerns: 0 is the processor itself.
        affinity_level: u8 = bit 1, le(12), plain;
        /// `MIDR_EL1`: the model.
        midr: u64 = bit ALWAYS, le(24), hex;
        /// Bit 0: the processor was running.
        running_state: u32 = bit 2, le(32), bits(&[(0, "running")]);
        /// Power state, by PSCI, of a processor that was not running.
        psci_state: u32 = bit 2, le(36), hex;
    }
}

layout! {
    /// One thing that failed.
    pub struct ArmErrorInfo {
        /// What, bits from 1 on; old firmware writes the numbers 0 to 3.
        kind: u8 = bit ALWAYS, le(4), kind;
        /// How many errors, less one.
        multiple: u16 = bit 0, le(5), multiple;
        /// What else, bits.
        flags: u8 = bit 1, le(7), bits(FLAGS);
        /// What happened, packed.
        error_info: u64 = bit 2, le(8), hex;
        /// Virtual address of the fault.
        virtual_address: u64 = bit 3, le(16), hex;
        /// Physical address of the fault.
        physical_address: u64 = bit 4, le(24), hex;
    }
}

/// Size of the section before the error structures.
const FIXED_BYTES: usize = 40;
/// Smallest error structure.
const INFO_BYTES: usize = 32;
/// Size of a register context before its registers.
const CONTEXT_BYTES: usize = 8;

const FLAGS: &[(u32, &str)] = &[
    (0, "first error captured"),
    (1, "last error captured"),
    (2, "propagated"),
    (3, "overflow"),
];
const TRANSACTIONS: &[&str] = &["instruction", "data access", "generic"];
const CACHE_OPERATIONS: &[&str] = &[
    "generic error",
    "generic read",
    "generic write",
    "data read",
    "data write",
    "instruction fetch",
    "prefetch",
    "eviction",
    "snoop by the processor",
    "snoop by another",
    "management",
];
const TLB_OPERATIONS: &[&str] = &[
    "generic error",
    "generic read",
    "generic write",
    "data read",
    "data write",
    "instruction fetch",
    "prefetch",
    "local management",
    "external management",
];
const BUS_OPERATIONS: &[&str] = &[
    "generic error",
    "generic read",
    "generic write",
    "data read",
    "data write",
    "instruction fetch",
    "prefetch",
];
const PARTICIPATIONS: &[&str] = &["originated", "responded", "observed", "generic"];
const ADDRESS_SPACES: &[&str] = &["external memory", "internal memory", "unknown", "device memory"];

/// The kinds as bits of [`TYPES`]. UEFI 2.9A made them bits 1 to 4; before, they were understood as numbers from 0 on, and
/// firmware of both sorts exists. Only 0 cannot be meant as bits; the others are read as bits, as Linux does since 6.19.
fn kinds(kind: u8) -> u64 {
    if kind == 0 { 1 } else { u64::from(kind >> 1 & 0xf) }
}

fn kind(kind: u8) -> Shown {
    meaning(hex(kind), names_of_bits(TYPES, kinds(kind)).join(", "))
}

fn multiple(multiple: u16) -> Shown {
    let errors = u32::from(multiple) + 1;
    meaning(
        plain(multiple),
        format!("{errors} error{}", if errors == 1 { "" } else { "s" }),
    )
}

impl ArmErrorInfo {
    /// What failed.
    pub fn kind_name(&self) -> String {
        let names = names_of_bits(TYPES, kinds(self.kind.unwrap_or(0)));
        if names.is_empty() {
            "unknown error".to_owned()
        } else {
            names.join(" and ")
        }
    }

    fn operations(&self) -> &'static [&'static str] {
        match kinds(self.kind.unwrap_or(0)) {
            1 => CACHE_OPERATIONS,
            2 => TLB_OPERATIONS,
            _ => BUS_OPERATIONS,
        }
    }

    /// (name, value) of what the error information says. It has the same fields for caches, TLBs and buses; the layout of
    /// micro-architectural errors is the vendor's.
    fn details(&self) -> Vec<(&'static str, String)> {
        let kind = kinds(self.kind.unwrap_or(0));
        let Some(info) = self.error_info.filter(|_| kind & 7 != 0) else {
            return Vec::new();
        };
        let name = |names: &[&'static str], low, width| name_of(names, part(info, low, width)).to_owned();
        let flag = |bit: u32| (info >> bit & 1 != 0).to_string();
        let number = |low, width| part::<u64>(info, low, width);
        let mut details = vec![
            (0, "transaction", name(TRANSACTIONS, 16, 2)),
            (1, "operation", name(self.operations(), 18, 4)),
            (2, "level", number(22, 3).to_string()),
            (3, "context_corrupt", flag(25)),
            (4, "corrected", flag(26)),
            (5, "precise_pc", flag(27)),
            (6, "restartable", flag(28)),
        ];
        if kind & 4 != 0 {
            details.extend([
                (7, "participation", name(PARTICIPATIONS, 29, 2)),
                (8, "timed_out", flag(31)),
                (9, "address_space", name(ADDRESS_SPACES, 32, 2)),
                (10, "memory_attributes", format!("{:#x}", number(34, 9))),
                (11, "access_mode", name(&["secure", "normal"], 43, 1)),
            ]);
        }
        let marked = details.into_iter().filter(|(bit, ..)| info >> bit & 1 != 0);
        marked.map(|(_, name, value)| (name, value)).collect()
    }

    fn what(&self) -> String {
        let mut words = vec![self.kind_name()];
        for (name, value) in self.details() {
            match name {
                "operation" if !value.starts_with("generic") => words.push(value),
                "level" => words.push(format!("level {value}")),
                _ => {}
            }
        }
        words.join(", ")
    }
}

/// Registers that were saved.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct ArmContext {
    /// Kind of registers; [`ArmContext::name`] names it.
    pub kind: u16,
    /// The registers.
    pub registers: Raw,
}

const CONTEXTS: &[&str] = &[
    "AArch32 general purpose registers",
    "AArch32 EL1 context registers",
    "AArch32 EL2 context registers",
    "AArch32 secure context registers",
    "AArch64 general purpose registers",
    "AArch64 EL1 context registers",
    "AArch64 EL2 context registers",
    "AArch64 EL3 context registers",
    "miscellaneous system registers",
];

impl ArmContext {
    /// What the registers are.
    pub fn name(&self) -> &'static str {
        name_of(CONTEXTS, self.kind.into())
    }

    /// A context and its size; `None` when it does not fit.
    fn read(bytes: &[u8], at: usize) -> Option<(Self, usize)> {
        let kind = le(at + 2)(bytes)?;
        let size = usize::try_from(number(bytes, at + 4, 4)?).ok()?;
        let registers = Raw::of(slice(bytes, at + CONTEXT_BYTES, size)?);
        Some((Self { kind, registers }, CONTEXT_BYTES + size))
    }
}

impl ArmError {
    pub(super) fn read(bytes: &[u8]) -> Read<Self> {
        let valid = u64::from(or_zero::<u32>(bytes, 0));
        // The section says how long it is; what firmware puts behind it is not of it.
        let said = or_zero::<u32>(bytes, 8) as usize;
        let bytes = bytes.get(..said).filter(|_| said >= FIXED_BYTES).unwrap_or(bytes);
        let infos = usize::from(or_zero::<u16>(bytes, 4));
        let mut error = Self {
            processor: ArmProcessor::read(bytes, valid),
            ..Self::default()
        };
        let mut at = FIXED_BYTES;
        for _ in 0..infos.min(MAX_STRUCTURES) {
            let Some(info) = slice(bytes, at, INFO_BYTES) else {
                break;
            };
            error
                .errors
                .push(ArmErrorInfo::read(info, or_zero::<u16>(info, 2).into()));
            // A later revision may be longer than this one knows.
            at += usize::from(or_zero::<u8>(info, 1)).max(INFO_BYTES);
        }
        let damage = error.read_rest(bytes, at, infos);
        (error, damage)
    }

    /// Reads what follows the error structures: they say where.
    fn read_rest(&mut self, bytes: &[u8], mut at: usize, infos: usize) -> Option<CperError> {
        let start = at;
        let missing = |what, offset, said, found| {
            Some(CperError::Count {
                what,
                offset,
                said,
                found,
            })
        };
        if self.errors.len() < infos {
            return missing("error structures", FIXED_BYTES, infos, self.errors.len());
        }
        let contexts = usize::from(or_zero::<u16>(bytes, 6));
        for _ in 0..contexts.min(MAX_STRUCTURES) {
            let Some((context, size)) = ArmContext::read(bytes, at) else {
                break;
            };
            self.contexts.push(context);
            at += size;
        }
        if self.contexts.len() < contexts {
            return missing("register contexts", start, contexts, self.contexts.len());
        }
        self.vendor = bytes.get(at..).filter(|rest| !rest.is_empty()).map(Raw::of);
        None
    }

    /// The structures of `ras:arm_event` of Linux 6.19 and later, which carries them apart from the fixed part.
    pub fn of_parts(processor: ArmProcessor, errors: &[u8], contexts: &[u8], vendor: &[u8]) -> Self {
        let mut error = Self {
            processor,
            vendor: Some(Raw::of(vendor)).filter(|_| !vendor.is_empty()),
            ..Self::default()
        };
        let infos = errors.chunks_exact(INFO_BYTES).take(MAX_STRUCTURES);
        error.errors = infos
            .map(|info| ArmErrorInfo::read(info, or_zero::<u16>(info, 2).into()))
            .collect();
        let mut at = 0;
        while error.contexts.len() < MAX_STRUCTURES
            && let Some((context, size)) = ArmContext::read(contexts, at)
        {
            error.contexts.push(context);
            at += size;
        }
        error
    }

    /// What failed, in words: `cache error, data read, level 1`.
    pub fn what(&self) -> String {
        match self.errors.first() {
            Some(first) => first.what(),
            None => "unknown error".to_owned(),
        }
    }

    /// The first physical address that is known.
    pub fn physical_address(&self) -> Option<u64> {
        self.errors.iter().find_map(|error| error.physical_address)
    }

    pub(crate) fn fields(&self) -> Vec<Field> {
        let mut fields = Fields::default();
        self.processor.show(&mut fields);
        for (index, error) in self.errors.iter().enumerate() {
            fields.prefix = format!("error {index} ");
            error.show(&mut fields);
            for (name, value) in error.details() {
                fields.text(name, value);
            }
        }
        for (index, context) in self.contexts.iter().enumerate() {
            fields.prefix = format!("context {index} ");
            fields.text("registers", context.name());
            fields.text("data", context.registers.hex());
        }
        fields.prefix.clear();
        if let Some(vendor) = &self.vendor {
            fields.text("vendor", vendor.hex());
        }
        fields.list
    }
}

//! Tracepoints that carry parts of CPER sections.

use crate::cper::{ArmError, ArmProcessor, Body, ErrorSeverity, Guid, Section, guids};

/// `ras:non_standard_event`: a section that the kernel has no tracepoint for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NonStandard<'a> {
    /// `sec_type`.
    pub section_type: [u8; 16],
    /// `fru_id`; zeros when firmware gave none.
    pub fru_id: [u8; 16],
    /// `fru_text`.
    pub fru_text: &'a str,
    /// `sev`.
    pub severity: u8,
    /// `buf`: the body.
    pub data: &'a [u8],
}

impl NonStandard<'_> {
    /// The section. Sections of a type that is known are decoded, whatever the kernel thinks of them.
    pub fn section(&self) -> Section {
        let section = Section::of_body(Guid::from_bytes(self.section_type), self.data);
        with_unit(section, self.severity, self.fru_id, self.fru_text)
    }
}

fn with_unit(mut section: Section, severity: u8, fru_id: [u8; 16], fru_text: &str) -> Section {
    section.severity = ErrorSeverity::of_number(severity.into());
    section.fru_id = Some(Guid::from_bytes(fru_id)).filter(|id| *id != Guid::default());
    section.fru_text = Some(fru_text.trim().to_owned()).filter(|text| !text.is_empty());
    section
}

/// `ras:extlog_mem_event`: a memory error of Intel's extended error log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExtendedLog<'a> {
    /// `etype`; all ones when not known.
    pub error_type: u8,
    /// `sev`.
    pub severity: u8,
    /// `pa`; all ones when not known.
    pub address: u64,
    /// `pa_mask_lsb`: lowest bit of the address that counts; all ones when not known.
    pub address_lsb: u8,
    /// `fru_id`; zeros when firmware gave none.
    pub fru_id: [u8; 16],
    /// `fru_text`.
    pub fru_text: &'a str,
    /// `data`: `struct cper_mem_err_compact`, 55 bytes.
    pub data: &'a [u8],
}

/// Where the fields of `struct cper_mem_err_compact` lie in it, where in a memory section, and how many bytes they are
/// (`include/linux/cper.h`): validation bits; node to bit position; requestor, responder and target; rank and handles;
/// extended.
const COMPACT: &[(usize, usize, usize)] = &[(0, 0, 8), (8, 32, 16), (24, 48, 24), (48, 74, 6), (54, 73, 1)];

/// Validation bits of the fields that the tracepoint has outside the compact form: error status (which it drops),
/// address, mask and error type.
const OUTSIDE: u64 = 1 | 1 << 1 | 1 << 2 | 1 << 14;

impl ExtendedLog<'_> {
    /// The memory section of which the event is made.
    pub fn section(&self) -> Section {
        let mut body = [0; 80];
        for (from, to, length) in COMPACT {
            let source = self.data.get(*from..from + length);
            if let (Some(source), Some(target)) = (source, body.get_mut(*to..to + length)) {
                target.copy_from_slice(source);
            }
        }
        let mut section = Section::of_body(guids::MEMORY, &without(body, OUTSIDE));
        if let Body::Memory(memory) = &mut section.body {
            memory.error_type = Some(self.error_type).filter(|kind| *kind != u8::MAX);
            memory.physical_address = Some(self.address).filter(|address| *address != u64::MAX);
            memory.physical_address_mask = u64::MAX.checked_shl(self.address_lsb.into());
        }
        with_unit(section, self.severity, self.fru_id, self.fru_text)
    }
}

/// A body whose first eight bytes, the validation bits, lack some.
fn without(mut body: [u8; 80], bits: u64) -> [u8; 80] {
    for (byte, bits) in body.iter_mut().zip(bits.to_le_bytes()) {
        *byte &= !bits;
    }
    body
}

/// `ras:arm_event`: an error of an ARM processor. Kernels before 6.19 carry only the fixed part, without the severity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArmEvent<'a> {
    /// `mpidr`; 0 when not known.
    pub mpidr: u64,
    /// `midr`.
    pub midr: u64,
    /// `running_state`; all ones when not known.
    pub running_state: u32,
    /// `psci_state`; all ones when not known.
    pub psci_state: u32,
    /// `affinity`; all ones when not known.
    pub affinity: u8,
    /// `sev`, from kernels that have it.
    pub severity: Option<u8>,
    /// `pei_buf`: error structures.
    pub errors: &'a [u8],
    /// `ctx_buf`: register contexts.
    pub contexts: &'a [u8],
    /// `oem_buf`: what the vendor added.
    pub vendor: &'a [u8],
}

impl ArmEvent<'_> {
    /// The processor section of which the event is made.
    pub fn section(&self) -> Section {
        let known = |number: u32| Some(number).filter(|number| *number != u32::MAX);
        let processor = ArmProcessor {
            mpidr: Some(self.mpidr).filter(|mpidr| *mpidr != 0),
            affinity_level: Some(self.affinity).filter(|level| *level != u8::MAX),
            midr: Some(self.midr),
            running_state: known(self.running_state),
            psci_state: known(self.psci_state),
        };
        let error = ArmError::of_parts(processor, self.errors, self.contexts, self.vendor);
        let severity = self.severity.map_or(ErrorSeverity::Unknown, |severity| {
            ErrorSeverity::of_number(severity.into())
        });
        Section::of_parts(guids::PROCESSOR_ARM, Body::Arm(error), severity)
    }
}

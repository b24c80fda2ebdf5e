//! One section: what every section has, and its body by type.

use super::layout::{is_valid, or_zero, text};
use super::{ArmError, CperError, CxlEvent, CxlProtocol, DmaRemapping, FirmwareRecord, Guid, MAX_RAW_BYTES};
use super::{MemoryError, PciBusError, PciDeviceError, PcieError, ProcessorError, Timestamp, X86Error};
use super::{decoder, layout, le};
use crate::hardware::names_of_bits;
use crate::{Severity, hex_digits};
use std::fmt;

/// How bad an error is: N.2.1, "Error Severity".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ErrorSeverity {
    /// Not corrected; software may recover.
    Recoverable,
    /// The machine cannot go on.
    Fatal,
    /// Corrected by hardware or firmware.
    Corrected,
    /// No error, but something to know.
    Informational,
    /// A number that the specification reserves.
    Unknown,
}

impl ErrorSeverity {
    /// From the number in a record, or in `ras:non_standard_event`'s and `ras:extlog_mem_event`'s `sev`, which are the same.
    pub const fn of_number(number: u32) -> Self {
        match number {
            0 => Self::Recoverable,
            1 => Self::Fatal,
            2 => Self::Corrected,
            3 => Self::Informational,
            _ => Self::Unknown,
        }
    }

    /// The lower-case name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Recoverable => "recoverable",
            Self::Fatal => "fatal",
            Self::Corrected => "corrected",
            Self::Informational => "informational",
            Self::Unknown => "unknown severity",
        }
    }

    /// On the scale of all faults.
    pub const fn severity(self) -> Severity {
        match self {
            Self::Fatal => Severity::Critical,
            Self::Recoverable => Severity::High,
            Self::Unknown => Severity::Medium,
            Self::Corrected | Self::Informational => Severity::Low,
        }
    }
}

impl fmt::Display for ErrorSeverity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for ErrorSeverity {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// One section of a block or a record.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Section {
    /// Type of the section.
    pub kind: Guid,
    /// Name of the type.
    pub name: &'static str,
    /// How bad this part of the error is.
    pub severity: ErrorSeverity,
    /// What else the section says of itself.
    pub flags: SectionFlags,
    /// Which replaceable unit it is, for its vendor.
    pub fru_id: Option<Guid>,
    /// Which replaceable unit it is, for people: `DIMM_A1`.
    pub fru_text: Option<String>,
    /// When it happened; only blocks of revision 3 have it per section.
    pub timestamp: Option<Timestamp>,
    /// The decoded body.
    pub body: Body,
    /// What of the body could not be read.
    pub damage: Option<CperError>,
    /// Where the body begins in the input.
    pub offset: usize,
    /// Bytes of the body.
    pub length: usize,
}

/// What a section is about.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Body {
    /// Memory, both layouts.
    Memory(MemoryError),
    /// Processor, generic.
    Processor(ProcessorError),
    /// Processor, IA32 or X64.
    X86(Box<X86Error>),
    /// Processor, ARM.
    Arm(ArmError),
    /// PCI Express.
    Pcie(Box<PcieError>),
    /// PCI or PCI-X bus.
    PciBus(PciBusError),
    /// PCI or PCI-X device.
    PciDevice(PciDeviceError),
    /// Reference to a record that firmware keeps.
    Firmware(FirmwareRecord),
    /// DMA remapping.
    Dma(DmaRemapping),
    /// CXL link.
    CxlProtocol(Box<CxlProtocol>),
    /// CXL memory device.
    CxlEvent(Box<CxlEvent>),
    /// Bytes of a type that is not decoded.
    Raw(Raw),
}

/// Bytes that are kept as they were, at most [`MAX_RAW_BYTES`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Raw {
    /// The first bytes.
    pub bytes: Vec<u8>,
    /// How many more there were.
    pub left_off: usize,
}

impl Raw {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let kept = bytes.get(..MAX_RAW_BYTES).unwrap_or(bytes);
        Self {
            bytes: kept.to_vec(),
            left_off: bytes.len() - kept.len(),
        }
    }

    /// Two hexadecimal digits a byte.
    pub fn hex(&self) -> String {
        hex_digits(&self.bytes)
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Raw {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;
        let mut raw = serializer.serialize_struct("Raw", 2)?;
        raw.serialize_field("hex", &self.hex())?;
        raw.serialize_field("left_off", &self.left_off)?;
        raw.end()
    }
}

/// Flags of a section: N.2.2, "Flags".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SectionFlags(pub u32);

impl SectionFlags {
    const NAMES: &'static [(u32, &'static str)] = &[
        (0, "primary"),
        (1, "not contained"),
        (2, "reset needed"),
        (3, "threshold exceeded"),
        (4, "not accessible"),
        (5, "latent"),
        (6, "propagated"),
        (7, "overflow"),
    ];

    /// The section that the error is about.
    pub const fn is_primary(self) -> bool {
        self.0 & 1 != 0
    }

    /// The names of the flags that are set.
    pub fn names(self) -> Vec<&'static str> {
        names_of_bits(Self::NAMES, self.0.into())
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for SectionFlags {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.names())
    }
}

/// Where the things that all sections have lie in an entry of a block and in a descriptor of a record.
pub(super) struct Head {
    pub(super) kind: usize,
    pub(super) severity: usize,
    pub(super) valid: usize,
    pub(super) flags: (usize, usize),
    pub(super) fru_id: usize,
    pub(super) fru_text: usize,
    /// Behind the fixed part, when bit 2 of the validation bits is set.
    pub(super) timestamp: Option<usize>,
}

impl Head {
    /// Reads a section from its head and its body. `offset` is where the body begins in the input.
    pub(super) fn section(
        &self,
        head: &[u8],
        body: &[u8],
        length: usize,
        offset: usize,
        index: usize,
    ) -> Section {
        let valid = u64::from(or_zero::<u8>(head, self.valid));
        let kind = layout::guid(self.kind)(head).unwrap_or_default();
        let when = |bit, present: bool| present && is_valid(valid, bit);
        let mut section = Section::of_body(kind, body);
        if body.len() < length {
            section.damage = Some(CperError::Short {
                what: "section",
                offset,
                wanted: length,
                left: body.len(),
            });
        }
        section.severity = ErrorSeverity::of_number(le::<u32>(self.severity)(head).unwrap_or(u32::MAX));
        let (at, width) = self.flags;
        section.flags = SectionFlags(layout::le_of(at, width)(head).unwrap_or(0));
        section.fru_id = layout::guid(self.fru_id)(head).filter(|_| when(0, true));
        section.fru_text = text(self.fru_text, 20)(head).filter(|_| when(1, true));
        section.timestamp = self
            .timestamp
            .and_then(|at| Timestamp::read(head, at))
            .filter(|_| when(2, true));
        section.length = length;
        section.move_to(offset, index);
        section
    }
}

/// How a body is read, and what came of it.
pub(super) type Read<T> = (T, Option<CperError>);

impl Section {
    /// Decodes the body of a section by its type, as `ras:non_standard_event` carries it.
    pub fn of_body(kind: Guid, bytes: &[u8]) -> Self {
        let decoder = decoder::of_kind(kind);
        let (body, mut damage) = (decoder.read)(bytes);
        if bytes.len() < decoder.bytes {
            damage = Some(CperError::SmallSection {
                index: 0,
                name: decoder.name,
                offset: 0,
                length: bytes.len(),
                needed: decoder.bytes,
            });
        }
        Self {
            kind,
            name: decoder.name,
            severity: ErrorSeverity::Unknown,
            flags: SectionFlags::default(),
            fru_id: None,
            fru_text: None,
            timestamp: None,
            body,
            damage,
            offset: 0,
            length: bytes.len(),
        }
    }

    /// A section whose body was not bytes: a tracepoint has taken it apart.
    pub fn of_parts(kind: Guid, body: Body, severity: ErrorSeverity) -> Self {
        Self {
            body,
            severity,
            damage: None,
            ..Self::of_body(kind, &[])
        }
    }

    /// The body was read as if the input began with it: corrects the offsets.
    fn move_to(&mut self, by: usize, number: usize) {
        self.offset = by;
        match &mut self.damage {
            Some(CperError::SmallSection { offset, index, .. }) => {
                *offset += by;
                *index = number;
            }
            Some(CperError::Count { offset, .. } | CperError::ValidBits { offset, .. }) => *offset += by,
            _ => {}
        }
    }
}

//! Common Platform Error Records: what firmware tells the kernel about broken hardware.
//!
//! The same sections come in several ways:
//!
//! - the *generic error status block* (ACPI 6.5, 18.3.2.7): BERT regions (`/sys/firmware/acpi/tables/data/BERT`, errors of
//!   the boot before), GHES and the machine-check exception of firmware-first platforms. [`region`] reads one or several.
//! - the *record* (UEFI 2.11, appendix N.2): ERST and EFI stores. [`record`] reads one.
//! - the kernel's log prints blocks. [`of_log`] reads the text.
//! - a bare section, as `ras:non_standard_event` carries it. [`Section::of_body`] reads one.
//!
//! [`decode`] finds out which of the first two some bytes are. All numbers are little-endian. A damaged input yields what
//! could be read, and the [`CperError`] beside it.
//!
//! ```
//! use faults::cper::{self, Body};
//!
//! // A block with one memory section: 20 bytes of block, 64 of entry, 80 of section.
//! let mut region = vec![0; 20 + 64 + 80];
//! region[12] = 64 + 80; // data length
//! region[16] = 2; // corrected
//! region[20..36].copy_from_slice(&cper::guids::MEMORY.bytes());
//! region[36] = 2;
//! region[44] = 80; // section length
//! region[84..92].copy_from_slice(&(1u64 << 14 | 1 << 3).to_le_bytes()); // error type and node are valid
//! region[84 + 32] = 1; // node
//! region[84 + 72] = 2; // error type
//! let read = cper::region(&region);
//! let section = &read.blocks[0].sections[0];
//! assert!(matches!(&section.body, Body::Memory(memory) if memory.node == Some(1) && memory.card.is_none()));
//! assert_eq!(section.hardware_error().title, "memory error: single-bit ECC (corrected)");
//! ```

mod arm;
mod cxl;
mod decoder;
mod dma;
mod firmware;
mod guid;
pub mod guids;
mod layout;
mod memory;
mod pci;
mod processor;
mod record;
mod section;
mod status;
mod summary;
mod text;
mod timestamp;
mod x86;

pub use arm::{ArmContext, ArmError, ArmErrorInfo, ArmProcessor};
pub use cxl::{CxlDram, CxlEvent, CxlEventBody, CxlEventHeader, CxlMedia, CxlModule, CxlProtocol, CxlRas};
pub use dma::{AmdIommu, DmaFault, DmaRemapping, VtD};
pub use firmware::FirmwareRecord;
pub use guid::{Guid, NotGuid};
pub(crate) use layout::{ALWAYS, is_valid, layout, le};
pub use memory::MemoryError;
pub use pci::{PciBusError, PciDeviceError, PcieError};
pub use processor::ProcessorError;
pub use record::{Record, RecordHeader, record};
pub use section::{Body, ErrorSeverity, Raw, Section, SectionFlags};
pub use status::{Region, StatusBlock, region};
pub(crate) use summary::memory_advice;
pub use text::{MAX_LOG_BLOCKS, of_log};
pub use timestamp::Timestamp;
pub use x86::{X86Check, X86Context, X86Error, X86ErrorInfo};

/// Most blocks that are read from a region.
pub const MAX_BLOCKS: usize = 64;
/// Most sections that are read from a block or a record.
pub const MAX_SECTIONS: usize = 64;
/// Most error structures and register contexts that are read from a processor section, each.
pub const MAX_STRUCTURES: usize = 64;
/// Most bytes that are kept of something that is not decoded.
pub const MAX_RAW_BYTES: usize = 4096;

/// Why an input, or a part of it, could not be read as it claims to be. Offsets are bytes from the start of the input.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CperError {
    /// The input ends inside a structure.
    #[error("{what} at byte {offset} wants {wanted} bytes, {left} are left")]
    Short {
        /// The structure.
        what: &'static str,
        /// Where it begins.
        offset: usize,
        /// Its size.
        wanted: usize,
        /// What there is of it.
        left: usize,
    },
    /// A section says that it is smaller than its type needs.
    #[error("section {index} ({name}) at byte {offset} has {length} bytes, its type needs {needed}")]
    SmallSection {
        /// Number of the section in its block or record.
        index: usize,
        /// Name of its type.
        name: &'static str,
        /// Where its body begins.
        offset: usize,
        /// What it says its size is.
        length: usize,
        /// What its type needs.
        needed: usize,
    },
    /// A section or a record holds fewer structures than it says.
    #[error("{what} at byte {offset}: {said} are announced, {found} are there")]
    Count {
        /// What is counted.
        what: &'static str,
        /// Where the counted things begin.
        offset: usize,
        /// How many are announced.
        said: usize,
        /// How many could be read, or the limit.
        found: usize,
    },
    /// A section has validation bits for fields behind its end.
    #[error("section at byte {offset} marks fields valid that lie behind its end (bits {bits:#x})")]
    ValidBits {
        /// Where its body begins.
        offset: usize,
        /// The bits that were ignored.
        bits: u64,
    },
    /// The input is no record.
    #[error("no CPER record: the signature at byte 0 and its end at byte 6 are {found:02x?}")]
    Signature {
        /// The first ten bytes.
        found: [u8; 10],
    },
    /// The input is the BERT table, which only says where the region is.
    #[error(
        "this is the ACPI table that points to the error region; the region is /sys/firmware/acpi/tables/data/BERT"
    )]
    BertTable,
}

#[cfg(feature = "serde")]
impl serde::Serialize for CperError {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What [`decode`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Decoded {
    /// A record.
    Record(Record),
    /// Generic error status blocks.
    Region(Region),
}

impl Decoded {
    /// Every section, in the order of the input.
    pub fn sections(&self) -> impl Iterator<Item = &Section> {
        let (record, region) = match self {
            Self::Record(record) => (Some(record), None),
            Self::Region(region) => (None, Some(region)),
        };
        let of_record = record.into_iter().flat_map(|record| &record.sections);
        let of_region = region.into_iter().flat_map(Region::sections);
        of_record.chain(of_region)
    }
}

/// Decodes a record when the bytes begin like one, else generic error status blocks.
pub fn decode(bytes: &[u8]) -> Decoded {
    match record(bytes) {
        Ok(record) => Decoded::Record(record),
        Err(CperError::Signature { .. }) => Decoded::Region(region(bytes)),
        Err(damage) => Decoded::Region(Region {
            damage: Some(damage),
            ..Region::default()
        }),
    }
}

#[cfg(test)]
mod tests;

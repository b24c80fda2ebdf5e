//! The generic error status block (ACPI 6.5, 18.3.2.7.1) and regions of them.

use super::layout::{number, or_zero, slice};
use super::section::Head;
use super::{CperError, ErrorSeverity, MAX_BLOCKS, MAX_SECTIONS, Raw, Section};

/// Error status blocks, as a BERT region or a GHES status address holds them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Region {
    /// The blocks.
    pub blocks: Vec<StatusBlock>,
    /// Why reading stopped before the end, when it was not the end of the blocks.
    pub damage: Option<CperError>,
}

/// One error status block: one error, of which several parts of the machine have something to say.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct StatusBlock {
    /// Bit 0 uncorrectable, bit 1 correctable, bits 2 and 3 several of them, bits 13:4 entries. 0 when the kernel has
    /// taken note of the block: it clears the word.
    pub block_status: u32,
    /// How bad the error is.
    pub severity: ErrorSeverity,
    /// What the parts say.
    pub sections: Vec<Section>,
    /// Data behind the sections that only the vendor reads.
    pub raw: Option<Raw>,
    /// What of the block could not be read.
    pub damage: Option<CperError>,
    /// Where it begins in the region.
    pub offset: usize,
    /// Its bytes, with the raw data.
    pub length: usize,
}

/// Size of a block before its entries.
const BLOCK_BYTES: usize = 20;
/// Size of an entry before its section, without and with a timestamp.
const ENTRY_BYTES: usize = 64;
const ENTRY_WITH_TIME_BYTES: usize = 72;
/// First revision of an entry that has a timestamp.
const REVISION_WITH_TIME: u16 = 0x300;
/// Size of the BERT table itself.
const BERT_TABLE_BYTES: usize = 48;

const ENTRY: Head = Head {
    kind: 0,
    severity: 16,
    valid: 22,
    flags: (23, 1),
    fru_id: 28,
    fru_text: 44,
    timestamp: Some(64),
};

/// Reads the blocks of a region. A block without data ends them, and so does one that does not fit.
pub fn region(bytes: &[u8]) -> Region {
    let mut region = Region::default();
    if bytes.len() == BERT_TABLE_BYTES && bytes.starts_with(b"BERT") {
        region.damage = Some(CperError::BertTable);
        return region;
    }
    let mut at = 0;
    while at < bytes.len() && region.damage.is_none() {
        if bytes.len() - at < BLOCK_BYTES {
            let rest = bytes.get(at..).unwrap_or_default();
            region.damage = rest
                .iter()
                .any(|byte| *byte != 0)
                .then(|| short("block", at, BLOCK_BYTES, bytes));
            break;
        }
        if number(bytes, at + 12, 4) == Some(0) {
            break;
        }
        if region.blocks.len() == MAX_BLOCKS {
            region.damage = Some(CperError::Count {
                what: "blocks",
                offset: at,
                said: MAX_BLOCKS + 1,
                found: MAX_BLOCKS,
            });
            break;
        }
        let block = StatusBlock::read(bytes, at);
        // A block that lies about its size says nothing about where the next one begins.
        region.damage.clone_from(&block.damage);
        at = at.saturating_add(block.length);
        region.blocks.push(block);
    }
    region
}

fn short(what: &'static str, offset: usize, wanted: usize, bytes: &[u8]) -> CperError {
    CperError::Short {
        what,
        offset,
        wanted,
        left: bytes.len().saturating_sub(offset),
    }
}

impl Region {
    /// Every section of every block.
    pub fn sections(&self) -> impl Iterator<Item = &Section> {
        self.blocks.iter().flat_map(|block| &block.sections)
    }
}

impl StatusBlock {
    /// Reads the block at `offset`, of which the first [`BLOCK_BYTES`] are there.
    fn read(bytes: &[u8], offset: usize) -> Self {
        let raw_offset = or_zero::<u32>(bytes, offset + 4) as usize;
        let raw_length = or_zero::<u32>(bytes, offset + 8) as usize;
        let data_length = or_zero::<u32>(bytes, offset + 12) as usize;
        let mut block = Self {
            block_status: or_zero(bytes, offset),
            severity: ErrorSeverity::of_number(or_zero(bytes, offset + 16)),
            sections: Vec::new(),
            raw: None,
            damage: None,
            offset,
            length: BLOCK_BYTES.saturating_add(data_length),
        };
        let available = bytes.len() - offset - BLOCK_BYTES;
        if available < data_length {
            block.damage = Some(short("block", offset, block.length, bytes));
        }
        block.read_sections(bytes, offset + BLOCK_BYTES, data_length.min(available));
        if raw_length > 0 {
            block.length = raw_offset.saturating_add(raw_length).max(block.length);
            let raw = slice(bytes, offset.saturating_add(raw_offset), raw_length);
            block.raw = raw.map(Raw::of);
            if raw.is_none() || raw_offset < BLOCK_BYTES.saturating_add(data_length) {
                let error = short("raw data", offset.saturating_add(raw_offset), raw_length, bytes);
                block.damage.get_or_insert(error);
            }
        }
        block
    }

    /// Reads entries until `left` bytes are used up.
    fn read_sections(&mut self, bytes: &[u8], mut at: usize, mut left: usize) {
        while left > 0 {
            let with_time = or_zero::<u16>(bytes, at + 20) >= REVISION_WITH_TIME;
            let head_bytes = if with_time {
                ENTRY_WITH_TIME_BYTES
            } else {
                ENTRY_BYTES
            };
            let Some(head) = slice(bytes, at, head_bytes).filter(|_| left >= head_bytes) else {
                let error = CperError::Short {
                    what: "entry",
                    offset: at,
                    wanted: head_bytes,
                    left,
                };
                self.damage.get_or_insert(error);
                return;
            };
            if self.sections.len() == MAX_SECTIONS {
                let error = CperError::Count {
                    what: "sections",
                    offset: at,
                    said: MAX_SECTIONS + 1,
                    found: MAX_SECTIONS,
                };
                self.damage.get_or_insert(error);
                return;
            }
            let length = or_zero::<u32>(head, 24) as usize;
            let start = at + head_bytes;
            let taken = length.min(left - head_bytes);
            let body = slice(bytes, start, taken).unwrap_or_default();
            let section = ENTRY.section(head, body, length, start, self.sections.len());
            if taken < length {
                self.damage.get_or_insert(CperError::Short {
                    what: "section",
                    offset: start,
                    wanted: length,
                    left: taken,
                });
            }
            self.sections.push(section);
            at = start + taken;
            left -= head_bytes + taken;
        }
    }
}

//! What the kernel prints of error status blocks (`drivers/firmware/efi/cper*.c`, Linux 5.10 to 7.x).
//!
//! The text holds what the section holds, but for the padding. So it is put back into the section's bytes, and these are
//! decoded as if they had come from firmware: text and bytes cannot come to different values.

mod body;
mod keys;
mod wire;

use super::{ErrorSeverity, Guid, MAX_SECTIONS, Region, Section, StatusBlock, Timestamp};
use body::Draft;

/// Most blocks that are read from one log.
pub const MAX_LOG_BLOCKS: usize = 1024;

/// How many blocks back a line may belong to: blocks of several error sources may be interleaved.
const REACH: usize = 16;

/// Reads the blocks out of a kernel log, with or without the prefix of the log. Lines of other sorts are passed over.
///
/// Text has no offsets: those of the blocks and sections are 0.
///
/// ```
/// use faults::cper;
///
/// let log = "{1}[Hardware Error]: event severity: corrected\n\
///            {1}[Hardware Error]:  Error 0, type: corrected\n\
///            {1}[Hardware Error]:  fru_text: DIMM_A1\n\
///            {1}[Hardware Error]:   section_type: memory error\n\
///            {1}[Hardware Error]:   physical_address: 0x0000000123456000\n\
///            {1}[Hardware Error]:   node:0 card:1 module:2\n\
///            {1}[Hardware Error]:   error_type: 2, single-bit ECC\n";
/// let region = cper::of_log(log.lines());
/// let error = region.blocks[0].sections[0].hardware_error();
/// assert_eq!(error.title, "memory error: single-bit ECC (corrected)");
/// assert_eq!(error.place.to_string(), "DIMM_A1, node 0, card 1, module 2, address 0x123456000");
/// ```
pub fn of_log<'a>(lines: impl IntoIterator<Item = &'a str>) -> Region {
    let mut blocks: Vec<BlockText> = Vec::new();
    for (sequence, text) in lines.into_iter().filter_map(content) {
        if let Some(severity) = text.strip_prefix("event severity: ") {
            if blocks.len() == MAX_LOG_BLOCKS {
                break;
            }
            blocks.push(BlockText {
                sequence,
                severity: severity_of(severity),
                time: None,
                sections: Vec::new(),
            });
            continue;
        }
        let mut recent = blocks.iter_mut().rev().take(REACH);
        if let Some(block) = recent.find(|block| block.sequence == sequence) {
            block.line(text);
        }
    }
    Region {
        blocks: blocks.into_iter().map(BlockText::finish).collect(),
        damage: None,
    }
}

/// The number in `{1}[Hardware Error]:` and what follows. The records of the boot before have no number.
fn content(line: &str) -> Option<(Option<u32>, &str)> {
    let (before, text) = line.split_once("[Hardware Error]:")?;
    let number = before
        .strip_suffix('}')
        .and_then(|before| before.rsplit_once('{'));
    Some((number.and_then(|(_, number)| number.parse().ok()), text.trim()))
}

fn severity_of(name: &str) -> ErrorSeverity {
    match name.trim() {
        "recoverable" => ErrorSeverity::Recoverable,
        "fatal" => ErrorSeverity::Fatal,
        "corrected" => ErrorSeverity::Corrected,
        "info" => ErrorSeverity::Informational,
        _ => ErrorSeverity::Unknown,
    }
}

struct BlockText {
    sequence: Option<u32>,
    severity: ErrorSeverity,
    /// Printed before the section that it belongs to.
    time: Option<Timestamp>,
    sections: Vec<SectionText>,
}

struct SectionText {
    severity: ErrorSeverity,
    time: Option<Timestamp>,
    fru_id: Option<Guid>,
    fru_text: Option<String>,
    body: Draft,
}

impl BlockText {
    fn line(&mut self, text: &str) {
        if let Some(severity) = begins_section(text) {
            if self.sections.len() < MAX_SECTIONS {
                self.sections.push(SectionText {
                    severity,
                    time: self.time.take(),
                    fru_id: None,
                    fru_text: None,
                    body: Draft::default(),
                });
            }
        } else if let Some((precise, time)) = text.split_once("precise tstamp: ") {
            self.time = timestamp(time, precise != "im");
        } else if let Some(section) = self.sections.last_mut() {
            section.line(text);
        }
    }

    fn finish(self) -> StatusBlock {
        StatusBlock {
            block_status: 0,
            severity: self.severity,
            sections: self.sections.into_iter().map(SectionText::finish).collect(),
            raw: None,
            damage: None,
            offset: 0,
            length: 0,
        }
    }
}

/// `Error 0, type: corrected`.
fn begins_section(text: &str) -> Option<ErrorSeverity> {
    let (number, severity) = text.strip_prefix("Error ")?.split_once(", type: ")?;
    let counted = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    counted.then(|| severity_of(severity))
}

impl SectionText {
    fn line(&mut self, text: &str) {
        if let Some(id) = text.strip_prefix("fru_id: ") {
            self.fru_id = id.parse().ok();
        } else if let Some(name) = text.strip_prefix("fru_text: ") {
            self.fru_text = Some(name.chars().take(20).collect());
        } else if let Some(name) = text.strip_prefix("section_type: ") {
            self.body = Draft::new(keys::section_type(name));
        } else if let Some(kind) = text.strip_prefix("section type: unknown, ") {
            self.body = Draft::new(kind.parse().ok());
        } else {
            self.body.line(text);
        }
    }

    fn finish(self) -> Section {
        let (kind, part, bytes) = self.body.finish();
        let mut section = Section::of_body(kind, &bytes);
        section.severity = self.severity;
        section.timestamp = self.time;
        section.fru_id = self.fru_id;
        // The name of a memory module's slot is what firmware's text for the unit would be.
        section.fru_text = self.fru_text.or(part);
        section
    }
}

/// `2026-11-25 12:34:56`, by way of the bytes that it was printed from.
fn timestamp(text: &str, precise: bool) -> Option<Timestamp> {
    let (century, rest) = text.split_at_checked(2)?;
    let mut numbers = rest.split(['-', ' ', ':']).map(bcd);
    let mut next = || numbers.next().flatten();
    let (year, month, day) = (next()?, next()?, next()?);
    let (hour, minute, second) = (next()?, next()?, next()?);
    Timestamp::of_bcd([
        second,
        minute,
        hour,
        precise.into(),
        day,
        month,
        year,
        bcd(century)?,
    ])
}

/// Two decimal digits as binary-coded decimal, which is what they are in hexadecimal.
fn bcd(digits: &str) -> Option<u8> {
    let decimal = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
    u8::from_str_radix(digits, 16).ok().filter(|_| decimal)
}

#[cfg(test)]
mod tests;

//! The ELF header and the program headers: `include/uapi/linux/elf.h`.

use std::io::Read;
use std::ops::Range;

use object::elf::{
    ELFCLASS64, ELFDATA2LSB, ELFMAG, EM_AARCH64, EM_X86_64, ET_CORE, PF_X, PN_XNUM, PT_LOAD, PT_NOTE,
};

use crate::CoreError;
use crate::source::{Source, u16_at, u32_at, u64_at};

/// `Elf64_Ehdr`, bytes.
const HEADER_BYTES: usize = 64;
/// `Elf64_Phdr`, bytes.
const PROGRAM_HEADER_BYTES: usize = 56;

/// What the ELF header says.
#[derive(Debug)]
pub(crate) struct Header {
    machine: Machine,
    program_headers: u64,
    count: usize,
}

/// The processors whose registers are known here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Machine {
    X86_64,
    Aarch64,
}

/// Where what is in the dump.
#[derive(Debug)]
pub(crate) struct Layout {
    pub(crate) machine: Machine,
    /// The notes' offsets in the dump.
    pub(crate) notes: Range<u64>,
    /// The mappings, by their offset in the dump.
    segments: Vec<Segment>,
}

/// A mapping.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Segment {
    /// Where it begins in memory.
    pub(crate) address: u64,
    /// Its size in memory, bytes.
    size: u64,
    /// How many bytes of it are in the dump.
    pub(crate) kept: u64,
    /// Where these begin.
    pub(crate) offset: u64,
    is_code: bool,
}

/// Reads the ELF header. `None`: of a kind of dump that is not known here.
pub(crate) fn header<R: Read>(source: &mut Source<R>) -> Result<Option<Header>, CoreError> {
    let bytes = source.take(HEADER_BYTES).ok_or(CoreError::NotElf)?;
    if !bytes.starts_with(&ELFMAG) {
        return Err(CoreError::NotElf);
    }
    // The type has the same place in all classes, and its byte order decides nothing: ET_CORE is 4.
    let kind = u16_at(&bytes, 16).unwrap_or_default();
    if ![ET_CORE.0, ET_CORE.0.swap_bytes()].contains(&kind) {
        return Err(CoreError::NotCore);
    }
    Ok(known(&bytes))
}

fn known(bytes: &[u8]) -> Option<Header> {
    let is_known = bytes.get(4) == Some(&ELFCLASS64.0) && bytes.get(5) == Some(&ELFDATA2LSB.0);
    let machine = match u16_at(bytes, 18).filter(|_| is_known)? {
        machine if machine == EM_X86_64.0 => Machine::X86_64,
        machine if machine == EM_AARCH64.0 => Machine::Aarch64,
        _ => return None,
    };
    let (size, count) = (u16_at(bytes, 54)?, u16_at(bytes, 56)?);
    // With as many mappings as that the number is at the dump's end.
    if usize::from(size) != PROGRAM_HEADER_BYTES || count == PN_XNUM {
        return None;
    }
    Some(Header {
        machine,
        program_headers: u64_at(bytes, 32)?,
        count: count.into(),
    })
}

impl Layout {
    /// Reads the program headers, at most 65,534 by the format. `None` when they are not whole.
    pub(crate) fn read<R: Read>(header: &Header, source: &mut Source<R>) -> Option<Self> {
        source.go_to(header.program_headers)?;
        let mut layout = Self {
            machine: header.machine,
            notes: 0..0,
            segments: Vec::new(),
        };
        for _ in 0..header.count {
            let bytes = source.take(PROGRAM_HEADER_BYTES)?;
            layout.add(&bytes)?;
        }
        layout.segments.sort_by_key(|segment| segment.offset);
        Some(layout)
    }

    fn add(&mut self, bytes: &[u8]) -> Option<()> {
        let kind = u32_at(bytes, 0)?;
        let (offset, kept) = (u64_at(bytes, 8)?, u64_at(bytes, 32)?);
        if kind == PT_NOTE.0 && self.notes.is_empty() {
            self.notes = offset..offset.saturating_add(kept);
        } else if kind == PT_LOAD.0 {
            self.segments.push(Segment {
                address: u64_at(bytes, 16)?,
                size: u64_at(bytes, 40)?,
                kept,
                offset,
                is_code: u32_at(bytes, 4)? & PF_X.0 != 0,
            });
        }
        Some(())
    }

    /// The mappings, by their offset in the dump.
    pub(crate) fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// Whether a processor could run what is at an address.
    pub(crate) fn is_code(&self, address: u64) -> bool {
        self.segments
            .iter()
            .any(|segment| segment.is_code && address.wrapping_sub(segment.address) < segment.size)
    }
}

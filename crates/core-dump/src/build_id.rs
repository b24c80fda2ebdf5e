//! The build id of an ELF file, which linkers put on its first page.

use object::Endianness;
use object::elf::{ELF_NOTE_GNU, FileHeader32, FileHeader64, NT_GNU_BUILD_ID};
use object::read::elf::{FileHeader, ProgramHeader as _};

/// The GNU build id in the notes that lie in `head`, the beginning of a file; `None` when there is none.
pub fn build_id(head: &[u8]) -> Option<&[u8]> {
    note::<FileHeader64<Endianness>>(head).or_else(|| note::<FileHeader32<Endianness>>(head))
}

fn note<Elf: FileHeader<Endian = Endianness>>(head: &[u8]) -> Option<&[u8]> {
    let header = Elf::parse(head).ok()?;
    let endian = header.endian().ok()?;
    let mut segments = header.program_headers(endian, head).ok()?.iter();
    segments.find_map(|segment| {
        let mut notes = segment.notes(endian, head).ok()??;
        while let Ok(Some(note)) = notes.next() {
            if note.name() == ELF_NOTE_GNU && note.n_type(endian) == NT_GNU_BUILD_ID {
                return Some(note.desc());
            }
        }
        None
    })
}

//! What is read from an ELF file once: what it is, its functions and its debug sections.

use super::build_id::{self, BuildId};
use super::index::{Function, Functions, NAME_BYTES_MAX, PAGE};
use super::relocate::{self, Elf, Header, Places};
use super::{FileKind, SymbolsError};
use gimli::SectionId;
use object::elf;
use object::read::elf::{ElfFile, Sym as _};
use object::read::{FileKind as ObjectFileKind, Object as _, ObjectSection as _, ObjectSegment as _};
use object::{Endianness, ObjectKind, SectionFlags};
use std::ops::Range;

/// Bytes that the unpacked sections of one file may take; the largest of a kernel are a third of that.
pub(super) const UNPACKED_BYTES_MAX: u64 = 1 << 30;

/// How much larger than its packed form a section may claim to be. Deflate ends at 1032, debug information at about 10.
const EXPANSION_MAX: u64 = 1032;

/// The debug sections that answers come from.
const SECTIONS: [SectionId; 9] = [
    SectionId::DebugAbbrev,
    SectionId::DebugAddr,
    SectionId::DebugInfo,
    SectionId::DebugLine,
    SectionId::DebugLineStr,
    SectionId::DebugRanges,
    SectionId::DebugRngLists,
    SectionId::DebugStr,
    SectionId::DebugStrOffsets,
];

/// The bytes of a section: where they lie in the file, or unpacked and relocated.
#[derive(Debug)]
pub(super) enum Piece {
    File(Range<usize>),
    Owned(Vec<u8>),
}

impl Piece {
    pub(super) fn bytes<'p>(&'p self, file: &'p [u8]) -> &'p [u8] {
        match self {
            Self::File(range) => file.get(range.clone()).unwrap_or_default(),
            Self::Owned(bytes) => bytes,
        }
    }
}

/// A part of a program as it is in memory.
#[derive(Debug)]
pub(super) struct Segment {
    address: u64,
    file: Range<u64>,
}

/// An ELF file, read.
#[derive(Debug)]
pub(super) struct Image {
    pub(super) kind: FileKind,
    pub(super) build_id: Option<BuildId>,
    /// `uname -r` of the kernel that it is, or that the module is for.
    pub(super) release: Option<String>,
    pub(super) debug_link: Option<String>,
    pub(super) little_endian: bool,
    pub(super) functions: Functions,
    pieces: Vec<(SectionId, Piece)>,
    segments: Vec<Segment>,
}

impl Image {
    pub(super) fn read(bytes: &[u8]) -> Result<Self, SymbolsError> {
        match ObjectFileKind::parse(bytes) {
            Ok(ObjectFileKind::Elf32) => read::<elf::FileHeader32<Endianness>>(bytes),
            Ok(ObjectFileKind::Elf64) => read::<elf::FileHeader64<Endianness>>(bytes),
            _ => Err(SymbolsError::NotElf),
        }
    }

    /// A debug section; empty when the file has none.
    pub(super) fn section<'p>(&'p self, id: SectionId, file: &'p [u8]) -> &'p [u8] {
        let found = self.pieces.iter().find(|(known, _)| *known == id);
        found.map_or(&[], |(_, piece)| piece.bytes(file))
    }

    pub(super) fn has_debug_info(&self) -> bool {
        self.pieces.iter().any(|(id, _)| *id == SectionId::DebugInfo)
    }

    /// The address at which the first byte in memory is linked to be.
    pub(super) fn start(&self) -> u64 {
        let starts = self.segments.iter().map(|segment| segment.address & !(PAGE - 1));
        starts.min().unwrap_or(0)
    }

    /// The address at which a byte of the file is linked to be.
    pub(super) fn address_of_byte(&self, file_offset: u64) -> Option<u64> {
        let segment = self
            .segments
            .iter()
            .find(|segment| segment.file.contains(&file_offset))?;
        segment.address.checked_add(file_offset - segment.file.start)
    }

    /// Memory that it takes, the file itself not counted.
    pub(super) fn bytes(&self) -> usize {
        let owned = self.pieces.iter().map(|(_, piece)| match piece {
            Piece::File(_) => 0,
            Piece::Owned(bytes) => bytes.capacity(),
        });
        self.functions.bytes() + owned.sum::<usize>()
    }
}

fn read<E: Header>(bytes: &[u8]) -> Result<Image, SymbolsError> {
    let file: Elf<'_, E> = ElfFile::parse(bytes).map_err(SymbolsError::Elf)?;
    let places = Places::new(&file);
    let little_endian = file.is_little_endian();
    let module = file
        .sections()
        .any(|section| section.name_bytes() == Ok(b".gnu.linkonce.this_module"));
    let (kind, release) = if module {
        let info = ModInfo::read(&file);
        (FileKind::Module { name: info.name }, info.release)
    } else if let Some(banner) = banner(&file) {
        (FileKind::Kernel, text_at(&file, banner).and_then(release_in))
    } else {
        (FileKind::Program, None)
    };
    Ok(Image {
        kind,
        release,
        build_id: own_build_id(&file, little_endian),
        debug_link: debug_link(&file),
        little_endian,
        functions: Functions::new(functions(&file, &places, bytes), bytes),
        pieces: pieces(&file, &places, bytes)?,
        segments: segments(&file),
    })
}

fn own_build_id<E: Header>(file: &Elf<'_, E>, little_endian: bool) -> Option<BuildId> {
    // The kernel's image has its notes in `.notes`, everything else in a section of their own.
    let is_note = |flags| {
        matches!(
            flags,
            SectionFlags::Elf {
                sh_type: elf::SHT_NOTE,
                ..
            }
        )
    };
    file.sections()
        .filter(|section| is_note(section.flags()))
        .find_map(|section| build_id::from_notes(section.data().ok()?, little_endian))
}

/// The name in `.gnu_debuglink`, which is a file's name and never a path.
fn debug_link<E: Header>(file: &Elf<'_, E>) -> Option<String> {
    let (name, _crc) = file.gnu_debuglink().ok()??;
    let name = std::str::from_utf8(name).ok()?;
    let plain = !name.is_empty() && name.len() <= 255 && !name.contains('/') && name != "..";
    plain.then(|| name.to_owned())
}

/// Where the kernel's `Linux version ...` is (`init/version.c`); only its image has the symbol.
fn banner<E: Header>(file: &Elf<'_, E>) -> Option<u64> {
    let names = names_of(file, file.elf_symbol_table().string_section())?;
    let symbol = file.elf_symbol_table().iter().find(|symbol| {
        let name = name_at(names, symbol.st_name(file.endian()));
        name.is_some_and(|range| names.get(range) == Some(b"linux_banner"))
    })?;
    Some(symbol.st_value(file.endian()).into())
}

/// What the file holds from an address on.
fn text_at<'d, E: Header>(file: &Elf<'d, E>, address: u64) -> Option<&'d [u8]> {
    let holds = |start: u64, size| (start..start.saturating_add(size)).contains(&address);
    file.sections()
        .filter(|section| holds(section.address(), section.size()))
        .find_map(|section| {
            let at = usize::try_from(address - section.address()).ok()?;
            section.data().ok()?.get(at..)
        })
}

/// `6.1.0-56-amd64` of `Linux version 6.1.0-56-amd64 (...)`.
fn release_in(text: &[u8]) -> Option<String> {
    let rest = text.strip_prefix(b"Linux version ")?;
    // `__NEW_UTS_LEN` is 64.
    let rest = rest.get(..rest.len().min(65))?;
    let end = rest.iter().position(|byte| *byte == b' ')?;
    String::from_utf8(rest.get(..end)?.to_vec()).ok()
}

/// What `.modinfo` says; it has no contents in files that hold debug information only.
#[derive(Default)]
struct ModInfo {
    name: Option<String>,
    release: Option<String>,
}

impl ModInfo {
    /// Bytes that are looked at; the longest lists of aliases have some 100 KiB.
    const BYTES_MAX: usize = 1 << 20;

    fn read<E: Header>(file: &Elf<'_, E>) -> Self {
        let mut info = Self::default();
        let section = file
            .sections()
            .find(|section| section.name_bytes() == Ok(b".modinfo"));
        let data = section
            .and_then(|section| section.data().ok())
            .unwrap_or_default();
        let data = data.get(..data.len().min(Self::BYTES_MAX)).unwrap_or_default();
        for entry in data.split(|byte| *byte == 0) {
            let text = |value: &[u8]| {
                let word = value.split(|byte| *byte == b' ').next().unwrap_or_default();
                String::from_utf8(word.to_vec())
                    .ok()
                    .filter(|word| word.len() <= 64)
            };
            if let Some(name) = entry.strip_prefix(b"name=") {
                info.name = text(name);
            } else if let Some(magic) = entry.strip_prefix(b"vermagic=") {
                info.release = text(magic);
            }
        }
        info
    }
}

/// The strings that a symbol table's names are in.
fn names_of<'d, E: Header>(file: &Elf<'d, E>, section: object::SectionIndex) -> Option<&'d [u8]> {
    file.section_by_index(section).ok()?.data().ok()
}

/// Where a name lies among the names; `None` for an empty or too long one.
fn name_at(names: &[u8], start: u32) -> Option<Range<usize>> {
    let start = usize::try_from(start).ok()?;
    let rest = names.get(start..)?;
    let rest = rest.get(..rest.len().min(NAME_BYTES_MAX + 1))?;
    let length = memchr::memchr(0, rest).filter(|length| *length > 0)?;
    Some(start..start.checked_add(length)?)
}

/// The symbols of executable sections.
fn functions<E: Header>(file: &Elf<'_, E>, places: &Places, bytes: &[u8]) -> Vec<Function> {
    let full = file.elf_symbol_table();
    let table = if full.is_empty() {
        file.elf_dynamic_symbol_table()
    } else {
        full
    };
    let endian = file.endian();
    let Some(names) = names_of(file, table.string_section()) else {
        return Vec::new();
    };
    let Some(names_start) = offset_in(bytes, names) else {
        return Vec::new();
    };
    // On 32-bit ARM the lowest bit of a function's address says that it is Thumb code.
    let thumb = file.elf_header().e_machine(endian) == elf::EM_ARM;
    let read = |(index, symbol): (object::SymbolIndex, &E::Sym)| {
        if !matches!(
            symbol.st_type(),
            elf::STT_FUNC | elf::STT_NOTYPE | elf::STT_GNU_IFUNC
        ) {
            return None;
        }
        let section = table.symbol_section(endian, symbol, index).ok()??.0;
        if !places.is_code(section) {
            return None;
        }
        let name = name_at(names, symbol.st_name(endian))?;
        // `$x`, `$d` and `.L` are the assembler's own (`is_mapping_symbol`, `include/linux/module_symbol.h`).
        if names.get(name.clone())?.starts_with(b"$") || names.get(name.clone())?.starts_with(b".L") {
            return None;
        }
        let value: u64 = symbol.st_value(endian).into();
        let value = if thumb && symbol.st_type() == elf::STT_FUNC {
            value & !1
        } else {
            value
        };
        Some(Function {
            address: places.base(section).checked_add(value)?,
            size: symbol.st_size(endian).into(),
            extent: None,
            section,
            name: names_start.checked_add(name.start)?..names_start.checked_add(name.end)?,
        })
    };
    table.enumerate().filter_map(read).collect()
}

/// Where a part of the file lies in it.
fn offset_in(file: &[u8], part: &[u8]) -> Option<usize> {
    let start = part.as_ptr().addr().checked_sub(file.as_ptr().addr())?;
    (start.checked_add(part.len())? <= file.len()).then_some(start)
}

fn segments<E: Header>(file: &Elf<'_, E>) -> Vec<Segment> {
    let segments = file.segments().filter_map(|segment| {
        let (start, length) = segment.file_range();
        Some(Segment {
            address: segment.address(),
            file: start..start.checked_add(length)?,
        })
    });
    // Programs have fewer than ten; a core dump, which is not of use here, has thousands.
    segments.take(64).collect()
}

/// The debug sections, unpacked, and relocated when the file still has to be linked, as modules have.
fn pieces<E: Header>(
    file: &Elf<'_, E>,
    places: &Places,
    bytes: &[u8],
) -> Result<Vec<(SectionId, Piece)>, SymbolsError> {
    let mut pieces: Vec<(SectionId, Piece)> = Vec::new();
    let mut room = UNPACKED_BYTES_MAX;
    let mut relocations = relocate::Budget::new(bytes.len());
    for section in file.sections() {
        let Ok(name) = section.name() else { continue };
        let Some(id) = section_id(name) else { continue };
        if pieces.iter().any(|(known, _)| *known == id) {
            continue;
        }
        let packed = section
            .compressed_data()
            .map_err(|source| SymbolsError::Section {
                name: id.name(),
                source,
            })?;
        let relocated = file.kind() == ObjectKind::Relocatable && section.relocations().next().is_some();
        let unpacks = packed.format != object::CompressionFormat::None;
        if unpacks || relocated {
            let limit = u64::try_from(packed.data.len())
                .unwrap_or(u64::MAX)
                .saturating_mul(EXPANSION_MAX);
            if packed.uncompressed_size > room.min(limit) {
                return Err(SymbolsError::TooLarge {
                    name: id.name(),
                    bytes: packed.uncompressed_size,
                });
            }
            room -= packed.uncompressed_size;
            let data = packed.decompress();
            let mut data = data
                .map_err(|source| SymbolsError::Section {
                    name: id.name(),
                    source,
                })?
                .into_owned();
            if relocated {
                relocate::apply(file, &section, places, &mut data, &mut relocations);
            }
            pieces.push((id, Piece::Owned(data)));
        } else if let Some(start) = offset_in(bytes, packed.data).filter(|_| !packed.data.is_empty()) {
            pieces.push((id, Piece::File(start..start + packed.data.len())));
        }
    }
    Ok(pieces)
}

/// `.debug_info` and, as old tools name it when packed, `.zdebug_info`.
fn section_id(name: &str) -> Option<SectionId> {
    let rest = name
        .strip_prefix(".debug_")
        .or_else(|| name.strip_prefix(".zdebug_"))?;
    SECTIONS
        .into_iter()
        .find(|id| id.name().strip_prefix(".debug_") == Some(rest))
}

//! A stock kernel module with other machine code in its init function: the way to a real oops without kernel headers.
//!
//! The signature is cut off (an unsigned module only taints) and the start of `init_module` overwritten, together with
//! the relocations that would write into those bytes. The rest stays as it was, because the kernel checks what it
//! patches: the ftrace call at the function's entry, return sites and so on must be what the module's tables say, or
//! loading it causes a warning that is not the fault wanted.
//!
//! Functions of the kernel are called through symbols, names and relocations that are added: the tables that have them
//! move to the end of the file. The table of the symbols' versions, in which they are not, is hidden; the kernel takes that
//! for a module loaded by force (taint F) where it is built with `CONFIG_MODULE_FORCE_LOAD`, as Debian's are.

use object::{
    LittleEndian,
    elf::{self, FileHeader64, Rela64, SectionHeader64, Sym64},
    read::{
        SectionIndex,
        elf::{FileHeader as _, Rela as _, SectionHeader as _, SectionTable, Sym as _, SymbolTable},
    },
};

/// Ends every signed module; before it come the signature and 12 bytes that end with its length, big endian.
const SIGNATURE_MAGIC: &[u8] = b"~Module signature appended~\n";
const SIGNATURE_INFO_BYTES: usize = 12;
const ENDBR64: [u8; 4] = [0xf3, 0x0f, 0x1e, 0xfa];
/// `call __fentry__`, or the NOP in its place.
const FTRACE_SITE_BYTES: usize = 5;
/// Tables that describe code and are not used to change it; that of calls is only with `retbleed=stuff`.
const HARMLESS: [&[u8]; 3] = [b".orc_unwind_ip", b".gnu.linkonce.this_module", b".call_sites"];

type Endian = LittleEndian;
type Header = FileHeader64<Endian>;
const HEADER_BYTES: usize = size_of::<SectionHeader64<Endian>>();

/// The versions of symbols that a module needs (`CONFIG_MODVERSIONS`).
const VERSIONS: &[u8] = b"__versions";
/// What follows the name of a symbol that is elsewhere: global, of no type.
const UNDEFINED: [u8; 20] = {
    let mut bytes = [0; 20];
    bytes[0] = 0x10;
    bytes
};
/// `e8` and 32 bits, relative to their end.
const CALL_BYTES: u64 = 4;

/// Machine code that may call functions of the kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Code {
    /// The instructions.
    pub(super) bytes: Vec<u8>,
    /// Where the operand of a call is, and which function it calls.
    calls: Vec<(usize, &'static str)>,
}

impl Code {
    /// Appends instructions.
    pub(super) fn then(mut self, bytes: &[u8]) -> Self {
        self.bytes.extend_from_slice(bytes);
        self
    }

    /// Appends a call of an exported function.
    pub(super) fn call(mut self, function: &'static str) -> Self {
        self.bytes.push(0xe8);
        self.calls.push((self.bytes.len(), function));
        self.then(&[0; 4])
    }
}

/// Why a module cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum BreakError {
    #[error("not a 64-bit little-endian ELF file, or damaged")]
    Elf(#[source] object::read::Error),
    #[error("for machine {0}, not x86-64")]
    Machine(u16),
    #[error("no function init_module")]
    NoInit,
    #[error("damaged: {0} is outside of the file")]
    Outside(&'static str),
    #[error("its init function has {has} bytes of room, the code needs {needs}")]
    Room { has: usize, needs: usize },
    #[error("the kernel patches the bytes to be overwritten")]
    Patched,
}

/// The bytes to overwrite.
#[derive(Clone, Copy, Debug)]
struct Place {
    section: SectionIndex,
    /// In the section.
    offset: u64,
    len: u64,
    /// In the file.
    file_offset: usize,
}

/// Gives the module with `code` at the start of its init function.
pub(super) fn break_module(module: &[u8], code: &Code) -> Result<Vec<u8>, BreakError> {
    let module = without_signature(module);
    let header = Header::parse(module).map_err(BreakError::Elf)?;
    let endian = header.endian().map_err(BreakError::Elf)?;
    if header.e_machine(endian) != elf::EM_X86_64 {
        return Err(BreakError::Machine(header.e_machine(endian).0));
    }
    let sections = header.sections(endian, module).map_err(BreakError::Elf)?;
    let symbols = sections
        .symbols(endian, module, elf::SHT_SYMTAB)
        .map_err(BreakError::Elf)?;
    let tables = relocation_tables(module, endian, &sections)?;
    let place = find_place(module, endian, &sections, &symbols, &tables, code.bytes.len())?;

    let mut broken = module.to_vec();
    let end = place.file_offset + code.bytes.len();
    broken
        .get_mut(place.file_offset..end)
        .ok_or(BreakError::Outside("the init function"))?
        .copy_from_slice(&code.bytes);
    for table in tables.iter().filter(|table| table.of == place.section) {
        for (index, relocation) in table.relocations.iter().enumerate() {
            let offset = relocation.r_offset(endian);
            if offset < place.offset + place.len
                && offset.saturating_add(width(relocation, endian)) > place.offset
            {
                // r_info follows the 8 bytes of r_offset; all zero is R_X86_64_NONE.
                let at = table.file_offset + index * size_of::<Rela64<Endian>>() + 8;
                broken
                    .get_mut(at..at + 8)
                    .ok_or(BreakError::Outside("a relocation"))?
                    .fill(0);
            }
        }
    }
    if !code.calls.is_empty() {
        add_calls(&mut broken, endian, &sections, &place, &code.calls)?;
    }
    Ok(broken)
}

/// Adds what the kernel needs to know of calls.
fn add_calls(
    broken: &mut Vec<u8>,
    endian: Endian,
    sections: &SectionTable<'_, Header>,
    place: &Place,
    calls: &[(usize, &'static str)],
) -> Result<(), BreakError> {
    let index_where = |what, matches: &dyn Fn(&SectionHeader64<Endian>) -> bool| {
        let found = sections.enumerate().find(|(_, section)| matches(section));
        found.map(|(index, _)| index).ok_or(BreakError::Outside(what))
    };
    let symbols = index_where("the symbol table", &|section| {
        section.sh_type(endian) == elf::SHT_SYMTAB
    })?;
    let relocations = index_where("the relocation table", &|section| {
        section.sh_type(endian) == elf::SHT_RELA && section.info_link(endian) == place.section
    })?;
    let section = |index| sections.section(index).map_err(BreakError::Elf);
    let names = section(symbols)?.link(endian);
    let mut name_at = section(names)?.sh_size(endian);
    let first_symbol = section(symbols)?.sh_size(endian) / size_of::<Sym64<Endian>>() as u64;
    let (mut new_names, mut new_symbols, mut new_relocations) = (Vec::new(), Vec::new(), Vec::new());
    for (symbol, (at, function)) in (first_symbol..).zip(calls) {
        let name = u32::try_from(name_at).map_err(|_too_big| BreakError::Outside("a name"))?;
        new_symbols.extend_from_slice(&name.to_le_bytes());
        new_symbols.extend_from_slice(&UNDEFINED);
        let info = symbol << 32 | u64::from(elf::R_X86_64_PLT32.0);
        for word in [place.offset + *at as u64, info, CALL_BYTES.wrapping_neg()] {
            new_relocations.extend_from_slice(&word.to_le_bytes());
        }
        new_names.extend_from_slice(function.as_bytes());
        new_names.push(0);
        name_at += function.len() as u64 + 1;
    }
    let versions = sections.enumerate().find(|(_, section)| {
        sections
            .section_name(endian, *section)
            .is_ok_and(|name| name == VERSIONS)
    });
    if let Some((index, section)) = versions {
        // Without its first letter the name means nothing.
        let name = section.sh_name.get(endian).saturating_add(1);
        let header = header_of(broken, endian, index, "a section")?;
        header[..4].copy_from_slice(&name.to_le_bytes());
    }
    extend(broken, endian, sections, names, &new_names)?;
    extend(broken, endian, sections, symbols, &new_symbols)?;
    extend(broken, endian, sections, relocations, &new_relocations)
}

/// The bytes of a section's header.
fn header_of<'file>(
    file: &'file mut [u8],
    endian: Endian,
    index: SectionIndex,
    what: &'static str,
) -> Result<&'file mut [u8; HEADER_BYTES], BreakError> {
    let headers = Header::parse(&*file).map_err(BreakError::Elf)?.e_shoff(endian);
    let at = to_usize(headers, what)?.checked_add(index.0 * HEADER_BYTES);
    at.and_then(|at| file.get_mut(at..)?.first_chunk_mut())
        .ok_or(BreakError::Outside(what))
}

/// Moves a section to the end of the file and appends to it.
fn extend(
    broken: &mut Vec<u8>,
    endian: Endian,
    sections: &SectionTable<'_, Header>,
    index: SectionIndex,
    more: &[u8],
) -> Result<(), BreakError> {
    let damaged = || BreakError::Outside("a table");
    let section = sections.section(index).map_err(BreakError::Elf)?;
    let start = to_usize(section.sh_offset(endian), "a table")?;
    let size = to_usize(section.sh_size(endian), "a table")?;
    let end = start.checked_add(size).ok_or_else(damaged)?;
    let old = broken.get(start..end).ok_or_else(damaged)?.to_vec();
    broken.resize(broken.len().next_multiple_of(8), 0);
    let (offset, size) = (broken.len() as u64, (old.len() + more.len()) as u64);
    // Offset and size follow name, type, flags and address.
    let header = header_of(broken, endian, index, "a table")?;
    header[24..32].copy_from_slice(&offset.to_le_bytes());
    header[32..40].copy_from_slice(&size.to_le_bytes());
    broken.extend_from_slice(&old);
    broken.extend_from_slice(more);
    Ok(())
}

/// One `.rela` section.
struct RelocationTable<'data> {
    /// The section it applies to.
    of: SectionIndex,
    of_name: &'data [u8],
    is_loaded: bool,
    file_offset: usize,
    relocations: &'data [Rela64<Endian>],
}

fn relocation_tables<'data>(
    module: &'data [u8],
    endian: Endian,
    sections: &SectionTable<'data, Header>,
) -> Result<Vec<RelocationTable<'data>>, BreakError> {
    let mut tables = Vec::new();
    for section in sections.iter() {
        let Some((relocations, _)) = section.rela(endian, module).map_err(BreakError::Elf)? else {
            continue;
        };
        let of = section.info_link(endian);
        let target = sections.section(of).map_err(BreakError::Elf)?;
        tables.push(RelocationTable {
            of,
            of_name: sections.section_name(endian, target).map_err(BreakError::Elf)?,
            is_loaded: target.sh_flags(endian).0 & elf::SHF_ALLOC.0 != 0,
            file_offset: to_usize(section.sh_offset(endian), "a relocation table")?,
            relocations,
        });
    }
    Ok(tables)
}

fn find_place(
    module: &[u8],
    endian: Endian,
    sections: &SectionTable<'_, Header>,
    symbols: &SymbolTable<'_, Header>,
    tables: &[RelocationTable<'_>],
    needs: usize,
) -> Result<Place, BreakError> {
    let init = init_module(endian, symbols)?;
    let index = SectionIndex(usize::from(init.st_shndx(endian).0));
    let section = sections.section(index).map_err(BreakError::Elf)?;
    let data = section.data(endian, module).map_err(BreakError::Elf)?;
    let entry = to_usize(init.st_value(endian), "init_module")?;
    let size = to_usize(init.st_size(endian), "init_module")?;
    let function = entry
        .checked_add(size)
        .and_then(|end| data.get(entry..end))
        .ok_or(BreakError::Outside("init_module"))?;

    let mut skip = if function.starts_with(&ENDBR64) {
        ENDBR64.len()
    } else {
        0
    };
    let pointers = pointers_into(index, endian, symbols, tables);
    if pointers.contains(&(b"__mcount_loc", (entry + skip) as u64)) {
        skip += FTRACE_SITE_BYTES;
    }
    let has = size.saturating_sub(skip);
    if has < needs {
        return Err(BreakError::Room { has, needs });
    }
    let place = Place {
        section: index,
        offset: (entry + skip) as u64,
        len: needs as u64,
        file_offset: to_usize(section.sh_offset(endian), "a section")?
            .checked_add(entry + skip)
            .ok_or(BreakError::Outside("init_module"))?,
    };
    if pointers
        .iter()
        .any(|(_, at)| (place.offset..place.offset + place.len).contains(at))
    {
        return Err(BreakError::Patched);
    }
    Ok(place)
}

fn init_module<'data>(
    endian: Endian,
    symbols: &SymbolTable<'data, Header>,
) -> Result<&'data Sym64<Endian>, BreakError> {
    let is_it = |symbol: &&Sym64<Endian>| {
        let name = symbol.name(endian, symbols.strings());
        name.is_ok_and(|name| name == b"init_module")
    };
    symbols.iter().find(is_it).ok_or(BreakError::NoInit)
}

/// Where tables of other sections point to in a section, each with its name.
fn pointers_into<'data>(
    section: SectionIndex,
    endian: Endian,
    symbols: &SymbolTable<'data, Header>,
    tables: &[RelocationTable<'data>],
) -> Vec<(&'data [u8], u64)> {
    let target = |relocation: &Rela64<Endian>| {
        let symbol = symbols.symbol(relocation.symbol(endian, false)?).ok()?;
        let at = symbol
            .st_value(endian)
            .wrapping_add_signed(relocation.r_addend(endian));
        (usize::from(symbol.st_shndx(endian).0) == section.0).then_some(at)
    };
    let others = tables
        .iter()
        .filter(|table| table.is_loaded && table.of != section && !HARMLESS.contains(&table.of_name));
    others
        .flat_map(|table| {
            let targets = table.relocations.iter().filter_map(target);
            targets.map(move |at| (table.of_name, at))
        })
        .collect()
}

/// How many bytes a relocation writes, of the types that modules have.
fn width(relocation: &Rela64<Endian>, endian: Endian) -> u64 {
    match relocation.r_type(endian, false) {
        elf::R_X86_64_64 | elf::R_X86_64_PC64 => 8,
        _ => 4,
    }
}

fn to_usize(value: u64, what: &'static str) -> Result<usize, BreakError> {
    usize::try_from(value).map_err(|_too_big| BreakError::Outside(what))
}

fn without_signature(module: &[u8]) -> &[u8] {
    let Some(signed) = module.strip_suffix(SIGNATURE_MAGIC) else {
        return module;
    };
    let Some((_, length)) = signed.split_last_chunk::<4>() else {
        return module;
    };
    let appended = usize::try_from(u32::from_be_bytes(*length))
        .unwrap_or(usize::MAX)
        .saturating_add(SIGNATURE_INFO_BYTES);
    signed
        .len()
        .checked_sub(appended)
        .map_or(module, |length| &signed[..length])
}

#[cfg(test)]
mod tests;

//! What the linker would do to the debug sections of a relocatable file.
//!
//! A kernel module is one: its code sections all start at address 0 and its debug sections hold zeros where addresses
//! and offsets belong. Each section of memory is given a place of its own here, so that an address tells the section,
//! and the relocations are applied with these places.

use object::read::elf::{ElfFile, ElfSection, FileHeader};
use object::read::{Object as _, ObjectSection as _, ObjectSymbol as _, RelocationTarget};
use object::{
    Endianness, ObjectKind, Relocation, RelocationEncoding, RelocationFlags, RelocationKind, SectionFlags,
    elf,
};

/// A file of 32 or 64 bits and either byte order.
pub(super) type Elf<'d, E> = ElfFile<'d, E, &'d [u8]>;

/// What 32 and 64 bits have in common.
pub(super) trait Header: FileHeader<Endian = Endianness> {}

impl<E: FileHeader<Endian = Endianness>> Header for E {}

/// Where the first section of a relocatable file is placed. Not at 0: debug information uses that for "removed".
const FIRST_PLACE: u64 = 0x10_0000;
/// Room after each section, so that the end of one is not the start of the next.
const GAP: u64 = 0x1000;

/// Where the sections of a file are.
#[derive(Debug)]
pub(super) struct Places {
    /// By section: what is added to the value of a symbol, and whether it is code.
    sections: Vec<(u64, bool)>,
}

impl Places {
    pub(super) fn new<E: Header>(file: &Elf<'_, E>) -> Self {
        let movable = file.kind() == ObjectKind::Relocatable;
        let mut next = FIRST_PLACE;
        let mut sections = Vec::new();
        for section in file.sections() {
            let (mut base, mut code) = (0, false);
            if let SectionFlags::Elf { sh_flags, .. } = section.flags()
                && sh_flags.contains(elf::SHF_ALLOC)
            {
                code = sh_flags.contains(elf::SHF_EXECINSTR);
                if movable {
                    base = next;
                    next = next.saturating_add(section.size()).saturating_add(GAP) & !(GAP - 1);
                    next = next.saturating_add(GAP);
                }
            }
            let index = section.index().0;
            if sections.len() <= index {
                sections.resize(index + 1, (0, false));
            }
            if let Some(place) = sections.get_mut(index) {
                *place = (base, code);
            }
        }
        Self { sections }
    }

    /// What is added to the value of a symbol in this section.
    pub(super) fn base(&self, section: usize) -> u64 {
        self.sections.get(section).map_or(0, |(base, _)| *base)
    }

    pub(super) fn is_code(&self, section: usize) -> bool {
        self.sections.get(section).is_some_and(|(_, code)| *code)
    }
}

/// How many relocations a file may have, so that tables that several sections share cost no more than others.
#[derive(Debug)]
pub(super) struct Budget(usize);

impl Budget {
    /// A relocation takes at least eight bytes of the file.
    pub(super) fn new(file_bytes: usize) -> Self {
        Self(file_bytes / 8)
    }
}

/// What a relocation does with the bytes that it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Set,
    Add,
    Subtract,
}

/// Applies the relocations of a section to its data; those that no debug section has are left out.
pub(super) fn apply<'d, E: Header>(
    file: &Elf<'d, E>,
    section: &ElfSection<'d, '_, E, &'d [u8]>,
    places: &Places,
    data: &mut [u8],
    budget: &mut Budget,
) {
    let machine = file.elf_header().e_machine(file.endian());
    for (offset, relocation) in section.relocations() {
        let Some(left) = budget.0.checked_sub(1) else {
            return;
        };
        budget.0 = left;
        let Some((action, bytes)) = action(machine, &relocation) else {
            continue;
        };
        let Some(target) = target(file, places, &relocation) else {
            continue;
        };
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let Some(field) = data.get_mut(start..start.saturating_add(bytes)) else {
            continue;
        };
        let little = file.endian() == Endianness::Little;
        let old = number(field, little);
        let value = match action {
            Action::Set if relocation.has_implicit_addend() => old.wrapping_add(target),
            Action::Set => target,
            Action::Add => old.wrapping_add(target),
            Action::Subtract => old.wrapping_sub(target),
        };
        store(field, value, little);
    }
}

/// What the relocation does, and to how many bytes.
fn action(machine: elf::Machine, relocation: &Relocation) -> Option<(Action, usize)> {
    if relocation.kind() == RelocationKind::Absolute && relocation.encoding() == RelocationEncoding::Generic {
        return Some((Action::Set, usize::from(relocation.size() / 8)));
    }
    let RelocationFlags::Elf { r_type } = relocation.flags() else {
        return None;
    };
    // Where the linker may shorten code, differences of labels are written as a sum and a subtraction
    // (RISC-V ELF psABI, "Relocations"; LoongArch ELF psABI, the same).
    let (add, subtract, set) = match machine {
        elf::EM_RISCV => (33, 37, Some(54)),
        elf::EM_LOONGARCH => (47, 52, None),
        _ => return None,
    };
    let sizes: &[usize] = if machine == elf::EM_RISCV {
        &[1, 2, 4, 8]
    } else {
        &[1, 2, 3, 4, 8]
    };
    let size = |first: u32| {
        let index = r_type.0.checked_sub(first)?;
        sizes.get(usize::try_from(index).ok()?).copied()
    };
    if let Some(size) = size(add) {
        return Some((Action::Add, size));
    }
    if let Some(size) = size(subtract) {
        return Some((Action::Subtract, size));
    }
    let size = size(set?).filter(|size| *size < 8)?;
    Some((Action::Set, size))
}

/// The address of what the relocation refers to, the explicit addend included.
fn target<E: Header>(file: &Elf<'_, E>, places: &Places, relocation: &Relocation) -> Option<u64> {
    let address = match relocation.target() {
        RelocationTarget::Symbol(index) => {
            let symbol = file.symbol_by_index(index).ok()?;
            let base = symbol.section_index().map_or(0, |section| places.base(section.0));
            base.wrapping_add(symbol.address())
        }
        RelocationTarget::Section(index) => places.base(index.0),
        RelocationTarget::Absolute => 0,
        _ => return None,
    };
    Some(address.wrapping_add_signed(relocation.addend()))
}

fn number(field: &[u8], little: bool) -> u64 {
    let fold = |value: u64, byte: &u8| (value << 8) | u64::from(*byte);
    if little {
        field.iter().rev().fold(0, fold)
    } else {
        field.iter().fold(0, fold)
    }
}

fn store(field: &mut [u8], value: u64, little: bool) {
    let mut shift = value;
    let mut put = |byte: &mut u8| {
        *byte = u8::try_from(shift & 0xff).unwrap_or_default();
        shift >>= 8;
    };
    if little {
        field.iter_mut().for_each(&mut put);
    } else {
        field.iter_mut().rev().for_each(&mut put);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::symbols::image::Image;
    use gimli::SectionId;
    use object::write;
    use object::{Architecture, BinaryFormat, SectionKind, SymbolFlags, SymbolKind, SymbolScope};

    /// A relocatable file with two symbols in code, at 0x10 and at 0x34 of `.text`, and `.debug_line` with these relocations:
    /// (offset, index of the symbol, addend, type).
    fn debug_line(
        architecture: Architecture,
        data: &[u8],
        relocations: &[(u64, usize, i64, u32)],
    ) -> Vec<u8> {
        let mut file = write::Object::new(BinaryFormat::Elf, architecture, Endianness::Little);
        let text = file.add_section(Vec::new(), b".text".to_vec(), SectionKind::Text);
        file.append_section_data(text, &[0; 0x40], 4);
        let symbols = [0x10, 0x34].map(|value| {
            file.add_symbol(write::Symbol {
                name: format!("at_{value:x}").into_bytes(),
                value,
                size: 4,
                kind: SymbolKind::Text,
                scope: SymbolScope::Compilation,
                weak: false,
                section: write::SymbolSection::Section(text),
                flags: SymbolFlags::None,
            })
        });
        let line = file.add_section(Vec::new(), b".debug_line".to_vec(), SectionKind::Debug);
        file.append_section_data(line, data, 1);
        for (offset, symbol, addend, r_type) in relocations {
            let relocation = write::Relocation {
                offset: *offset,
                symbol: symbols[*symbol],
                addend: *addend,
                flags: RelocationFlags::Elf {
                    r_type: elf::RelocationType(*r_type),
                },
            };
            file.add_relocation(line, relocation).unwrap();
        }
        let bytes = file.write().unwrap();
        Image::read(&bytes)
            .unwrap()
            .section(SectionId::DebugLine, &bytes)
            .to_vec()
    }

    #[test]
    fn differences_of_labels_are_computed_where_linkers_shorten_code() {
        // `R_RISCV_ADD32` and `SUB32`, `R_RISCV_64`, `R_RISCV_SET8` and `SUB8`.
        let relocations = [
            (0, 1, 0, 35),
            (0, 0, 0, 39),
            (4, 0, 2, 2),
            (12, 1, 0, 54),
            (12, 0, 0, 37),
        ];
        let data = debug_line(Architecture::Riscv64, &[0; 13], &relocations);
        assert_eq!(data[..4], 0x24_u32.to_le_bytes());
        assert_eq!(data[4..12], (FIRST_PLACE + 0x12).to_le_bytes());
        assert_eq!(data[12], 0x24);
        // `R_LARCH_ADD16` and `SUB16`.
        let data = debug_line(
            Architecture::LoongArch64,
            &[0; 2],
            &[(0, 1, 0, 48), (0, 0, 0, 53)],
        );
        assert_eq!(data, 0x24_u16.to_le_bytes());
    }

    #[test]
    fn addresses_of_all_machines_get_the_place_of_their_section() {
        // `R_X86_64_64`, `R_AARCH64_ABS64`, `R_PPC64_ADDR64`, `R_390_64`: 8 bytes; `R_386_32` adds what is there.
        for (architecture, r_type) in [
            (Architecture::X86_64, 1),
            (Architecture::Aarch64, 257),
            (Architecture::PowerPc64, 38),
            (Architecture::S390x, 22),
        ] {
            let data = debug_line(architecture, &[0; 8], &[(0, 1, 4, r_type)]);
            assert_eq!(data, (FIRST_PLACE + 0x38).to_le_bytes(), "{architecture:?}");
        }
        let data = debug_line(Architecture::I386, &[5, 0, 0, 0], &[(0, 1, 5, 1)]);
        assert_eq!(data, u32::try_from(FIRST_PLACE + 0x39).unwrap().to_le_bytes());
    }

    #[test]
    fn numbers_of_any_size_and_order_round_trip() {
        for little in [false, true] {
            for size in [1, 2, 3, 4, 8] {
                let mut field = vec![0xff; size];
                store(&mut field, 0x0102_0304_0506_0708, little);
                let mask = if size == 8 {
                    u64::MAX
                } else {
                    (1 << (8 * size)) - 1
                };
                assert_eq!(number(&field, little), 0x0102_0304_0506_0708 & mask);
            }
        }
        let mut field = [0; 4];
        store(&mut field, 0x0a0b_0c0d, false);
        assert_eq!(field, [0x0a, 0x0b, 0x0c, 0x0d]);
    }
}

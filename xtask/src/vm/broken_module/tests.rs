use object::{Object as _, ObjectSection as _, ObjectSymbol as _};
use proptest::prelude::*;

use super::*;

/// `call __fentry__`, `mov rdi, <8 bytes>`, `jmp register`: 20 bytes.
const INIT: [u8; 20] = [
    0xe8, 0, 0, 0, 0, 0x48, 0xbf, 1, 2, 3, 4, 5, 6, 7, 8, 0xe9, 0, 0, 0, 0,
];
const CODE: [u8; 5] = [0x31, 0xc0, 0x48, 0x89, 0x00];
const FUNCTIONS: [&str; 2] = ["first_function", "second_function"];
const SYMBOLS: [&str; 3] = ["", "init_module", "__fentry__"];

fn code(bytes: &[u8]) -> Code {
    Code::default().then(bytes)
}

fn calling() -> Code {
    Code::default()
        .call(FUNCTIONS[0])
        .then(&[0x90])
        .call(FUNCTIONS[1])
}

/// Where the tables of the module point into its init function.
#[derive(Clone, Copy)]
struct Shape {
    ftrace_site: bool,
    return_site: Option<u64>,
}

const PLAIN: Shape = Shape {
    ftrace_site: true,
    return_site: None,
};

/// Name, type, flags, link, info, entry size, data.
type Section<'a> = (&'a str, u32, u64, u32, u32, u64, &'a [u8]);

/// A relocation: offset, symbol, type, addend.
fn rela(offset: u64, symbol: u64, kind: u64, addend: u64) -> Vec<u8> {
    [offset, symbol << 32 | kind, addend]
        .iter()
        .flat_map(|word| word.to_le_bytes())
        .collect()
}

/// A module with an init function, as small as it can be.
fn module(shape: Shape) -> Vec<u8> {
    let relocations = [
        rela(1, 2, 4, 0_u64.wrapping_sub(4)), // PLT32, the call of __fentry__
        rela(7, 2, 1, 0),                     // 64, the operand of mov
        rela(16, 2, 4, 0_u64.wrapping_sub(4)),
    ]
    .concat();
    let mut mcount = Vec::new();
    if shape.ftrace_site {
        mcount = rela(0, 1, 1, 0);
    }
    let returns = shape.return_site.map_or_else(Vec::new, |at| rela(0, 1, 2, at));
    let strings = SYMBOLS.map(|name| format!("{name}\0")).concat();
    let mut symbols = vec![0; 24];
    for (name, section, size) in [(1_u32, 1_u16, 20_u64), (13, 0, 0)] {
        symbols.extend_from_slice(&name.to_le_bytes());
        symbols.extend_from_slice(&[0x12, 0]); // global function
        symbols.extend_from_slice(&section.to_le_bytes());
        symbols.extend_from_slice(&0_u64.to_le_bytes());
        symbols.extend_from_slice(&size.to_le_bytes());
    }
    let sections: [Section<'_>; 10] = [
        ("", 0, 0, 0, 0, 0, &[]),
        (".init.text", 1, 6, 0, 0, 0, &INIT),
        (".rela.init.text", 4, 0x40, 7, 1, 24, &relocations),
        ("__mcount_loc", 1, 2, 0, 0, 0, &[0; 8]),
        (".rela__mcount_loc", 4, 0x40, 7, 3, 24, &mcount),
        (".return_sites", 1, 2, 0, 0, 0, &[0; 4]),
        (".rela.return_sites", 4, 0x40, 7, 5, 24, &returns),
        (".symtab", 2, 0, 8, 1, 24, &symbols),
        (".strtab", 3, 0, 0, 0, 0, strings.as_bytes()),
        (".shstrtab", 3, 0, 0, 0, 0, &[]),
    ];
    assemble(&sections)
}

fn assemble(sections: &[Section<'_>]) -> Vec<u8> {
    let mut names = sections
        .iter()
        .map(|section| section.0)
        .collect::<Vec<_>>()
        .join("\0");
    names.push('\0');
    let mut body = Vec::new();
    let mut headers = Vec::new();
    let mut name_at = 0_u32;
    for (name, kind, flags, link, info, entry, data) in sections {
        let data = if *name == ".shstrtab" {
            names.as_bytes()
        } else {
            data
        };
        headers.extend_from_slice(&name_at.to_le_bytes());
        headers.extend_from_slice(&kind.to_le_bytes());
        for word in [*flags, 0, 64 + body.len() as u64, data.len() as u64] {
            headers.extend_from_slice(&word.to_le_bytes());
        }
        headers.extend_from_slice(&link.to_le_bytes());
        headers.extend_from_slice(&info.to_le_bytes());
        headers.extend_from_slice(&8_u64.to_le_bytes());
        headers.extend_from_slice(&entry.to_le_bytes());
        body.extend_from_slice(data);
        body.resize(body.len().next_multiple_of(8), 0);
        name_at += u32::try_from(name.len()).unwrap() + 1;
    }
    let mut elf = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x01\0\x3e\0\x01\0\0\0".to_vec();
    for word in [0, 0, 64 + body.len() as u64] {
        elf.extend_from_slice(&word.to_le_bytes());
    }
    elf.extend_from_slice(&[0, 0, 0, 0, 64, 0, 0, 0, 0, 0, 64, 0]);
    elf.extend_from_slice(&u16::try_from(sections.len()).unwrap().to_le_bytes());
    elf.extend_from_slice(&u16::try_from(sections.len() - 1).unwrap().to_le_bytes());
    elf.extend_from_slice(&body);
    elf.extend_from_slice(&headers);
    elf
}

fn signed(mut module: Vec<u8>) -> Vec<u8> {
    module.extend_from_slice(&[0xaa; 300]);
    module.extend_from_slice(&[0, 0, 2, 0, 0, 0, 0, 0]);
    module.extend_from_slice(&300_u32.to_be_bytes());
    module.extend_from_slice(SIGNATURE_MAGIC);
    module
}

fn init_text(elf: &[u8]) -> Vec<u8> {
    let file = object::File::parse(elf).unwrap();
    file.section_by_name(".init.text")
        .unwrap()
        .data()
        .unwrap()
        .to_vec()
}

/// Offsets of the relocations that are left in the init function.
fn relocations(elf: &[u8]) -> Vec<u64> {
    let header = Header::parse(elf).unwrap();
    let sections = header.sections(LittleEndian, elf).unwrap();
    let tables = relocation_tables(elf, LittleEndian, &sections).unwrap();
    let table = tables
        .iter()
        .find(|table| table.of_name == b".init.text")
        .unwrap();
    let of_type = |relocation: &&Rela64<Endian>| relocation.r_type(LittleEndian, false).0 != 0;
    table
        .relocations
        .iter()
        .filter(of_type)
        .map(|relocation| relocation.r_offset(LittleEndian))
        .collect()
}

#[test]
fn the_test_module_is_one() {
    let elf = module(PLAIN);
    let file = object::File::parse(&*elf).unwrap();
    assert!(file.symbols().any(|symbol| symbol.name() == Ok("init_module")));
    assert_eq!(relocations(&elf), [1, 7, 16]);
}

#[test]
fn the_code_comes_after_the_ftrace_site_and_nothing_else_changes() {
    let broken = break_module(&module(PLAIN), &code(&CODE)).unwrap();
    let mut expected = INIT;
    expected[5..10].copy_from_slice(&CODE);
    assert_eq!(init_text(&broken), expected);
    assert_eq!(relocations(&broken), [1, 16]);
}

#[test]
fn without_an_ftrace_site_the_code_comes_first() {
    let shape = Shape {
        ftrace_site: false,
        ..PLAIN
    };
    let broken = break_module(&module(shape), &code(&CODE)).unwrap();
    assert_eq!(init_text(&broken)[..5], CODE);
    assert_eq!(relocations(&broken), [7, 16]);
}

#[test]
fn the_signature_is_cut_off() {
    let broken = break_module(&signed(module(PLAIN)), &code(&CODE)).unwrap();
    assert_eq!(broken, break_module(&module(PLAIN), &code(&CODE)).unwrap());
}

#[test]
fn functions_are_called_by_name() {
    let broken = break_module(&signed(module(PLAIN)), &calling()).unwrap();
    assert_eq!(
        init_text(&broken)[5..16],
        [0xe8, 0, 0, 0, 0, 0x90, 0xe8, 0, 0, 0, 0]
    );
    let file = object::File::parse(&*broken).unwrap();
    let section = file.section_by_name(".init.text").unwrap();
    let called = section.relocations().filter_map(|(at, relocation)| {
        let object::RelocationTarget::Symbol(index) = relocation.target() else {
            return None;
        };
        let symbol = file.symbol_by_index(index).unwrap();
        let name = symbol.name().unwrap().to_owned();
        FUNCTIONS
            .contains(&&*name)
            .then(|| (at, name, symbol.is_undefined(), relocation.addend()))
    });
    let called: Vec<(u64, String, bool, i64)> = called.collect();
    let expected = [(6, 0), (12, 1)].map(|(at, which)| (at, FUNCTIONS[which].to_owned(), true, -4));
    assert_eq!(called, expected);
    assert!(file.symbols().any(|symbol| symbol.name() == Ok("init_module")));
}

#[test]
fn bytes_that_the_kernel_patches_are_left_alone() {
    let with = |at| {
        module(Shape {
            return_site: Some(at),
            ..PLAIN
        })
    };
    assert!(matches!(
        break_module(&with(9), &code(&CODE)),
        Err(BreakError::Patched)
    ));
    assert!(break_module(&with(10), &code(&CODE)).is_ok());
}

#[test]
fn code_that_does_not_fit_is_refused() {
    let error = break_module(&module(PLAIN), &code(&[0x90; 16])).unwrap_err();
    assert!(
        matches!(error, BreakError::Room { has: 15, needs: 16 }),
        "{error}"
    );
}

#[test]
fn what_is_no_module_is_told() {
    let of = |bytes: &[u8]| break_module(bytes, &code(&CODE)).unwrap_err().to_string();
    assert!(of(b"").contains("ELF"), "{}", of(b""));
    assert!(of(b"not an ELF file").contains("ELF"));
    let mut arm = module(PLAIN);
    arm[18] = 183;
    assert!(of(&arm).contains("183"), "{}", of(&arm));
    let mut nameless = module(PLAIN);
    let at = nameless
        .windows(11)
        .position(|window| window == b"init_module")
        .unwrap();
    nameless[at] = b'x';
    assert!(of(&nameless).contains("init_module"));
}

proptest! {
    #[test]
    fn garbage_is_an_error(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
        prop_assert!(break_module(&bytes, &code(&CODE)).is_err());
    }

    #[test]
    fn a_damaged_module_is_an_error_or_patched_in_place(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        length in any::<prop::sample::Index>(),
    ) {
        let mut elf = signed(module(PLAIN));
        for (at, value) in damage {
            let at = at.index(elf.len());
            elf[at] = value;
        }
        elf.truncate(length.index(elf.len()) + 1);
        if let Ok(broken) = break_module(&elf, &code(&CODE)) {
            prop_assert!(broken.len() <= elf.len());
        }
        if let Ok(broken) = break_module(&elf, &calling()) {
            prop_assert!(broken.len() <= 2 * elf.len() + 200);
        }
    }
}

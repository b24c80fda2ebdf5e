//! Files that are no symbol files, or were.

use super::*;
use programs::Workshop;
use proptest::prelude::*;
use std::sync::OnceLock;

/// Asks everything that can be asked.
fn ask(bytes: &[u8]) {
    let Ok(mut file) = SymbolFile::read(bytes) else {
        return;
    };
    let known: Vec<(u64, u64, String)> = file
        .image
        .functions
        .named("outer", bytes)
        .map(|function| {
            (
                function.address,
                function.size,
                name_of(function, bytes).to_owned(),
            )
        })
        .collect();
    for (address, size, name) in known {
        for offset in [0, 1, size / 2, size] {
            let place = Place {
                function: &name,
                offset,
                size: Some(size),
                pointer: Pointer::Return,
            };
            // Any answer is right; what counts is that there is one.
            drop(file.find(&place));
            drop(file.frames_at(address.wrapping_add(offset)));
        }
    }
    for address in [0, 0x1000, 0x10_0000, u64::MAX] {
        drop(file.frames_at(address));
        file.function_at(address);
        file.address_of_byte(address);
    }
    assert!(file.memory() < (64 << 20) + bytes.len() * 1100);
}

/// A program and a module, packed and not; empty without a compiler.
fn sound() -> &'static Vec<Vec<u8>> {
    static SOUND: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    SOUND.get_or_init(|| {
        let test = "symbols: damaged files";
        let workshop = Workshop::new();
        let forms: [&[&str]; 3] = [&["-gdwarf-4"], &["-gdwarf-5"], &["-gdwarf-5", "-gz=zlib"]];
        let made = forms
            .into_iter()
            .flat_map(|form| [program(&workshop, test, form), module(&workshop, test, form)]);
        made.flatten().collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_bytes_are_read_or_refused(mut bytes in prop::collection::vec(any::<u8>(), 0..2048), magic in any::<bool>()) {
        if magic {
            // 64 bits, little-endian, version 1.
            bytes.splice(..bytes.len().min(7), *b"\x7fELF\x02\x01\x01");
        }
        ask(&bytes);
    }

    #[test]
    fn a_damaged_file_is_read_or_refused(
        index in any::<prop::sample::Index>(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..40),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        if sound().is_empty() {
            return Ok(());
        }
        let mut bytes = index.get(sound()).clone();
        for (at, value) in damage {
            *at.get_mut(&mut bytes) = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        ask(&bytes);
    }

    /// Damage to the debug sections alone, which the way above seldom hits.
    #[test]
    fn damaged_debug_information_is_read_or_refused(
        index in any::<prop::sample::Index>(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20),
    ) {
        use object::{Object as _, ObjectSection as _};
        if sound().is_empty() {
            return Ok(());
        }
        let mut bytes = index.get(sound()).clone();
        let ranges: Vec<(u64, u64)> = object::File::parse(index.get(sound()).as_slice())
            .unwrap()
            .sections()
            .filter(|section| section.name().is_ok_and(|name| name.starts_with(".debug")))
            .filter_map(|section| section.file_range())
            .collect();
        let debug: Vec<usize> = ranges
            .into_iter()
            .flat_map(|(start, length)| start..start + length)
            .map(|at| usize::try_from(at).unwrap())
            .collect();
        for (at, value) in damage {
            bytes[*at.get(&debug)] = value;
        }
        ask(&bytes);
    }
}

#[test]
fn a_section_that_claims_to_unpack_to_too_much_is_refused() {
    use object::{Object as _, ObjectSection as _};
    let workshop = Workshop::new();
    let Some(mut bytes) = program(&workshop, "symbols: packed too well", &["-gz=zlib"]) else {
        return;
    };
    let (start, _) = object::File::parse(bytes.as_slice())
        .unwrap()
        .section_by_name(".debug_info")
        .unwrap()
        .file_range()
        .unwrap();
    // The header of a packed section: type, reserved, size, alignment (ELF gABI, "Section Compression").
    let size = usize::try_from(start).unwrap() + 8;
    bytes[size..size + 8].copy_from_slice(&(1_u64 << 40).to_le_bytes());
    let refused = File::read(bytes);
    assert!(
        matches!(
            refused,
            Err(SymbolsError::TooLarge {
                name: ".debug_info",
                ..
            })
        ),
        "{refused:?}"
    );
}

//! Real programs, compiled here, and damaged ones.

mod damaged;
mod programs;
mod reports;

use super::*;
use programs::{INLINED, MAIN, MODULE, Workshop, line, module, program};

type File = SymbolFile<Vec<u8>>;

/// Each version of the debug information, packed in each way; `zlib-gnu` is what tools did before the format had flags.
const FORMS: [(&str, &str); 8] = [
    ("-gdwarf-4", "none"),
    ("-gdwarf-4", "zlib"),
    ("-gdwarf-4", "zlib-gnu"),
    ("-gdwarf-4", "zstd"),
    ("-gdwarf-5", "none"),
    ("-gdwarf-5", "zlib"),
    ("-gdwarf-5", "zlib-gnu"),
    ("-gdwarf-5", "zstd"),
];

/// Where a symbol is.
fn address(file: &File, name: &str) -> u64 {
    let mut found = file.image.functions.named(name, &file.bytes);
    found.next().unwrap_or_else(|| panic!("no {name}")).address
}

fn size(file: &File, name: &str) -> u64 {
    file.image.functions.named(name, &file.bytes).next().unwrap().size
}

/// The place `distance` bytes behind a label, as an offset into a function.
fn place<'a>(file: &File, function: &'a str, label: &str, pointer: Pointer) -> Place<'a> {
    let distance = u64::from(pointer == Pointer::Return);
    Place {
        function,
        offset: address(file, label) + distance - address(file, function),
        size: Some(size(file, function)),
        pointer,
    }
}

fn frame(function: &str, file: &str, line: u32, inlined: bool) -> SourceFrame {
    SourceFrame {
        function: Some(function.to_owned()),
        file: Some(file.to_owned()),
        line: Some(line),
        inlined,
    }
}

/// What `mark` has to be found as.
fn chain(file: &str) -> Vec<SourceFrame> {
    vec![
        frame("inner", file, line(INLINED, "inner"), true),
        frame("middle", file, line(INLINED, "middle"), true),
        frame("outer", file, line(INLINED, "outer"), false),
    ]
}

#[test]
fn a_place_in_a_program_is_its_line_and_what_was_inlined_there() {
    let test = "symbols: programs";
    let workshop = Workshop::new();
    for (version, packing) in FORMS {
        let form = format!("{version} {packing}");
        if program(&workshop, test, &[version]).is_none() {
            return;
        }
        let Some(bytes) = workshop.pack(test, "program", packing) else {
            continue;
        };
        let mut file = File::read(bytes).unwrap();
        assert_eq!(
            (file.kind(), file.release()),
            (&FileKind::Kernel, Some("6.1.0-test"))
        );
        assert_eq!(file.build_id().unwrap().as_bytes().len(), 20);
        for pointer in [Pointer::Instruction, Pointer::Return] {
            let place = place(&file, "outer", "mark", pointer);
            assert_eq!(
                file.find(&place).unwrap(),
                Found::Frames(chain("program.c")),
                "{form:?}"
            );
        }
        let mark = address(&file, "mark");
        assert_eq!(file.frames_at(mark).unwrap(), chain("program.c"));
        let at = file.function_at(mark + 1).unwrap();
        assert_eq!((at.name, at.size), ("outer", size(&file, "outer")));
        assert!(file.memory() > 0);
    }
}

#[test]
fn a_place_in_a_module_is_found_although_all_its_sections_start_at_zero() {
    let test = "symbols: modules";
    let workshop = Workshop::new();
    for (version, packing) in FORMS {
        let form = format!("{version} {packing}");
        if module(&workshop, test, &[version, "-ffunction-sections"]).is_none() {
            return;
        }
        let Some(bytes) = workshop.pack(test, "module.o", packing) else {
            continue;
        };
        let mut file = File::read(bytes).unwrap();
        let name = Some("test_module".to_owned());
        assert_eq!(
            (file.kind(), file.release()),
            (&FileKind::Module { name }, Some("6.1.0-test"))
        );
        let inlined = place(&file, "outer", "mark", Pointer::Return);
        assert_eq!(
            file.find(&inlined).unwrap(),
            Found::Frames(chain("module.o.c")),
            "{form:?}"
        );
        let source = format!("{INLINED}{MODULE}");
        let init = vec![
            frame("set", "module.o.c", line(&source, "set"), true),
            frame("starter", "module.o.c", line(&source, "starter"), false),
        ];
        let place = place(&file, "starter", "mark_init", Pointer::Instruction);
        assert_eq!(file.find(&place).unwrap(), Found::Frames(init), "{form:?}");
    }
}

#[test]
fn every_address_of_a_program_is_what_binutils_say() {
    let test = "symbols: addr2line";
    let workshop = Workshop::new();
    for form in ["-gdwarf-4", "-gdwarf-5"] {
        let Some(bytes) = program(&workshop, test, &[form]) else {
            return;
        };
        let mut file = File::read(bytes).unwrap();
        let (start, size) = (address(&file, "outer"), size(&file, "outer"));
        for address in start..start + size {
            let hexadecimal = format!("{address:#x}");
            let arguments = ["-i", "-f", "-s", "-e", "program", &hexadecimal];
            let Some(says) = workshop.run(test, "addr2line", &arguments) else {
                return;
            };
            let own = file.frames_at(address).unwrap();
            let own: Vec<String> = own
                .iter()
                .map(|frame| {
                    format!(
                        "{}\n{}",
                        frame.function.as_deref().unwrap_or("??"),
                        frame.location().unwrap_or_default()
                    )
                })
                .collect();
            // binutils add `(discriminator 3)` to some lines.
            let says: Vec<&str> = says
                .lines()
                .map(|line| line.split(" (").next().unwrap_or(line))
                .collect();
            assert_eq!(own.join("\n"), says.join("\n"), "{form} {address:#x}");
        }
    }
}

#[test]
fn another_build_is_told_by_the_size_of_the_function() {
    let test = "symbols: other builds";
    let workshop = Workshop::new();
    let Some(bytes) = program(&workshop, test, &[]) else {
        return;
    };
    let mut file = File::read(bytes).unwrap();
    let right = place(&file, "outer", "mark", Pointer::Return);
    let size = right.size.unwrap();
    let wrong = Place {
        size: Some(size + 0x100),
        ..right
    };
    assert_eq!(
        file.find(&wrong).unwrap(),
        Found::OtherBuild { sizes: vec![size] }
    );
    let beyond = Place {
        offset: size + 0x100,
        size: None,
        ..right
    };
    assert_eq!(
        file.find(&beyond).unwrap(),
        Found::OtherBuild { sizes: vec![size] }
    );
    let unknown = Place {
        function: "outermost",
        ..right
    };
    assert_eq!(file.find(&unknown).unwrap(), Found::UnknownFunction);
}

#[test]
fn functions_of_one_name_are_told_apart_by_size_or_not_at_all() {
    let test = "symbols: functions of one name";
    let workshop = Workshop::new();
    let twin = |body: &str| {
        format!("__attribute__((noinline,used)) static int twin(volatile int *x) {{ {body} }}\n")
    };
    workshop.write(
        "other.c",
        &twin("return *x * *x + *x - *x / *x + *x * *x - *x / *x + *x * *x;"),
    );
    workshop.write("third.c", &format!("\n\n{}", twin("return *x;")));
    let source = format!("{INLINED}{MAIN}{}", twin("return *x;"));
    let Some(bytes) = workshop.compile(test, "program", &source, &["other.c", "third.c"]) else {
        return;
    };
    let mut file = File::read(bytes).unwrap();
    let all = file.image.functions.named("twin", &file.bytes);
    let sizes: Vec<u64> = all.map(|function| function.size).collect();
    assert_eq!(sizes.len(), 3);
    let large = sizes.iter().max().copied();
    let small = sizes.iter().min().copied();
    let mut find = |size| {
        let place = Place {
            function: "twin",
            offset: 0,
            size,
            pointer: Pointer::Instruction,
        };
        file.find(&place).unwrap()
    };
    assert_eq!(
        find(large),
        Found::Frames(vec![frame("twin", "other.c", 1, false)])
    );
    assert_eq!(find(small), Found::Ambiguous { functions: 2 });
}

#[test]
fn debug_information_that_was_split_off_is_found_and_used() {
    let test = "symbols: split debug files";
    let workshop = Workshop::new();
    let Some(whole) = program(&workshop, test, &[]) else {
        return;
    };
    let steps: [&[&str]; 3] = [
        &["--only-keep-debug", "program", "program.debug"],
        &["--strip-all", "program", "stripped"],
        &["--add-gnu-debuglink=program.debug", "stripped"],
    ];
    for arguments in steps {
        if workshop.run(test, "objcopy", arguments).is_none() {
            return;
        }
    }
    let whole = File::read(whole).unwrap();
    let mut stripped = File::read(workshop.read("stripped")).unwrap();
    let mut debug = File::read(workshop.read("program.debug")).unwrap();
    assert_eq!(stripped.debug_link(), Some("program.debug"));
    assert_eq!(
        (stripped.build_id(), debug.build_id()),
        (whole.build_id(), whole.build_id())
    );
    assert!(debug.has_debug_info() && !stripped.has_debug_info());
    let mark = address(&whole, "mark");
    assert_eq!(debug.frames_at(mark).unwrap(), chain("program.c"));
    assert!(stripped.frames_at(mark).unwrap().is_empty());
    // A byte of the file is at the same address in all of them, but only the program itself knows.
    let offset = (0..u64::try_from(stripped.bytes.len()).unwrap())
        .find(|offset| stripped.address_of_byte(*offset) == Some(mark));
    assert!(offset.is_some());
}

#[test]
fn rust_and_cplusplus_are_read_like_c() {
    let test = "symbols: Rust and C++";
    let workshop = Workshop::new();
    let rust = "#![allow(named_asm_labels)]
#[inline(always)] fn inner(x: u32) -> u32 {
    unsafe { std::arch::asm!(\"mark: nop\") }; /* inner */
    x ^ 7
}
#[inline(never)] #[no_mangle] pub extern \"C\" fn outer(x: u32) -> u32 {
    inner(x * 3) /* outer */
}
fn main() { std::process::exit(outer(std::env::args().count() as u32) as i32) }
";
    let cplusplus = "
struct Device { int value; void write(int x); };
inline __attribute__((always_inline)) void Device::write(int x) {
    __asm__ volatile(\"mark: nop\"); /* inner */
    value = x;
}
extern \"C\" __attribute__((noinline)) int outer(Device *device, int x) {
    device->write(x); /* outer */
    return device->value;
}
int main(int argc, char **) { Device device; return outer(&device, argc); }
";
    workshop.write("rust.rs", rust);
    workshop.write("cplusplus.cc", cplusplus);
    let compilers: [(&str, &[&str], &str, &str, &str); 2] = [
        (
            "rustc",
            &["-g", "-O", "-o", "rust", "rust.rs"],
            "rust",
            "rust.rs",
            rust,
        ),
        (
            "c++",
            &["-g", "-O2", "-o", "cplusplus", "cplusplus.cc"],
            "cplusplus",
            "cplusplus.cc",
            cplusplus,
        ),
    ];
    for (compiler, arguments, program, name, source) in compilers {
        if workshop.run(test, compiler, arguments).is_none() {
            continue;
        }
        let mut file = File::read(workshop.read(program)).unwrap();
        assert_eq!(file.kind(), &FileKind::Program);
        let mark = address(&file, "mark");
        let frames = file.frames_at(mark).unwrap();
        let places: Vec<(Option<&str>, Option<u32>, bool)> = frames
            .iter()
            .map(|frame| (frame.file.as_deref(), frame.line, frame.inlined))
            .collect();
        let (inner, outer) = (line(source, "inner"), line(source, "outer"));
        assert_eq!(
            places,
            [(Some(name), Some(inner), true), (Some(name), Some(outer), false)],
            "{frames:?}"
        );
        assert!(
            frames[0].function.as_ref().unwrap().starts_with("_ZN"),
            "{frames:?}"
        );
        assert_eq!(frames[1].function.as_deref(), Some("outer"));
    }
}

//! Programs with and without debug information, made by the C compiler.

use std::{fs, path::Path, process::Command};

use faults::symbols::{Found, Place, Pointer, SymbolFile};

const SOURCE: &str = "const char linux_banner[] __attribute__((used)) = BANNER;
static inline __attribute__((always_inline)) int inner(volatile int *p) {
    return *p / 3;
}
__attribute__((noinline, noclone)) int outer(volatile int *p) {
    return inner(p) + 1;
}
int main(int count, char **words) {
    volatile int number = count;
    (void)words;
    return outer(&number) + 2;
}
";

/// A compiled program, which is a kernel for those who look for its banner.
pub(super) struct Compiled {
    pub(super) bytes: Vec<u8>,
    pub(super) build_id: String,
    /// The address in `outer` at which `inner` was inlined, from its start, and its size.
    pub(super) inlined: (u64, u64),
    /// The same place by its byte in the file.
    pub(super) byte: u64,
}

/// `None`: there is no C compiler.
pub(super) fn compile(dir: &Path, name: &str, banner: &str, debug: bool) -> Option<Compiled> {
    let (source, program) = (dir.join("source.c"), dir.join(name));
    fs::write(&source, SOURCE.replace("BANNER", &format!("{banner:?}"))).unwrap();
    let output = Command::new("cc")
        .args(["-O2", "-Wl,--build-id=sha1"])
        .args(debug.then_some("-g"))
        .arg("-o")
        .args([&program, &source])
        .output()
        .ok()?;
    assert!(output.status.success(), "{output:?}");
    let bytes = fs::read(&program).unwrap();
    let mut file = SymbolFile::read(bytes.as_slice()).unwrap();
    let (mut inlined, mut byte) = ((0, 0), 0);
    for at in 0..bytes.len() as u64 {
        let Some(address) = file.address_of_byte(at) else {
            continue;
        };
        let Some((offset, size)) = file
            .function_at(address)
            .filter(|function| function.name == "outer")
            .map(|function| (function.offset, function.size))
        else {
            continue;
        };
        if debug && file.frames_at(address).unwrap().len() == 2 {
            (inlined, byte) = ((offset, size), at);
            let place = Place {
                function: "outer",
                offset,
                size: Some(size),
                pointer: Pointer::Instruction,
            };
            assert!(matches!(file.find(&place), Ok(Found::Frames(frames)) if frames.len() == 2));
            break;
        }
    }
    let build_id = file.build_id().unwrap().to_string();
    Some(Compiled {
        bytes,
        build_id,
        inlined,
        byte,
    })
}

//! bpf-linker, built against the compiler's own LLVM.

use std::{
    fs, io,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

use super::toolchain::{Llvm, Toolchain, cache, output, with_libraries};
use crate::progress;

pub(super) const VERSION: &str = "0.13.0";

/// The LLVMs that this version can be built with.
const MAJORS: std::ops::RangeInclusive<u32> = 21..=23;

/// The linker for a compiler, built when the cache does not have it.
pub(super) fn ensure(toolchain: &Toolchain) -> Result<PathBuf> {
    let Llvm { major, library } = &toolchain.llvm;
    if !MAJORS.contains(major) {
        bail!(
            "{} uses LLVM {major}, but bpf-linker {VERSION} knows LLVM {} to {} only: use another compiler, or a \
             bpf-linker that knows it (the version is in xtask/src/build_ebpf/linker.rs)",
            toolchain.description,
            MAJORS.start(),
            MAJORS.end()
        );
    }
    let name = library
        .file_name()
        .context("a library has a name")?
        .to_string_lossy();
    let home = cache()?.join(format!("bpf-linker-{VERSION}-{name}"));
    let prefix = home.join("llvm");
    link_llvm(library, &prefix.join("lib"))?;
    let linker = home.join("bin/bpf-linker");
    if works(&linker, toolchain) {
        return Ok(linker);
    }
    progress::run(
        format!("build bpf-linker {VERSION} for LLVM {major} (about a minute, once)"),
        with_libraries(
            Command::new("cargo")
                .args([
                    "install",
                    "bpf-linker",
                    "--version",
                    VERSION,
                    "--locked",
                    "--force",
                ])
                .args(["--no-default-features", "--features", &format!("llvm-{major}")])
                .arg("--root")
                .arg(&home)
                .env("CARGO_TARGET_DIR", home.join("build"))
                .env("LLVM_PREFIX", &prefix)
                .current_dir(&home),
            toolchain.libraries.as_deref(),
        ),
    )?;
    let build = home.join("build");
    fs::remove_dir_all(&build).with_context(|| format!("remove {}", build.display()))?;
    if !works(&linker, toolchain) {
        bail!("{} was built but does not start", linker.display());
    }
    Ok(linker)
}

fn works(linker: &Path, toolchain: &Toolchain) -> bool {
    let mut command = Command::new(linker);
    output(with_libraries(
        command.arg("--version"),
        toolchain.libraries.as_deref(),
    ))
    .is_ok_and(|version| version.trim_end().ends_with(VERSION))
}

/// A folder with the library, wherever it is now, under the names that linking (`libLLVM.so`) and loading (its own) look for.
fn link_llvm(library: &Path, folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
    let own_name = library.file_name().context("a library has a name")?;
    for link in [folder.join(own_name), folder.join("libLLVM.so")] {
        if fs::read_link(&link).is_ok_and(|target| target == library) {
            continue;
        }
        match fs::remove_file(&link) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("remove {}", link.display()));
            }
            _ => symlink(library, &link).with_context(|| format!("link {}", link.display()))?,
        }
    }
    Ok(())
}

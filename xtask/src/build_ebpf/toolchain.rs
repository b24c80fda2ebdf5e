//! Finding a compiler that can build eBPF programs.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

use super::debian;
use crate::{packages, paths};

/// The target; both supported architectures are little-endian.
pub(super) const TARGET: &str = "bpfel-unknown-none";

/// A compiler that can build for [`TARGET`].
#[derive(Debug)]
pub(super) struct Toolchain {
    /// For people.
    pub(super) description: String,
    pub(super) cargo: PathBuf,
    pub(super) rustc: PathBuf,
    /// `rustc --print sysroot`.
    pub(super) sysroot: PathBuf,
    /// Where the dynamic loader has to look, for a compiler that is not installed.
    pub(super) libraries: Option<PathBuf>,
    /// `core` has to be built from its source.
    pub(super) build_std: bool,
    /// The compiler's own LLVM.
    pub(super) llvm: Llvm,
}

/// A `libLLVM`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Llvm {
    pub(super) major: u32,
    pub(super) library: PathBuf,
}

/// The folder in the cache for all that builds eBPF.
pub(super) fn cache() -> Result<PathBuf> {
    let folder = paths::cache()?.join("ebpf");
    fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
    Ok(folder)
}

/// The best compiler this machine has or may fetch.
pub(super) fn find() -> Result<Toolchain> {
    let nightly = match rustup_nightly() {
        Ok(toolchain) => return Ok(toolchain),
        Err(error) => error,
    };
    let debian = match debian::toolchain() {
        Ok(toolchain) => return Ok(toolchain),
        Err(error) => error,
    };
    bail!(
        "no compiler here can build eBPF programs.\n\
         \x20 rustup nightly: {nightly:#}\n\
         \x20 Debian's rustc-web: {debian:#}\n\
         Do one of these, then run this command again:\n\
         \x20 with rustup, on any Linux:\n\
         \x20   rustup toolchain install nightly --component rust-src\n\
         \x20 on Debian 12 or newer (the packages are then unpacked into {}, not installed):\n\
         \x20   sudo apt-get update",
        cache()?.display()
    )
}

fn rustup_nightly() -> Result<Toolchain> {
    if packages::find_program("rustup").is_none() {
        bail!("there is no rustup");
    }
    let which = |program: &str| -> Result<PathBuf> {
        let path = output(Command::new("rustup").args(["which", "--toolchain", "nightly", program]))
            .context("not installed")?;
        Ok(PathBuf::from(path.trim()))
    };
    let (cargo, rustc) = (which("cargo")?, which("rustc")?);
    let sysroot = sysroot(&rustc, None)?;
    if !sysroot.join("lib/rustlib/src/rust/library/core").is_dir() {
        bail!("installed without its component rust-src");
    }
    let version = Version::of(&rustc, None)?;
    Ok(Toolchain {
        description: format!("{} from rustup", version.line),
        llvm: Llvm::find(&sysroot.join("lib"), version.llvm_major)?,
        cargo,
        rustc,
        sysroot,
        libraries: None,
        build_std: true,
    })
}

/// What `rustc -vV` says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Version {
    /// The first line.
    pub(super) line: String,
    pub(super) llvm_major: u32,
}

impl Version {
    pub(super) fn of(rustc: &Path, libraries: Option<&Path>) -> Result<Self> {
        Self::parse(&output(with_libraries(
            Command::new(rustc).arg("-vV"),
            libraries,
        ))?)
    }

    fn parse(text: &str) -> Result<Self> {
        let llvm_major = text
            .lines()
            .find_map(|line| line.strip_prefix("LLVM version: "))
            .and_then(|version| version.split('.').next())
            .and_then(|major| major.parse().ok())
            .with_context(|| format!("no LLVM version in the output of `rustc -vV`:\n{text}"))?;
        Ok(Self {
            line: text.lines().next().unwrap_or_default().to_owned(),
            llvm_major,
        })
    }
}

impl Llvm {
    /// The `libLLVM.so.N…` in a compiler's library folder, N being the major that the compiler reports.
    pub(super) fn find(folder: &Path, major: u32) -> Result<Self> {
        let mut others = Vec::new();
        for entry in fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))? {
            let library = entry
                .with_context(|| format!("list {}", folder.display()))?
                .path();
            match library
                .file_name()
                .and_then(OsStr::to_str)
                .and_then(library_major)
            {
                Some(found) if found == major => return Ok(Self { major, library }),
                Some(found) => others.push(found.to_string()),
                None => {}
            }
        }
        if others.is_empty() {
            bail!(
                "the compiler uses LLVM {major}, but {} has no libLLVM.so.{major}",
                folder.display()
            );
        }
        bail!(
            "the compiler uses LLVM {major}, but {} has LLVM {}: remove that toolchain and let it be installed again",
            folder.display(),
            others.join(", ")
        )
    }
}

/// 22 for `libLLVM.so.22.1` and for `libLLVM.so.22.1-rust-1.97.0-nightly`.
fn library_major(name: &str) -> Option<u32> {
    let version = name.strip_prefix("libLLVM.so.")?;
    version.split(['.', '-']).next()?.parse().ok()
}

pub(super) fn sysroot(rustc: &Path, libraries: Option<&Path>) -> Result<PathBuf> {
    let path = output(with_libraries(
        Command::new(rustc).args(["--print", "sysroot"]),
        libraries,
    ))?;
    Ok(PathBuf::from(path.trim()))
}

/// Lets the dynamic loader look into one more folder.
pub(super) fn with_libraries<'a>(command: &'a mut Command, libraries: Option<&Path>) -> &'a mut Command {
    if let Some(folder) = libraries {
        command.env("LD_LIBRARY_PATH", folder);
    }
    command
}

/// What a command prints; its error is the first line it prints on standard error.
pub(super) fn output(command: &mut Command) -> Result<String> {
    let output = command
        .output()
        .with_context(|| format!("start {}", command.get_program().display()))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        bail!("{}", text.lines().next().unwrap_or("it failed without a word"));
    }
    String::from_utf8(output.stdout).context("its output is not UTF-8")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_llvm_major_is_read_from_rustc() {
        let text = "rustc 1.96.0 (ac68faa20 2026-05-25) (built from a source tarball)\nrelease: 1.96.0\nLLVM version: 22.1.8\n";
        let version = Version::parse(text).unwrap();
        assert_eq!(version.llvm_major, 22);
        assert!(version.line.starts_with("rustc 1.96.0"));
        assert!(
            Version::parse("rustc 1.96.0\n")
                .unwrap_err()
                .to_string()
                .contains("LLVM version")
        );
    }

    #[test]
    fn the_library_is_the_one_of_that_major() {
        let folder = tempfile::tempdir().unwrap();
        let error = Llvm::find(folder.path(), 22).unwrap_err().to_string();
        assert!(error.contains("has no libLLVM.so.22"), "{error}");
        fs::write(folder.path().join("libLLVM-21.so"), "").unwrap();
        fs::write(folder.path().join("libLLVM.so.21.1"), "").unwrap();
        let error = Llvm::find(folder.path(), 22).unwrap_err().to_string();
        assert!(
            error.contains("has LLVM 21") && error.contains("remove"),
            "{error}"
        );
        let library = folder.path().join("libLLVM.so.22.1-rust-1.97.0-nightly");
        fs::write(&library, "").unwrap();
        assert_eq!(
            Llvm::find(folder.path(), 22).unwrap(),
            Llvm { major: 22, library }
        );
    }
}

//! `cargo xtask build-ebpf`: the eBPF object, `target/bpf/probes.bpf.o`.
//!
//! # How the object is built
//!
//! 1. **Current?** The sources of `probe-ebpf` and `probe-common`, the manifests and lock file, and the flags are
//!    hashed. When the stamp beside the object has that hash, and the object's own, nothing is done ([`stamp`]).
//! 2. **Compiler.** A rustup `nightly` with `rust-src` where there is one; otherwise Debian's packaged `rustc-web`,
//!    whose `core` is already built for `bpfel-unknown-none`. Debian's packages are downloaded and unpacked into the
//!    cache folder (`~/.cache/telemetrics/ebpf/`), which needs no root and leaves the user's own compiler alone.
//!    Elsewhere the error says which commands to run ([`toolchain`], [`debian`]).
//! 3. **Linker.** `bpf-linker` reads the compiler's bitcode with LLVM, and a pair of different LLVMs fails or, worse,
//!    writes wrong BTF. So it is built by `cargo install` into the same cache against the very `libLLVM` that the
//!    compiler itself uses, with the `llvm-N` feature of the major that `rustc -vV` reports ([`linker`]).
//! 4. **Build** in `target/bpf/build`, apart from the rest of the workspace. Paths of the checkout, of cargo's home and
//!    of the compiler are remapped, so that the same sources and compiler give the same bytes in any folder ([`compile`]).
//! 5. **Check** with the `object` crate: program sections, maps, licence, BTF ([`check`]).
//! 6. **Into place** by a rename, and only when the bytes changed: nobody sees half an object, and what embeds it is
//!    not built again for nothing.
//!
//! To start afresh with a newer compiler from Debian, remove the cache folder and run with `--force`.

mod check;
mod compile;
mod debian;
mod linker;
mod stamp;

pub(crate) use self::stamp::hex;
#[cfg(test)]
mod tests;
mod toolchain;

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

use crate::{paths, progress};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  cargo xtask build-ebpf\n  cargo xtask build-ebpf --log")]
pub(crate) struct Args {
    /// Build target/bpf/probes-log.bpf.o instead, whose programs describe each event they see; telemd loads it with
    /// `object = "…/probes-log.bpf.o"` under `[probes]` and shows the lines in its own log at level debug
    #[arg(long)]
    log: bool,
    /// Build even when the object is current
    #[arg(long)]
    force: bool,
}

/// One of the two objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flavour {
    /// What is shipped.
    Release,
    /// With aya-log.
    Log,
}

impl Flavour {
    fn path(self) -> PathBuf {
        match self {
            Self::Release => paths::ebpf_object(),
            Self::Log => paths::ebpf_object().with_file_name("probes-log.bpf.o"),
        }
    }
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let flavour = if args.log { Flavour::Log } else { Flavour::Release };
    let object = flavour.path();
    if !args.force && stamp::is_current(flavour)? {
        progress::say(format!("{} is current", object.display()));
        return Ok(());
    }
    build(flavour)?;
    let bytes = fs::metadata(&object)
        .with_context(|| format!("look at {}", object.display()))?
        .len();
    progress::say(format!("{} ({bytes} bytes)", object.display()));
    Ok(())
}

/// Makes sure that the object which is shipped is there and current.
pub(crate) fn ensure() -> Result<()> {
    ensure_flavour(Flavour::Release)
}

/// Why programs have other eBPF programs in them than the sources say; `None` when they have those.
pub(crate) fn difference(program: &Path) -> Result<Option<String>> {
    if !stamp::is_current(Flavour::Release)? {
        return Ok(Some(
            "the eBPF programs were changed since they were built".to_owned(),
        ));
    }
    let object = fs::read(paths::ebpf_object()).context("read the eBPF object")?;
    let bytes = fs::read(program).with_context(|| format!("read {}", program.display()))?;
    let has_it = bytes.windows(object.len()).any(|part| part == object);
    Ok((!has_it).then(|| format!("{} has other eBPF programs in it", program.display())))
}

/// Makes sure that the object which describes what it does is there and current.
pub(crate) fn ensure_log() -> Result<()> {
    ensure_flavour(Flavour::Log)
}

fn ensure_flavour(flavour: Flavour) -> Result<()> {
    if stamp::is_current(flavour)? {
        Ok(())
    } else {
        build(flavour)
    }
}

fn build(flavour: Flavour) -> Result<()> {
    let inputs = stamp::inputs(flavour)?;
    let toolchain = toolchain::find()?;
    let linker = linker::ensure(&toolchain)?;
    let built = compile::compile(
        flavour,
        &toolchain,
        &linker,
        &paths::workspace(),
        &paths::ebpf_object().with_file_name("build"),
    )?;
    let bytes = fs::read(&built).with_context(|| format!("read {}", built.display()))?;
    check::check(&bytes).with_context(|| format!("{} is not a usable eBPF object", built.display()))?;
    let object = flavour.path();
    if !fs::read(&object).is_ok_and(|old| old == bytes) {
        put(&object, &bytes)?;
    }
    stamp::write(flavour, &inputs, &bytes, &toolchain.description)
}

/// Writes a file beside its place and renames it there.
fn put(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = path.parent().context("a file has a folder")?;
    fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
    let temporary = tempfile::Builder::new()
        .permissions(fs::Permissions::from_mode(0o644))
        .tempfile_in(folder)
        .with_context(|| format!("write in {}", folder.display()))?;
    fs::write(temporary.path(), bytes).with_context(|| format!("write {}", temporary.path().display()))?;
    temporary
        .persist(path)
        .with_context(|| format!("rename to {}", path.display()))?;
    Ok(())
}

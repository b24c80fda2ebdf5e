//! Whether an object is current.
//!
//! Beside `probes.bpf.o` lies `probes.bpf.o.stamp`, three lines: the hash of all that goes into the object, the hash of
//! the object, and the compiler it came from (for people; a newer compiler alone does not make an object stale).

use std::{
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use sha2::{Digest as _, Sha256};

use super::{Flavour, linker};
use crate::paths;

/// What is hashed, relative to the checkout: files, and folders with all that is in them.
const INPUTS: [&str; 6] = [
    "Cargo.lock",
    "Cargo.toml",
    "crates/probe-common/Cargo.toml",
    "crates/probe-common/src",
    "probe-ebpf",
    "xtask/src/build_ebpf/compile.rs",
];

/// The hash of all that goes into an object.
pub(super) fn inputs(flavour: Flavour) -> Result<String> {
    let mut files = Vec::new();
    for input in INPUTS {
        collect(&paths::workspace().join(input), &mut files)?;
    }
    files.sort();
    let mut hash = Sha256::new();
    add(&mut hash, format!("{flavour:?} {}", linker::VERSION).as_bytes());
    for file in files {
        let name = file.strip_prefix(paths::workspace()).unwrap_or(&file);
        add(&mut hash, name.as_os_str().as_encoded_bytes());
        add(
            &mut hash,
            &fs::read(&file).with_context(|| format!("read {}", file.display()))?,
        );
    }
    Ok(hex(&hash.finalize()))
}

/// Whether the object and its stamp are there and fit each other and the inputs.
pub(super) fn is_current(flavour: Flavour) -> Result<bool> {
    let (Some(stamp), Ok(object)) = (read(flavour)?, fs::read(flavour.path())) else {
        return Ok(false);
    };
    let mut lines = stamp.lines();
    Ok(lines.next() == Some(&inputs_line(&inputs(flavour)?)) && lines.next() == Some(&object_line(&object)))
}

/// Says that an object is current.
pub(super) fn write(flavour: Flavour, inputs: &str, object: &[u8], compiler: &str) -> Result<()> {
    let stamp = format!(
        "{}\n{}\n{}\n",
        inputs_line(inputs),
        object_line(object),
        compiler_line(compiler)
    );
    super::put(&path(flavour), stamp.as_bytes())
}

/// Whether an object came from a compiler.
#[cfg(test)]
pub(super) fn is_from(flavour: Flavour, compiler: &str) -> Result<bool> {
    Ok(read(flavour)?.is_some_and(|stamp| stamp.lines().nth(2) == Some(&compiler_line(compiler))))
}

fn read(flavour: Flavour) -> Result<Option<String>> {
    let path = path(flavour);
    match fs::read_to_string(&path) {
        Ok(stamp) => Ok(Some(stamp)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("read {}", path.display())),
    }
}

fn path(flavour: Flavour) -> PathBuf {
    flavour.path().with_added_extension("stamp")
}

fn inputs_line(inputs: &str) -> String {
    format!("inputs sha256:{inputs}")
}

fn object_line(object: &[u8]) -> String {
    format!("object sha256:{}", hex(&Sha256::digest(object)))
}

fn compiler_line(compiler: &str) -> String {
    format!("built by {compiler}")
}

/// Lengths keep neighbours apart: `ab`, `c` is not `a`, `bc`.
fn add(hash: &mut Sha256, bytes: &[u8]) {
    hash.update((bytes.len() as u64).to_le_bytes());
    hash.update(bytes);
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        // Invariant: writing to a String does not fail.
        let _infallible = write!(hex, "{byte:02x}");
        hex
    })
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    if !path.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    for entry in fs::read_dir(path).with_context(|| format!("list {}", path.display()))? {
        collect(
            &entry.with_context(|| format!("list {}", path.display()))?.path(),
            files,
        )?;
    }
    Ok(())
}

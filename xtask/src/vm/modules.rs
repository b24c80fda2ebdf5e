//! The modules of a Debian kernel: finding them, decompressing them, and the order in which they load.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail, ensure};
use object::{Object as _, ObjectSection as _};

use crate::packages;

/// Every module of a kernel, by name.
#[derive(Debug)]
pub(crate) struct Modules {
    files: BTreeMap<String, PathBuf>,
    builtin: BTreeSet<String>,
}

/// A module's bytes, decompressed.
#[derive(Debug)]
pub(crate) struct Module {
    /// Its name as the kernel knows it.
    pub(crate) name: String,
    /// The ELF file, with its signature at the end.
    pub(crate) bytes: Vec<u8>,
}

impl Modules {
    /// Looks at a folder like `/lib/modules/6.1.0-56-amd64`.
    pub(crate) fn open(dir: &Path) -> Result<Self> {
        let list = dir.join("modules.builtin");
        let builtin = fs::read_to_string(&list)
            .with_context(|| format!("read {}", list.display()))?
            .lines()
            .filter_map(|line| name_of(Path::new(line)))
            .collect();
        let mut files = BTreeMap::new();
        collect(&dir.join("kernel"), &mut files)?;
        ensure!(!files.is_empty(), "no modules in {}", dir.display());
        Ok(Self { files, builtin })
    }

    /// Names of the modules in a folder such as `kernel/crypto`, in alphabetical order.
    pub(super) fn names_under(&self, folder: &str) -> impl Iterator<Item = &str> {
        self.files
            .iter()
            .filter(move |(_, path)| path.parent().is_some_and(|parent| parent.ends_with(folder)))
            .map(|(name, _)| name.as_str())
    }

    /// Whether the kernel has it, as a module or built in.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.builtin.contains(name) || self.files.contains_key(name)
    }

    /// Reads one module.
    pub(super) fn read(&self, name: &str) -> Result<Module> {
        let path = self
            .files
            .get(name)
            .with_context(|| format!("this kernel has no module {name}"))?;
        Ok(Module {
            name: name.to_owned(),
            bytes: decompress(path)?,
        })
    }

    /// Reads modules and all that they need, in an order in which they load. What is built in is left out.
    pub(crate) fn with_dependencies(&self, names: &[&str]) -> Result<Vec<Module>> {
        let mut ordered = Vec::new();
        let mut seen = BTreeSet::new();
        for name in names {
            self.visit(name, &mut seen, &mut ordered)?;
        }
        Ok(ordered)
    }

    fn visit(&self, name: &str, seen: &mut BTreeSet<String>, ordered: &mut Vec<Module>) -> Result<()> {
        // Two modules cannot need each other, so a module seen before is either complete or the file is broken.
        if self.builtin.contains(name) || !seen.insert(name.to_owned()) {
            return Ok(());
        }
        let module = self.read(name)?;
        for needed in dependencies(&module.bytes).with_context(|| format!("module {name}"))? {
            self.visit(&needed, seen, ordered)?;
        }
        ordered.push(module);
        Ok(())
    }
}

fn collect(dir: &Path, files: &mut BTreeMap<String, PathBuf>) -> Result<()> {
    for entry in fs::read_dir(dir).with_context(|| format!("list {}", dir.display()))? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            collect(&path, files)?;
        } else if let Some(name) = name_of(&path) {
            files.insert(name, path);
        }
    }
    Ok(())
}

/// `.../crc-itu-t.ko.xz` is the module `crc_itu_t`.
fn name_of(path: &Path) -> Option<String> {
    let file = path.file_name()?.to_str()?;
    let (stem, compression) = file.split_once(".ko")?;
    matches!(compression, "" | ".xz" | ".zst" | ".gz").then(|| stem.replace('-', "_"))
}

fn decompress(path: &Path) -> Result<Vec<u8>> {
    let (program, package) = match path.extension().and_then(|extension| extension.to_str()) {
        Some("xz") => ("xz", "xz-utils"),
        Some("zst") => ("zstd", "zstd"),
        Some("gz") => ("gzip", "gzip"),
        _ => return fs::read(path).with_context(|| format!("read {}", path.display())),
    };
    packages::ensure_program(program, package)?;
    let output = Command::new(program)
        .args(["--decompress", "--stdout"])
        .arg(path)
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("start {program}"))?;
    if !output.status.success() {
        bail!(
            "{program} could not decompress {}: {}",
            path.display(),
            output.status
        );
    }
    Ok(output.stdout)
}

/// The `depends=` line that a module carries in its `.modinfo` section.
fn dependencies(elf: &[u8]) -> Result<Vec<String>> {
    let file = object::File::parse(elf).context("not an ELF file")?;
    let section = file
        .section_by_name(".modinfo")
        .context("no .modinfo section: not a kernel module")?;
    let data = section.data().context("unreadable .modinfo section")?;
    let depends = data
        .split(|byte| *byte == 0)
        .find_map(|line| line.strip_prefix(b"depends="))
        .unwrap_or_default();
    Ok(String::from_utf8_lossy(depends)
        .split(',')
        .filter(|name| !name.is_empty())
        .map(|name| name.replace('-', "_"))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_kernels() {
        let name = |path: &str| name_of(Path::new(path));
        assert_eq!(name("kernel/lib/crc-itu-t.ko.xz").as_deref(), Some("crc_itu_t"));
        assert_eq!(name("kernel/fs/ext4/ext4.ko").as_deref(), Some("ext4"));
        assert_eq!(name("modules.order"), None);
        assert_eq!(name("x.ko.bak"), None);
    }

    #[test]
    fn what_is_no_module_is_told() {
        assert!(dependencies(b"garbage").unwrap_err().to_string().contains("ELF"));
    }
}

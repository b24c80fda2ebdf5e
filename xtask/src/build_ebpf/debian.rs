//! Debian's packaged compiler, unpacked into the cache folder.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

use super::toolchain::{Llvm, TARGET, Toolchain, Version, cache, output, sysroot};
use crate::{packages, progress};

/// The compiler, and `core` built for BPF.
const COMPILER: [&str; 2] = ["rustc-web", "libstd-rust-web-dev-bpf"];

/// The compiler's libraries; with all that this depends on, except what the system has.
const LIBRARIES: &str = "libstd-rust-web-dev";

/// Packages of the compiler itself, unpacked even when the system has them: they have to lie in one tree.
const ONE_TREE: [&str; 2] = ["libstd-rust", "libllvm"];

/// Debian's compiler, fetched when the cache does not have it.
pub(super) fn toolchain() -> Result<Toolchain> {
    let root = cache()?.join("rustc-web");
    if !root.is_dir() {
        fetch(&root)?;
    }
    use_tree(&root).with_context(|| format!("remove {} and run this command again", root.display()))
}

fn use_tree(root: &Path) -> Result<Toolchain> {
    let rustc = root.join("usr/bin/rustc");
    let libraries = library_folder(root)?;
    let version = Version::of(&rustc, Some(&libraries))?;
    let sysroot = sysroot(&rustc, Some(&libraries))?;
    if !sysroot.join("lib/rustlib").join(TARGET).is_dir() {
        bail!("{} has no libraries for {TARGET}", sysroot.display());
    }
    Ok(Toolchain {
        description: format!("{} from Debian's rustc-web", version.line),
        // The cargo that runs xtask.
        cargo: std::env::var_os("CARGO").map_or_else(|| "cargo".into(), PathBuf::from),
        llvm: Llvm::find(&libraries, version.llvm_major)?,
        rustc,
        sysroot,
        libraries: Some(libraries),
        build_std: false,
    })
}

/// `usr/lib/x86_64-linux-gnu`, or what it is called on this architecture.
fn library_folder(root: &Path) -> Result<PathBuf> {
    let folder = root.join("usr/lib");
    for entry in fs::read_dir(&folder).with_context(|| format!("list {}", folder.display()))? {
        let path = entry
            .with_context(|| format!("list {}", folder.display()))?
            .path();
        if path.to_string_lossy().contains("-linux-gnu") {
            return Ok(path);
        }
    }
    bail!("{} has no folder for libraries", folder.display())
}

/// Downloads and unpacks, and only then renames into place.
fn fetch(root: &Path) -> Result<()> {
    for program in ["apt-get", "apt-cache", "dpkg", "dpkg-query"] {
        if packages::find_program(program).is_none() {
            bail!("this is not Debian: there is no {program}");
        }
    }
    let names = package_names()?;
    let work = tempfile::tempdir_in(cache()?).context("create a folder to download into")?;
    let (debs, tree) = (work.path().join("debs"), work.path().join("tree"));
    fs::create_dir(&debs).with_context(|| format!("create {}", debs.display()))?;
    download(&names, &debs)?;

    let step = progress::step("unpack the packages");
    for entry in fs::read_dir(&debs).with_context(|| format!("list {}", debs.display()))? {
        let deb = entry.with_context(|| format!("list {}", debs.display()))?.path();
        step.note(&deb.file_name().unwrap_or_default().to_string_lossy());
        packages::unpack(&deb, &tree)?;
    }
    step.done();
    use_tree(&tree).context("the unpacked packages are no working compiler")?;
    match fs::rename(&tree, root) {
        // Another run was quicker.
        Err(_) if root.is_dir() => Ok(()),
        renamed => renamed.with_context(|| format!("rename {} to {}", tree.display(), root.display())),
    }
}

/// The compiler, its libraries, and what of their dependencies the system lacks.
fn package_names() -> Result<Vec<String>> {
    let depends =
        || output(Command::new("apt-cache").args(["depends", "--recurse", "--important", LIBRARIES]));
    let listing = depends().or_else(|_no_lists| {
        update_lists()?;
        depends().context("this Debian has no rustc-web")
    })?;
    let mut names: Vec<String> = COMPILER.map(str::to_owned).into();
    for name in dependency_names(&listing) {
        if ONE_TREE.iter().any(|prefix| name.starts_with(prefix)) || !is_installed(name)? {
            names.push(name.to_owned());
        }
    }
    Ok(names)
}

/// In the output of `apt-cache depends --recurse`, packages start a line, relations are indented, and virtual packages
/// are in angle brackets.
fn dependency_names(listing: &str) -> impl Iterator<Item = &str> {
    listing
        .lines()
        .filter(|line| line.starts_with(|first: char| first.is_ascii_alphanumeric()))
}

fn is_installed(name: &str) -> Result<bool> {
    let query = Command::new("dpkg-query")
        .args(["--show", "--showformat=${db:Status-Status} ", name])
        .output()
        .context("start dpkg-query")?;
    Ok(query.stdout.starts_with(b"installed"))
}

/// Lists that are some days old name versions that the archive no longer has.
fn download(names: &[String], into: &Path) -> Result<()> {
    let attempt = || {
        progress::run(
            "download Debian's rustc-web and its LLVM (120 MB, once)",
            Command::new("apt-get")
                .arg("download")
                .args(names)
                .current_dir(into),
        )
    };
    attempt().or_else(|_stale| {
        update_lists()?;
        attempt()
    })
}

fn update_lists() -> Result<()> {
    if rustix::process::geteuid().is_root() {
        packages::update_lists()
    } else {
        bail!("apt's lists are missing or old: run `sudo apt-get update`")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_start_a_line_in_the_dependency_listing() {
        let listing = "libstd-rust-web-dev\n  Depends: libstd-rust-web-1.96\nlibstd-rust-web-1.96\n  Depends: libllvm22\n |Depends: <debconf-2.0>\n<debconf-2.0>\nlibllvm22\n";
        let names: Vec<_> = dependency_names(listing).collect();
        assert_eq!(
            names,
            ["libstd-rust-web-dev", "libstd-rust-web-1.96", "libllvm22"]
        );
    }
}

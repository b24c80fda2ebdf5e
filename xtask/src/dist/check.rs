//! The packages in a fresh Debian: installed, used, upgraded, removed and purged.
//!
//! The Debian is made once by debootstrap and kept in the cache; each run unpacks it into a folder of its own and works there
//! in its own mount, process and network namespaces, so nothing of this host changes and what it starts ends with it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};

use super::{VERSION, boot, build, deb, rpm};
use crate::{packages, paths, progress, vm};

/// The Debian that packages are tried in: the oldest one that they are for.
const SUITE: &str = "bookworm";
/// What the packages and `check.sh` need of it.
const INCLUDED: &str = "systemd,procps,curl,postgresql";
/// What happens there.
const SCRIPT: &str = include_str!("check.sh");
/// Mounts what programs expect, turns the loopback on, and runs a program.
const ENTER: &str = "set -eu\nip link set lo up\nroot=$1\nshift\nmount -t proc proc \"$root/proc\"\n\
                     mount --rbind /dev \"$root/dev\"\nmount -t tmpfs tmpfs \"$root/run\"\nexec \"$@\"\n";

/// Tries the packages.
pub(super) fn run(debs: &[PathBuf], rpms: &[PathBuf]) -> Result<()> {
    deb::judge(debs)?;
    ensure!(
        rustix::process::geteuid().is_root(),
        "packages are installed by root only: run `cargo xtask dist --check` as root"
    );
    packages::ensure_program("ip", "iproute2")?;
    let scratch = paths::scratch("packages-check")?;
    let root = fresh(&scratch.path().join("installed"))?;
    place(debs, &root)?;
    enter(
        &root,
        "install, use, upgrade and purge the Debian packages",
        &["/check.sh"],
    )?;
    rpm::try_in(&fresh(&scratch.path().join("of-rpm"))?, rpms)?;
    let root = fresh(&scratch.path().join("booted"))?;
    place(debs, &root)?;
    enter(
        &root,
        "install the Debian packages",
        &["sh", "-c", "dpkg -i /packages/old/*.deb"],
    )?;
    boot::run(&root, scratch.path())
}

/// Unpacks a Debian.
fn fresh(root: &Path) -> Result<PathBuf> {
    let base = base()?;
    fs::create_dir(root).with_context(|| format!("create {}", root.display()))?;
    progress::run(
        "unpack a Debian",
        Command::new("tar")
            .args(["--extract", "--numeric-owner", "--file"])
            .arg(&base)
            .arg("--directory")
            .arg(root),
    )?;
    Ok(root.to_owned())
}

/// Runs a program in a Debian that has mounts, processes and a network of its own.
pub(super) fn enter(root: &Path, what: &str, program: &[&str]) -> Result<()> {
    let mut command = Command::new("chroot");
    command.arg(root).args(program);
    beside(root, what, &command)
}

/// Runs a program of this host that works on such a Debian.
pub(super) fn beside(root: &Path, what: &str, program: &Command) -> Result<()> {
    progress::run(
        what,
        Command::new("unshare")
            .args(["--mount", "--pid", "--net", "--ipc", "--fork", "--kill-child"])
            .args(["--propagation", "private", "sh", "-c", ENTER, "sh"])
            .arg(root)
            .arg(program.get_program())
            .args(program.get_args()),
    )
}

/// An archive of a Debian; made when it is not in the cache.
fn base() -> Result<PathBuf> {
    let file = paths::cache()?.join(format!("debian-{SUITE}.tar"));
    if file.exists() {
        return Ok(file);
    }
    packages::ensure_program("debootstrap", "debootstrap")?;
    let archive = vm::main_archive()?;
    let tree = tempfile::tempdir_in(paths::cache()?).context("create a folder for a Debian")?;
    progress::run(
        format!("fetch Debian {SUITE}"),
        Command::new("debootstrap")
            .args(["--variant=minbase", "--include", INCLUDED, SUITE])
            .arg(tree.path())
            .arg(archive),
    )?;
    let made = file.with_extension("tar.new");
    progress::run(
        "keep it",
        Command::new("tar")
            .args(["--create", "--numeric-owner", "--one-file-system", "--file"])
            .arg(&made)
            .arg("--directory")
            .args([tree.path(), Path::new(".")]),
    )?;
    fs::rename(&made, &file).with_context(|| format!("write {}", file.display()))?;
    Ok(file)
}

/// Puts the packages and the script into the Debian.
fn place(debs: &[PathBuf], root: &Path) -> Result<()> {
    let [old, new] = ["packages/old", "packages/new"].map(|name| root.join(name));
    for dir in [&old, &new] {
        fs::create_dir_all(dir).with_context(|| format!("create {}", dir.display()))?;
    }
    for file in debs {
        let name = file.file_name().unwrap_or_default();
        fs::copy(file, old.join(name)).with_context(|| format!("copy {}", file.display()))?;
        newer(file, &new.join(name))?;
    }
    let script = root.join("check.sh");
    fs::write(&script, SCRIPT).with_context(|| format!("write {}", script.display()))?;
    build::set_mode(&script, 0o755)
}

/// The same package with a higher version.
fn newer(from: &Path, to: &Path) -> Result<()> {
    let work = tempfile::tempdir().context("create a folder to unpack in")?;
    let tree = work.path().join("tree");
    progress::run(
        format!("unpack {}", from.file_name().unwrap_or_default().display()),
        Command::new("dpkg-deb").arg("--raw-extract").args([from, &tree]),
    )?;
    let control = tree.join("DEBIAN/control");
    let text = fs::read_to_string(&control).with_context(|| format!("read {}", control.display()))?;
    // Also where one package asks for the same version of another.
    let text = text.replace(&format!("{VERSION}-1"), &format!("{VERSION}-2"));
    fs::write(&control, text).with_context(|| format!("write {}", control.display()))?;
    progress::run(
        "pack it with a higher version",
        Command::new("dpkg-deb")
            // Nobody keeps it: compressing would take minutes.
            .args(["--root-owner-group", "-Znone", "--build"])
            .args([&tree, to]),
    )
}

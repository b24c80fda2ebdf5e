//! Debian packages: installed with `apt-get` where a program has to be in its place, or downloaded and unpacked into
//! a private folder where it does not (no root, no change to the system).

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

use crate::progress;

/// Makes sure that `program` (a name looked up in `PATH`, or an absolute path) is there; installs `package` if not.
///
/// Fails with the command to run when this process may not install packages.
pub(crate) fn ensure_program(program: &str, package: &str) -> Result<()> {
    if find_program(program).is_some() {
        return Ok(());
    }
    if !rustix::process::geteuid().is_root() {
        bail!("`{program}` is missing. Install it:\n    sudo apt-get install {package}");
    }
    update_lists()?;
    progress::run(
        format!("install Debian package {package}"),
        Command::new("apt-get")
            .args(["install", "--yes", "--no-install-recommends", package])
            .env("DEBIAN_FRONTEND", "noninteractive"),
    )?;
    if find_program(program).is_none() {
        bail!("{package} is installed but `{program}` is still missing");
    }
    Ok(())
}

/// Makes sure that PostgreSQL's server programs are there, wherever Debian's version of the day puts them.
pub(crate) fn ensure_postgresql() -> Result<()> {
    ensure_program("/usr/lib/postgresql", "postgresql")
}

/// Makes sure that Python can make environments with packages of their own.
pub(crate) fn ensure_python() -> Result<()> {
    let makes_them = || {
        let mut python = Command::new("python3");
        let output = python.args(["-c", "import ensurepip, venv"]).output();
        output.is_ok_and(|output| output.status.success())
    };
    if makes_them() {
        return Ok(());
    }
    ensure_program("/usr/share/doc/python3-venv", "python3-venv")?;
    if !makes_them() {
        bail!("python3-venv is installed, but the `python3` that is found first cannot use it");
    }
    Ok(())
}

/// Where a program is.
pub(crate) fn find_program(program: &str) -> Option<PathBuf> {
    let candidate = Path::new(program);
    if candidate.is_absolute() {
        return candidate.exists().then(|| candidate.to_owned());
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/sbin".into()])
        .map(|dir| dir.join(program))
        .find(|file| file.is_file())
}

/// Refreshes apt's lists, once per run of xtask.
pub(crate) fn update_lists() -> Result<()> {
    use std::sync::OnceLock;
    static DONE: OnceLock<()> = OnceLock::new();
    if DONE.get().is_some() {
        return Ok(());
    }
    progress::run("apt-get update", Command::new("apt-get").arg("update"))?;
    DONE.get_or_init(|| ());
    Ok(())
}

/// Unpacks a `.deb` into a folder.
pub(crate) fn unpack(deb: &Path, into: &Path) -> Result<()> {
    std::fs::create_dir_all(into).with_context(|| format!("create {}", into.display()))?;
    let status = Command::new("dpkg")
        .arg("-x")
        .args([deb, into])
        .status()
        .context("start dpkg")?;
    if !status.success() {
        bail!("dpkg -x {} ended with {status}", deb.display());
    }
    Ok(())
}

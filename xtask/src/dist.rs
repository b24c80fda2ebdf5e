//! `cargo xtask dist`: packages of Debian and of RPM, and what a container image is built from, in
//! `target/packages`.
//!
//! 1. **Build** ([`build`]): the programs, the C library and the eBPF object, without paths of this machine in them.
//! 2. **Stage** ([`stage`]): every file that is installed, as it is installed; manual pages and completions are what the
//!    programs themselves write.
//! 3. **Pack**: [`deb`] with Debian's own debhelper and judged by lintian, [`rpm`] with rpmbuild, the container's context.
//! 4. **Check** ([`check`], with `--check`): installs, uses, upgrades and purges the packages in a fresh Debian, and boots
//!    another one that has them under its systemd ([`boot`]).
//!
//! The time in the packages is that of the last commit (`SOURCE_DATE_EPOCH`, where that is not set), so that the same
//! sources and tools give the same packages.

mod boot;
mod build;
mod check;
mod deb;
mod rpm;
mod stage;
#[cfg(test)]
mod tests;

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};
use sha2::{Digest as _, Sha256};

use crate::{paths, profile::Profile, progress};

/// The version of all that is packed.
const VERSION: &str = env!("CARGO_PKG_VERSION");

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  cargo xtask dist\n  cargo xtask dist --check\n  \
                  cargo xtask dist --profile dev --check    without waiting for optimised programs")]
pub(crate) struct Args {
    /// How optimised the programs are; what is given to others is built with dist.
    #[arg(long, value_enum, default_value_t = Profile::Dist)]
    profile: Profile,
    /// Install, use, upgrade and purge the packages in a fresh Debian, and boot one that has them in QEMU. Takes root; the
    /// first run fetches 150 MB.
    #[arg(long)]
    check: bool,
    /// Where packages are written [default: target/packages]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// What is made.
#[derive(Debug)]
struct Packages {
    deb: Vec<PathBuf>,
    rpm: Vec<PathBuf>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let out = match &args.out {
        Some(out) => std::path::absolute(out).context("find the folder for packages")?,
        None => paths::target().join("packages"),
    };
    let built = build::all(args.profile)?;
    let packages = pack(&built, &out)?;
    if args.check {
        check::run(&packages.deb, &packages.rpm)?;
    }
    for file in packages.deb.iter().chain(&packages.rpm) {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        progress::result(format!("{}  {name}", checksum(file)?));
    }
    progress::say(format!("packages are in {}", out.display()));
    Ok(())
}

/// Stages and packs what is built into an emptied `out`.
fn pack(built: &build::Built, out: &Path) -> Result<Packages> {
    if out.exists() {
        fs::remove_dir_all(out).with_context(|| format!("empty {}", out.display()))?;
    }
    fs::create_dir_all(out).with_context(|| format!("create {}", out.display()))?;
    let date = source_date()?;
    let work = tempfile::tempdir().context("create a folder to pack in")?;
    let stage = work.path().join("stage");
    stage::fill(&stage, built)?;
    let deb = deb::pack(&stage, work.path(), out, date)?;
    let rpm = rpm::pack(&stage, work.path(), out, date)?;
    container(&deb, &out.join("container"))?;
    Ok(Packages { deb, rpm })
}

/// What `docker build` or `podman build` is given.
fn container(deb: &[PathBuf], into: &Path) -> Result<()> {
    fs::create_dir_all(into).with_context(|| format!("create {}", into.display()))?;
    let backend = deb
        .iter()
        .find(|file| {
            file.file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with("telemetrics-backend_"))
        })
        .context("there is no package telemetrics-backend")?;
    for (from, to) in [
        (backend.as_path(), "telemetrics-backend.deb"),
        (
            &paths::workspace().join("deploy/container/Dockerfile"),
            "Dockerfile",
        ),
    ] {
        fs::copy(from, into.join(to)).with_context(|| format!("copy {}", from.display()))?;
    }
    Ok(())
}

/// Seconds since 1970 that everything in the packages bears.
fn source_date() -> Result<u64> {
    if let Some(set) = std::env::var_os("SOURCE_DATE_EPOCH") {
        return set
            .to_str()
            .and_then(|text| text.parse().ok())
            .context("SOURCE_DATE_EPOCH is not a number of seconds");
    }
    let output = Command::new("git")
        .args(["log", "-1", "--format=%ct"])
        .current_dir(paths::workspace())
        .output()
        .context("start git")?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim().parse().context(
        "this is no git checkout: set SOURCE_DATE_EPOCH to the time of the sources, in seconds since 1970",
    )
}

fn checksum(file: &Path) -> Result<String> {
    let bytes = fs::read(file).with_context(|| format!("read {}", file.display()))?;
    let mut text = String::new();
    for byte in Sha256::digest(&bytes) {
        write!(text, "{byte:02x}")?;
    }
    Ok(text)
}

/// Moves the packages with a file name extension from one folder into another; returns them, sorted.
fn take(from: &Path, extension: &str, into: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(from).with_context(|| format!("list {}", from.display()))? {
        let path = entry.with_context(|| format!("list {}", from.display()))?.path();
        if path.extension().is_some_and(|found| found == extension) {
            let to = into.join(path.file_name().unwrap_or_default());
            fs::copy(&path, &to).with_context(|| format!("write {}", to.display()))?;
            files.push(to);
        }
    }
    ensure!(
        !files.is_empty(),
        "no .{extension} was made in {}",
        from.display()
    );
    files.sort();
    Ok(files)
}

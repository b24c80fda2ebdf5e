//! RPM packages, made by rpmbuild from `deploy/rpm/telemetrics.spec`.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};

use super::{VERSION, check, take};
use crate::{packages, paths, progress};

/// Makes the packages in `out`. `work` is a folder that this may write in.
pub(super) fn pack(stage: &Path, work: &Path, out: &Path, date: u64) -> Result<Vec<PathBuf>> {
    packages::ensure_program("rpmbuild", "rpm")?;
    let top = work.join("rpm");
    std::fs::create_dir_all(&top).with_context(|| format!("create {}", top.display()))?;
    let mut command = Command::new("rpmbuild");
    command.arg("-bb").env("SOURCE_DATE_EPOCH", date.to_string());
    for (name, value) in [
        ("_topdir", top.as_path()),
        ("_rpmdir", &top),
        (
            "_rpmfilename",
            Path::new("%%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm"),
        ),
        ("stage", stage),
        ("version", Path::new(VERSION)),
    ] {
        command.arg("--define").arg(format!("{name} {}", value.display()));
    }
    progress::run(
        "make RPM packages",
        command.arg(paths::workspace().join("deploy/rpm/telemetrics.spec")),
    )?;
    take(&top, "rpm", out)
}

/// What is looked at in a system that the packages are installed in.
const SCRIPT: &str = include_str!("rpm.sh");
/// Names of the packages.
const NAMES: [&str; 4] = [
    "telemetrics-agent",
    "telemetrics-backend",
    "libtelemetry",
    "libtelemetry-devel",
];

/// Installs the packages in the system in `root`, has rpm compare every file's owner, rights and checksum with what was packed,
/// looks at what their scripts did, and removes them again. The system is a Debian: what rpm would ask of a distribution's own
/// packages is not looked at.
pub(super) fn try_in(root: &Path, rpms: &[PathBuf]) -> Result<()> {
    let rpm = || {
        let mut command = Command::new("rpm");
        command.arg("--root").arg(root).arg("--nodeps");
        command
    };
    // Its scripts expect what a running system has mounted.
    check::beside(
        root,
        "install the RPM packages",
        rpm().args(["--install", "--excludedocs"]).args(rpms),
    )?;
    progress::run("compare their files", rpm().arg("--verify").args(NAMES))?;
    let script = root.join("rpm.sh");
    std::fs::write(&script, SCRIPT).with_context(|| format!("write {}", script.display()))?;
    check::enter(root, "look at what they installed", &["sh", "/rpm.sh"])?;
    check::beside(root, "remove them", rpm().arg("--erase").args(NAMES))?;
    ensure!(
        !root.join("usr/bin/telemd").exists(),
        "removing the RPM package left telemd behind"
    );
    ensure!(
        root.join("var/lib/telemetrics").is_dir(),
        "removing the RPM package deleted what was recorded"
    );
    Ok(())
}

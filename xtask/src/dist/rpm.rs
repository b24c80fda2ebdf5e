//! RPM packages, made by rpmbuild from `deploy/rpm/telemetrics.spec`.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

use super::{VERSION, take};
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

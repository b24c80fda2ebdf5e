//! Debian packages, made by debhelper from `deploy/debian` and judged by lintian.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

use super::{VERSION, build::install, take};
use crate::{packages, paths, progress};

/// Whose packages they are, as in `deploy/debian/control`.
const MAINTAINER: &str = "Telemetrics developers <telemetrics@users.noreply.github.com>";

/// Units, users and folders by the names that debhelper looks for them under; it knows where this Debian has them.
const PLACES: [(&str, &str); 13] = [
    ("telemd.service", "telemetrics-agent.telemd.service"),
    ("telemd.socket", "telemetrics-agent.telemd.socket"),
    ("telemd-probes.socket", "telemetrics-agent.telemd-probes.socket"),
    (
        "telemd-probes@.service",
        "telemetrics-agent@.telemd-probes.service",
    ),
    (
        "telemetrics-updates.service",
        "telemetrics-agent.telemetrics-updates.service",
    ),
    (
        "telemetrics-updates.timer",
        "telemetrics-agent.telemetrics-updates.timer",
    ),
    (
        "telemetrics-failures.service",
        "telemetrics-agent.telemetrics-failures.service",
    ),
    (
        "telemetrics-failures.timer",
        "telemetrics-agent.telemetrics-failures.timer",
    ),
    ("telemetrics.sysusers", "telemetrics-agent.telemetrics.sysusers"),
    ("telemetrics.tmpfiles", "telemetrics-agent.telemetrics.tmpfiles"),
    ("telemetrics-backend.service", "telemetrics-backend.service"),
    ("telemetrics-backend.sysusers", "telemetrics-backend.sysusers"),
    ("telemetrics-backend.tmpfiles", "telemetrics-backend.tmpfiles"),
];

/// Makes the packages in `out`. `work` is a folder that this may write in.
pub(super) fn pack(stage: &Path, work: &Path, out: &Path, date: u64) -> Result<Vec<PathBuf>> {
    packages::ensure_program("dh", "debhelper")?;
    packages::ensure_program("dpkg-buildpackage", "dpkg-dev")?;
    let source = work.join("telemetrics");
    copy_tree(&paths::workspace().join("deploy/debian"), &source.join("debian"))?;
    copy_tree(stage, &source.join("stage"))?;
    for (from, to) in PLACES {
        let from = stage.join("systemd").join(from);
        install(&from, &source.join("debian").join(to), 0o644)?;
    }
    let changelog = source.join("debian/changelog");
    fs::write(&changelog, changelog_text(date)?).with_context(|| format!("write {}", changelog.display()))?;
    progress::run(
        "make Debian packages",
        Command::new("dpkg-buildpackage")
            .args(["--build=binary", "--no-sign", "--no-check-builddeps"])
            .env("SOURCE_DATE_EPOCH", date.to_string())
            .current_dir(&source),
    )?;
    take(work, "deb", out)
}

/// What Debian's own judge says; an error when it has found errors or warnings.
pub(super) fn judge(debs: &[PathBuf]) -> Result<()> {
    packages::ensure_program("lintian", "lintian")?;
    progress::run(
        "lintian",
        Command::new("lintian")
            .args(["--allow-root", "--fail-on", "error,warning"])
            // No bug of Debian asks for these packages.
            .args(["--suppress-tags", "initial-upload-closes-no-bugs"])
            .args(debs),
    )
}

fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    let parent = to.parent().context("a folder has a parent")?;
    fs::create_dir_all(parent).with_context(|| format!("create {}", parent.display()))?;
    progress::run(
        format!("copy {}", from.file_name().unwrap_or_default().display()),
        Command::new("cp").arg("-a").args([from, to]),
    )
}

/// `deb-changelog(5)`: the packages' version, and when the sources were written.
fn changelog_text(date: u64) -> Result<String> {
    let output = Command::new("date")
        .args(["--utc", "--rfc-email", "--date"])
        .arg(format!("@{date}"))
        .env("LC_ALL", "C")
        .output()
        .context("start date")?;
    let date = String::from_utf8_lossy(&output.stdout);
    Ok(format!(
        "telemetrics ({VERSION}-1) unstable; urgency=medium\n\n  * Version {VERSION}: see changelog.gz.\n\n \
         -- {MAINTAINER}  {}\n",
        date.trim()
    ))
}

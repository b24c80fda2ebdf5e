//! `cargo xtask lint`: formatting and clippy, warnings denied.

use std::{fs, path::PathBuf, process::Command};

use anyhow::{Context as _, Result};

use crate::{paths, progress};

pub(crate) fn run() -> Result<()> {
    progress::run(
        "rustfmt",
        Command::new("cargo")
            .args(["fmt", "--all", "--check"])
            .current_dir(paths::workspace()),
    )?;
    progress::run(
        "rustfmt of the hooks",
        Command::new("rustfmt")
            .args(["--check", "--edition", "2024"])
            .args(hooks()?)
            .current_dir(paths::workspace()),
    )?;
    progress::run(
        "clippy",
        Command::new("cargo")
            .args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])
            .current_dir(paths::workspace()),
    )?;
    progress::run(
        "check of the fuzz targets",
        Command::new("cargo")
            .arg("check")
            .env("CARGO_TARGET_DIR", paths::target().join("fuzz"))
            .current_dir(paths::workspace().join("fuzz")),
    )?;
    progress::run(
        "rustfmt of the fuzz targets",
        Command::new("cargo")
            .args(["fmt", "--check"])
            .current_dir(paths::workspace().join("fuzz")),
    )
}

/// The files of the catalogue of hooks. A macro declares them as modules, where `cargo fmt` does not find them.
fn hooks() -> Result<Vec<PathBuf>> {
    let dir = paths::workspace().join("probe-user/src/catalogue");
    let entries = fs::read_dir(&dir).with_context(|| format!("read {}", dir.display()))?;
    entries
        .map(|entry| Ok(entry.with_context(|| format!("read {}", dir.display()))?.path()))
        .filter(|path| {
            path.as_ref()
                .map_or(true, |path| path.extension().is_some_and(|ext| ext == "rs"))
        })
        .collect()
}

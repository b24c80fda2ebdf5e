//! `cargo xtask lint`: formatting and clippy, warnings denied.

use std::process::Command;

use anyhow::Result;

use crate::{paths, progress};

pub(crate) fn run() -> Result<()> {
    progress::run(
        "rustfmt",
        Command::new("cargo")
            .args(["fmt", "--all", "--check"])
            .current_dir(paths::workspace()),
    )?;
    progress::run(
        "clippy",
        Command::new("cargo")
            .args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])
            .current_dir(paths::workspace()),
    )
}

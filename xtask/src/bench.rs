//! `cargo xtask bench`: how fast the parts are, each beside what limits it on this machine.

use std::{path::PathBuf, process::Command};

use anyhow::{Context as _, Result, bail};

use crate::{paths, progress};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  cargo xtask bench\n  cargo xtask bench --json bench.json")]
pub(crate) struct Args {
    /// Write the figures to this file as JSON instead of printing a table
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let mut command = Command::new("cargo");
    command
        .args(["bench", "--quiet", "-p", "faults", "--bench", "reports", "--"])
        .current_dir(paths::workspace());
    let Some(file) = &args.json else {
        let status = command.status().context("start cargo bench")?;
        if !status.success() {
            bail!("cargo bench ended with {status}");
        }
        return Ok(());
    };
    let output = command
        .arg("--json")
        .stderr(std::process::Stdio::inherit())
        .output()
        .context("start cargo bench")?;
    if !output.status.success() {
        bail!("cargo bench ended with {}", output.status);
    }
    let faults: serde_json::Value =
        serde_json::from_slice(&output.stdout).context("read the figures of cargo bench")?;
    let figures = serde_json::json!({ "faults": faults });
    std::fs::write(file, format!("{figures:#}\n")).with_context(|| format!("write {}", file.display()))?;
    progress::result(file.display().to_string());
    Ok(())
}

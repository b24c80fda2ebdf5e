//! `cargo xtask vm`.

use anyhow::Result;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(_args: &Args) -> Result<()> {
    anyhow::bail!("no kernels in {}", crate::paths::cache()?.display())
}

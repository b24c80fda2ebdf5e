//! `cargo xtask build-ebpf`.

use anyhow::Result;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(_args: &Args) -> Result<()> {
    anyhow::bail!(
        "{} is not built by this version",
        crate::paths::ebpf_object().display()
    )
}

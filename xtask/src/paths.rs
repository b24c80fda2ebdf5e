//! Where things are.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

/// The checkout.
pub(crate) fn workspace() -> PathBuf {
    // xtask is a folder of the workspace root.
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap_or(Path::new("/"))
        .to_owned()
}

/// Cargo's target folder.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), PathBuf::from)
}

/// The eBPF object; always in the checkout, where `probe-user`'s build script looks for it.
pub(crate) fn ebpf_object() -> PathBuf {
    workspace().join("target/bpf/probes.bpf.o")
}

/// The folder for what is downloaded or built once per machine: `$XDG_CACHE_HOME/telemetrics` or
/// `~/.cache/telemetrics`. Created when missing.
pub(crate) fn cache() -> Result<PathBuf> {
    let base = match (std::env::var_os("XDG_CACHE_HOME"), std::env::var_os("HOME")) {
        (Some(xdg), _) if !xdg.is_empty() => PathBuf::from(xdg),
        (_, Some(home)) => PathBuf::from(home).join(".cache"),
        _ => anyhow::bail!(
            "neither XDG_CACHE_HOME nor HOME is set: set one to say where downloads may be kept"
        ),
    };
    let dir = base.join("telemetrics");
    std::fs::create_dir_all(&dir).with_context(|| format!("create {}", dir.display()))?;
    Ok(dir)
}

//! Where things are.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

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

/// Longest path of a folder that still leaves room for the Unix socket of a private PostgreSQL in it (107 bytes in all).
const SCRATCH_PATH_BYTES: usize = 60;

/// An emptied folder for a run of the whole system: in the target folder, or in `/var/tmp` where that is out of reach for
/// PostgreSQL, which does not run as root and has a socket with a short path.
pub(crate) fn scratch(name: &str) -> Result<PathBuf> {
    let preferred = target().join(name);
    let dir = if is_reachable(&target()) && preferred.as_os_str().len() <= SCRATCH_PATH_BYTES {
        preferred
    } else {
        Path::new("/var/tmp/telemetrics").join(name)
    };
    if dir.exists() {
        fs::remove_dir_all(&dir).with_context(|| format!("remove {}", dir.display()))?;
    }
    fs::create_dir_all(&dir).with_context(|| format!("create {}", dir.display()))?;
    Ok(dir)
}

/// Whether users other than root may enter a folder and all folders above it.
fn is_reachable(dir: &Path) -> bool {
    dir.ancestors()
        .all(|dir| fs::metadata(dir).is_ok_and(|data| data.permissions().mode() & 0o001 != 0))
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
    fs::create_dir_all(&dir).with_context(|| format!("create {}", dir.display()))?;
    Ok(dir)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_folder_hides_what_is_below_it() {
        let private = tempfile::tempdir().unwrap();
        let below = private.path().join("below");
        fs::create_dir(&below).unwrap();
        fs::set_permissions(private.path(), fs::Permissions::from_mode(0o700)).unwrap();
        assert!(!is_reachable(&below));
        assert!(is_reachable(Path::new("/")));
    }
}

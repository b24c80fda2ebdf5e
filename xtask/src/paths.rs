//! Where things are.

use std::{
    fs::{self, File, TryLockError},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};

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

/// Runs of one name at the same time; more are of no use on one machine.
const PARALLEL_RUNS: u32 = 4;

/// The folder of a run of the whole system. It stays after the run, with its logs, until another takes its place.
#[derive(Debug)]
pub(crate) struct Scratch {
    path: PathBuf,
    /// Locked as long as the run lasts.
    _lock: File,
}

impl Scratch {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// An emptied folder for a run: in the target folder, or in `/var/tmp` where that is out of reach for PostgreSQL, which
/// does not run as root and has a socket with a short path. While other runs have the name, a number follows it.
pub(crate) fn scratch(name: &str) -> Result<Scratch> {
    let preferred = target();
    let base = if is_reachable(&preferred) && preferred.join(name).as_os_str().len() <= SCRATCH_PATH_BYTES {
        preferred
    } else {
        PathBuf::from("/var/tmp/telemetrics")
    };
    for number in 1..=PARALLEL_RUNS {
        let path = match number {
            1 => base.join(name),
            _ => base.join(format!("{name}-{number}")),
        };
        fs::create_dir_all(&path).with_context(|| format!("create {}", path.display()))?;
        let lock = File::open(&path).with_context(|| format!("open {}", path.display()))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => continue,
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("lock {}", path.display()));
            }
        }
        empty(&path).with_context(|| format!("empty {}", path.display()))?;
        return Ok(Scratch { path, _lock: lock });
    }
    bail!("{PARALLEL_RUNS} runs of {name} are under way: wait until one has ended")
}

/// Removes what is in a folder.
fn empty(dir: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
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

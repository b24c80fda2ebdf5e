//! The programs, the C library and the eBPF object.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

use crate::{build_ebpf, dist_lib, paths, profile::Profile, progress};

/// Programs of the agent, by the names that they are built and installed under.
pub(super) const AGENT: [&str; 6] = [
    "telem-record-gen",
    "telem_journal",
    "telemctl",
    "telemd",
    "telemd-crash",
    "telemd-probes",
];

/// Where everything is.
#[derive(Debug)]
pub(super) struct Built {
    /// The folder of the programs.
    pub(super) programs: PathBuf,
    /// The prefix of the C library.
    pub(super) library: PathBuf,
    /// `None`: the programs were built without one.
    pub(super) ebpf: Option<PathBuf>,
}

/// Builds what is missing or old.
pub(super) fn all(profile: Profile) -> Result<Built> {
    build_ebpf::ensure()?;
    let mut command = profile.cargo("build");
    progress::run(
        format!("build the agent and the collector ({profile:?})"),
        command.args(["-p", "telemd", "-p", "backend", "--bins"]),
    )?;
    let programs = profile.folder();
    let library = programs.join("libtelemetry");
    dist_lib::install(&library, profile)?;
    Ok(Built {
        programs,
        library,
        ebpf: Some(paths::ebpf_object()),
    })
}

/// Copies a file and gives it the rights of an installed one.
pub(super) fn install(from: &Path, to: &Path, mode: u32) -> Result<()> {
    let folder = to.parent().context("a file has a folder")?;
    fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
    fs::copy(from, to).with_context(|| format!("copy {} to {}", from.display(), to.display()))?;
    set_mode(to, mode)
}

/// Gives a file its rights.
pub(super) fn set_mode(file: &Path, mode: u32) -> Result<()> {
    fs::set_permissions(file, fs::Permissions::from_mode(mode))
        .with_context(|| format!("chmod {}", file.display()))
}

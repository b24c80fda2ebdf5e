//! Running cargo for the BPF target.

use std::{
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

use super::{
    Flavour,
    toolchain::{TARGET, Toolchain, with_libraries},
};
use crate::progress;

/// Flags for rustc: debug information becomes BTF.
const FLAGS: [&str; 2] = ["-Cdebuginfo=2", "-Clink-arg=--btf"];

/// Builds the programs of the checkout `workspace` in `folder` and returns where cargo put them.
pub(super) fn compile(
    flavour: Flavour,
    toolchain: &Toolchain,
    linker: &Path,
    workspace: &Path,
    folder: &Path,
) -> Result<PathBuf> {
    let mut command = Command::new(&toolchain.cargo);
    command
        .args([
            "build",
            "--release",
            "--package",
            "probe-ebpf",
            "--target",
            TARGET,
        ])
        .current_dir(workspace)
        .env("CARGO_TARGET_DIR", folder)
        .env("CARGO_TARGET_BPFEL_UNKNOWN_NONE_LINKER", linker)
        .env("CARGO_ENCODED_RUSTFLAGS", encode(&flags(toolchain, workspace)?))
        .env("RUSTC", &toolchain.rustc)
        .env_remove("RUSTC_WRAPPER")
        .env_remove("RUSTC_WORKSPACE_WRAPPER")
        .env_remove("RUSTUP_TOOLCHAIN");
    if flavour == Flavour::Log {
        command.args(["--features", "log"]);
    }
    if toolchain.build_std {
        command.args(["-Z", "build-std=core"]);
    } else {
        // Both need one unstable feature of the compiler, assembly for BPF; only they are let through.
        command.env("RUSTC_BOOTSTRAP", "aya_ebpf,probe_ebpf");
    }
    progress::run(
        format!("build the eBPF programs with {}", toolchain.description),
        with_libraries(&mut command, toolchain.libraries.as_deref()),
    )?;
    Ok(folder.join(TARGET).join("release/probe-ebpf"))
}

fn flags(toolchain: &Toolchain, workspace: &Path) -> Result<Vec<OsString>> {
    let mut flags: Vec<OsString> = FLAGS.map(OsString::from).into();
    flags.push(format!("--cfg=bpf_target_arch=\"{}\"", std::env::consts::ARCH).into());
    for (folder, name) in [
        (workspace, "/telemetrics"),
        (&cargo_home()?, "/cargo"),
        (&toolchain.sysroot, "/rust"),
    ] {
        let real = folder
            .canonicalize()
            .with_context(|| format!("find {}", folder.display()))?;
        flags.push(remap(folder, name));
        if real != folder {
            // Cargo names a folder behind a symbolic link in both ways.
            flags.push(remap(&real, name));
        }
    }
    Ok(flags)
}

fn remap(folder: &Path, name: &str) -> OsString {
    let mut flag = OsString::from("--remap-path-prefix=");
    flag.push(folder);
    flag.push("=");
    flag.push(name);
    flag
}

/// Where cargo keeps the sources of dependencies.
fn cargo_home() -> Result<PathBuf> {
    if let Some(home) = std::env::var_os("CARGO_HOME") {
        return Ok(home.into());
    }
    let home = std::env::var_os("HOME").context("neither CARGO_HOME nor HOME is set")?;
    Ok(PathBuf::from(home).join(".cargo"))
}

/// The form in which flags may contain spaces.
fn encode(flags: &[OsString]) -> OsString {
    flags.join(OsStr::new("\x1f"))
}

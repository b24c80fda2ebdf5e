//! How optimised what cargo builds is.

use std::{ffi::OsString, path::PathBuf, process::Command};

use crate::paths;

/// A profile of the workspace's `Cargo.toml`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Profile {
    /// Not at all: fast to build.
    Dev,
    /// For tests and measurements.
    Release,
    /// What is installed: small, and slow to build.
    Dist,
}

impl Profile {
    fn name(self) -> &'static str {
        match self {
            Self::Dev => "dev",
            Self::Release => "release",
            Self::Dist => "dist",
        }
    }

    /// Where cargo puts what it builds.
    pub(crate) fn folder(self) -> PathBuf {
        paths::target().join(match self {
            Self::Dev => "debug",
            Self::Release => "release",
            Self::Dist => "dist",
        })
    }

    /// `cargo SUBCOMMAND --profile NAME` at the root of the workspace. What is to be installed has no path of this machine
    /// in it, so that the same sources and compiler give the same bytes anywhere.
    pub(crate) fn cargo(self, subcommand: &str) -> Command {
        let mut command = Command::new("cargo");
        command
            .args([subcommand, "--profile", self.name()])
            .current_dir(paths::workspace());
        if self == Self::Dist {
            command.env("RUSTFLAGS", without_paths());
        }
        command
    }
}

/// The caller's flags for rustc and those that give the checkout and cargo's home the same name everywhere.
fn without_paths() -> OsString {
    let mut flags = std::env::var_os("RUSTFLAGS").unwrap_or_default();
    let cargo_home = std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")));
    for (path, name) in [(Some(paths::workspace()), "/telemetrics"), (cargo_home, "/cargo")] {
        if let Some(path) = path {
            flags.push(" --remap-path-prefix=");
            flags.push(path);
            flags.push("=");
            flags.push(name);
        }
    }
    flags
}

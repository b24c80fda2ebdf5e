//! Debian's kernels: fetched once into the cache, checked by apt against the archive's signed lists.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

use super::apt::Suite;
use crate::{packages, paths};

/// A kernel series by its suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Series {
    /// Debian 11, bullseye
    #[value(name = "5.10")]
    V5_10,
    /// Debian 12, bookworm
    #[value(name = "6.1")]
    V6_1,
    /// Debian 13, trixie
    #[value(name = "6.12")]
    V6_12,
    /// Debian unstable: the newest kernel, it moves
    #[value(name = "sid")]
    Sid,
}

impl Series {
    /// The name on the command line.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::V5_10 => "5.10",
            Self::V6_1 => "6.1",
            Self::V6_12 => "6.12",
            Self::Sid => "sid",
        }
    }

    const fn suite(self) -> &'static str {
        match self {
            Self::V5_10 => "bullseye",
            Self::V6_1 => "bookworm",
            Self::V6_12 => "trixie",
            Self::Sid => "sid",
        }
    }

    /// `VERSION_ID` of the guest's os-release.
    pub(super) const fn debian(self) -> &'static str {
        match self {
            Self::V5_10 => "11",
            Self::V6_1 => "12",
            Self::V6_12 => "13",
            Self::Sid => "sid",
        }
    }
}

impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A kernel in the cache, with the busybox of the same suite.
#[derive(Debug)]
pub(crate) struct Kernel {
    /// Its series.
    pub(crate) series: Series,
    /// `uname -r`.
    pub(crate) release: String,
    /// Name and version of the Debian package.
    pub(crate) package: String,
    /// What the packages unpacked to.
    root: PathBuf,
}

impl Kernel {
    /// The kernel of a series: the cached one, or the newest of the archive when there is none or when asked to
    /// `refresh`.
    pub(crate) fn get(series: Series, refresh: bool) -> Result<Self> {
        let dir = paths::cache()?.join("kernels").join(series.name());
        if refresh || !dir.exists() {
            fetch(series, &dir)?;
        }
        Self::open(series, &dir)
    }

    fn open(series: Series, dir: &Path) -> Result<Self> {
        let note = dir.join("package");
        let package = fs::read_to_string(&note)
            .with_context(|| format!("read {}; remove its folder to fetch it again", note.display()))?;
        let root = dir.join("root");
        let modules = merged(&root, "lib/modules");
        let release = fs::read_dir(&modules)
            .with_context(|| format!("list {}", modules.display()))?
            .filter_map(Result::ok)
            .find_map(|entry| entry.file_name().into_string().ok())
            .with_context(|| format!("no kernel in {}", modules.display()))?;
        Ok(Self {
            series,
            release,
            package: package.trim().to_owned(),
            root,
        })
    }

    /// The compressed kernel; it moved to its modules in 2026.
    pub(crate) fn image(&self) -> PathBuf {
        let new = self.modules().join("vmlinuz");
        if new.exists() {
            return new;
        }
        self.root.join("boot").join(format!("vmlinuz-{}", self.release))
    }

    /// The folder of its modules.
    pub(crate) fn modules(&self) -> PathBuf {
        merged(&self.root, "lib/modules").join(&self.release)
    }

    /// A statically linked busybox.
    pub(crate) fn busybox(&self) -> PathBuf {
        merged(&self.root, "bin/busybox")
    }
}

/// Where a path is: since trixie under `/usr`.
fn merged(root: &Path, path: &str) -> PathBuf {
    let new = root.join("usr").join(path);
    if new.exists() { new } else { root.join(path) }
}

/// What the kernel image is split into where it is.
const PARTS: [&str; 3] = ["linux-base-", "linux-binary-", "linux-modules-"];

/// Fetches into a folder beside `dir` and moves it there when it is complete.
fn fetch(series: Series, dir: &Path) -> Result<()> {
    let parent = dir.parent().context("the cache has a parent")?;
    fs::create_dir_all(parent).with_context(|| format!("create {}", parent.display()))?;
    let suite = Suite::open(series.suite(), series != Series::Sid)?;
    let image = suite
        .dependencies("linux-image-amd64", "linux-image-")?
        .into_iter()
        .next()
        .context("linux-image-amd64 names no kernel")?;
    // Since 2026 the image package is empty and depends on its parts.
    let mut names = suite.dependencies(&image, "linux-")?;
    names.retain(|package| PARTS.iter().any(|part| package.starts_with(part)));
    names.extend(["busybox-static".to_owned(), image]);

    let work = tempfile::Builder::new()
        .prefix(".fetch-")
        .tempdir_in(parent)
        .context("create a folder for the download")?;
    let complete = work.path().join("complete");
    let root = complete.join("root");
    let mut newest = String::new();
    for name in names {
        let file = suite.download(&name, work.path())?;
        packages::unpack(&file, &root)?;
        newest = file
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
    }
    // The last one was the image.
    fs::write(complete.join("package"), newest).context("note the package's version")?;
    Kernel::open(series, &complete)?;

    if dir.exists() {
        fs::rename(dir, work.path().join("old")).with_context(|| format!("move {} aside", dir.display()))?;
    }
    fs::rename(&complete, dir).with_context(|| format!("move the kernel to {}", dir.display()))
}

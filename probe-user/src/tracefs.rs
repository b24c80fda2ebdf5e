//! Finding tracefs, and mounting it where nobody has.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use rustix::mount::{MountFlags, mount};

use crate::format::{Format, FormatError};

/// Where tracefs is mounted by itself, and where debugfs shows it (`Documentation/trace/ftrace.rst`).
const ROOTS: [&str; 2] = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"];

/// A mounted tracefs.
#[derive(Debug, Clone)]
pub(crate) struct Tracefs {
    root: PathBuf,
}

/// Why tracepoints cannot be looked up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TracefsError {
    #[error("tracefs is not mounted and mounting it failed ({0}): mount -t tracefs tracefs /sys/kernel/tracing")]
    NotMounted(io::Error),
    #[error("this kernel has no tracepoint {category}:{name}")]
    NoTracepoint { category: String, name: String },
    #[error("read {}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{}: {source}", path.display())]
    Format { path: PathBuf, source: FormatError },
}

impl Tracefs {
    /// Finds tracefs; mounts it at its usual place when it is not there, which needs `CAP_SYS_ADMIN`.
    pub(crate) fn find_or_mount() -> Result<Self, TracefsError> {
        if let Some(found) = Self::find() {
            return Ok(found);
        }
        let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
        mount("tracefs", ROOTS[0], "tracefs", flags, None)
            .map_err(|errno| TracefsError::NotMounted(errno.into()))?;
        tracing::info!(path = ROOTS[0], "tracefs was not mounted; mounted it");
        Self::find().ok_or_else(|| TracefsError::NotMounted(io::ErrorKind::NotFound.into()))
    }

    fn find() -> Option<Self> {
        ROOTS
            .into_iter()
            .map(Path::new)
            .find(|root| root.join("events").is_dir())
            .map(|root| Self { root: root.to_owned() })
    }

    /// The layout of a tracepoint's record.
    pub(crate) fn format(&self, category: &str, name: &str) -> Result<Format, TracefsError> {
        let path = self.root.join("events").join(category).join(name).join("format");
        let text = fs::read_to_string(&path).map_err(|source| {
            if source.kind() == io::ErrorKind::NotFound {
                TracefsError::NoTracepoint { category: category.to_owned(), name: name.to_owned() }
            } else {
                TracefsError::Read { path: path.clone(), source }
            }
        })?;
        Format::parse(&text).map_err(|source| TracefsError::Format { path, source })
    }
}

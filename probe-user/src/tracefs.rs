//! Finding tracefs and reading what it says about tracepoints.

use std::{
    fs, io, panic,
    path::{Path, PathBuf},
    thread,
};

use rustix::{
    mount::{MountFlags, MountPropagationFlags, mount, mount_change},
    thread::{UnshareFlags, unshare_unsafe},
};

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
    #[error(
        "tracefs is not mounted: run `mount -t tracefs tracefs /sys/kernel/tracing` (trying it privately: {0})"
    )]
    NotMounted(io::Error),
    #[error("this kernel has no such tracepoint")]
    NoTracepoint,
    #[error("read {}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{}: {source}", path.display())]
    Format { path: PathBuf, source: FormatError },
}

/// Does something that needs tracefs at its usual place.
///
/// Where nobody has mounted it, that is done in a thread that mounts it for itself alone: the mounts of the host and of
/// the other threads stay as they are, and this one vanishes with the thread. Needs `CAP_SYS_ADMIN`.
pub(crate) fn with_tracefs<T: Send>(work: impl FnOnce(Result<Tracefs, TracefsError>) -> T + Send) -> T {
    if let Some(tracefs) = Tracefs::find() {
        return work(Ok(tracefs));
    }
    thread::scope(|scope| {
        let working =
            scope.spawn(|| work(Tracefs::mount_for_this_thread().map_err(TracefsError::NotMounted)));
        working.join().unwrap_or_else(|panic| panic::resume_unwind(panic))
    })
}

/// Mounts tracefs for this process where nobody has; false when that was not needed. The mounts of the host stay as they
/// are. Must be called before the process has threads; needs `CAP_SYS_ADMIN`, and nothing later does.
pub fn mount_tracefs() -> io::Result<bool> {
    match Tracefs::find() {
        Some(_mounted) => Ok(false),
        None => Tracefs::mount_for_this_thread().map(|_tracefs| true),
    }
}

impl Tracefs {
    /// Finds a tracefs that is mounted.
    fn find() -> Option<Self> {
        ROOTS
            .into_iter()
            .map(Path::new)
            .find(|root| root.join("events").is_dir())
            .map(|root| Self {
                root: root.to_owned(),
            })
    }

    #[expect(
        unsafe_code,
        reason = "unsharing a namespace is a system call of the whole thread"
    )]
    fn mount_for_this_thread() -> io::Result<Self> {
        // SAFETY: the flag moves this thread to a copy of the mount namespace; the file descriptor table stays shared.
        unsafe { unshare_unsafe(UnshareFlags::NEWNS) }?;
        mount_change(
            "/",
            MountPropagationFlags::REC | MountPropagationFlags::DOWNSTREAM,
        )?;
        let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
        mount("tracefs", ROOTS[0], "tracefs", flags, None)?;
        Self::find().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// The tracepoints of this kernel, a `category:name` on each line.
    pub(crate) fn tracepoints(&self) -> io::Result<String> {
        fs::read_to_string(self.root.join("available_events"))
    }

    /// The layout of a tracepoint's record.
    pub(crate) fn format(&self, category: &str, name: &str) -> Result<Format, TracefsError> {
        let (path, text) = self.read(category, name, "format")?;
        Format::parse(&text).map_err(|source| TracefsError::Format { path, source })
    }

    /// The number by which `perf_event_open` knows a tracepoint.
    pub(crate) fn id(&self, category: &str, name: &str) -> Result<u64, TracefsError> {
        let (path, text) = self.read(category, name, "id")?;
        text.trim().parse().map_err(|source| TracefsError::Read {
            path,
            source: io::Error::new(io::ErrorKind::InvalidData, source),
        })
    }

    fn read(&self, category: &str, name: &str, file: &str) -> Result<(PathBuf, String), TracefsError> {
        let path = self.root.join("events").join(category).join(name).join(file);
        match fs::read_to_string(&path) {
            Ok(text) => Ok((path, text)),
            Err(source) if source.kind() == io::ErrorKind::NotFound => Err(TracefsError::NoTracepoint),
            Err(source) => Err(TracefsError::Read { path, source }),
        }
    }
}

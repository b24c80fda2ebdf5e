//! What the process sees of the host's files: all of them, to read only.
//!
//! Landlock would do that too, but a process under Landlock is not told which programs others run
//! (`security/landlock/ptrace.c`: `/proc/PID/exe` needs the right to trace), whatever capability it holds.

use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::StatVfsMountFlags;
use rustix::mount::{MountPropagationFlags, mount_bind, mount_change};
use rustix::thread::UnshareFlags;

/// Why files can be written as before.
#[derive(Debug, thiserror::Error)]
pub enum ViewError {
    /// The process sees the host's own mounts.
    #[error("make mounts of its own (it takes CAP_SYS_ADMIN)")]
    Own(#[source] io::Error),
    /// A mount stays as it is.
    #[error("change how {} is mounted (it takes Linux 5.12)", path.display())]
    Change {
        /// Where it is mounted.
        path: PathBuf,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
}

/// From now on this process, and those that it starts, see every file system read-only, except the folder `writable` and
/// what is in it, if it exists. What is mounted on the host later is seen as it is mounted there.
///
/// Must be called before there are threads. Needs `CAP_SYS_ADMIN`, and is final once that is given up.
pub fn read_only(writable: &Path) -> Result<(), ViewError> {
    let root = Path::new("/");
    match own_mounts() {
        Ok(()) => {}
        // Whoever started it, such as the service manager, may have done it.
        Err(_refused) if is_read_only(root) => return Ok(()),
        Err(source) => return Err(ViewError::Own(source)),
    }
    let change = |path: &Path, read_only| {
        change(path, read_only).map_err(|source| ViewError::Change {
            path: path.to_owned(),
            source,
        })
    };
    change(root, ReadOnly::WithAllBelow)?;
    if !writable.is_dir() {
        return Ok(());
    }
    // Only what is a mount of its own can differ from what it lies in.
    if let Err(errno) = mount_bind(writable, writable) {
        return Err(ViewError::Change {
            path: writable.to_owned(),
            source: errno.into(),
        });
    }
    change(writable, ReadOnly::Not)
}

fn is_read_only(path: &Path) -> bool {
    rustix::fs::statvfs(path).is_ok_and(|system| system.f_flag.contains(StatVfsMountFlags::RDONLY))
}

fn own_mounts() -> io::Result<()> {
    #[expect(
        unsafe_code,
        reason = "unsharing is one system call with many meanings, some of them unsafe"
    )]
    // SAFETY: this flag copies the list of mounts; descriptors and memory stay shared.
    unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWNS) }?;
    mount_change(
        "/",
        MountPropagationFlags::REC | MountPropagationFlags::DOWNSTREAM,
    )?;
    Ok(())
}

#[derive(Clone, Copy)]
enum ReadOnly {
    WithAllBelow,
    Not,
}

/// `mount_setattr(2)`, which neither the standard library nor rustix has.
fn change(path: &Path, read_only: ReadOnly) -> io::Result<()> {
    let path = std::ffi::CString::new(path.as_os_str().as_encoded_bytes())?;
    let (attr_set, attr_clr, flags) = match read_only {
        ReadOnly::WithAllBelow => (libc::MOUNT_ATTR_RDONLY, 0, libc::AT_RECURSIVE),
        ReadOnly::Not => (0, libc::MOUNT_ATTR_RDONLY, 0),
    };
    let attributes = libc::mount_attr {
        attr_set,
        attr_clr,
        propagation: 0,
        userns_fd: 0,
    };
    #[expect(unsafe_code, reason = "a system call without a wrapper")]
    // SAFETY: both pointers are valid during the call, which reads as many bytes as it is told the second has.
    let answer = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            libc::AT_FDCWD,
            path.as_ptr(),
            flags,
            &raw const attributes,
            size_of::<libc::mount_attr>(),
        )
    };
    if answer == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::thread;

    use super::*;

    #[test]
    fn files_are_there_to_read_and_only_one_folder_to_write() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        fs::create_dir(path("writable")).unwrap();
        fs::write(path("writable/file"), "x").unwrap();
        fs::write(path("file"), "x").unwrap();
        // Mounts are a thread's, so a test can undo what it did by ending.
        let restricted = thread::scope(|scope| {
            let work = || {
                read_only(&path("writable"))?;
                assert_eq!(fs::read(path("file")).unwrap(), b"x");
                let refused = fs::write(path("file"), "y").unwrap_err();
                assert_eq!(refused.kind(), io::ErrorKind::ReadOnlyFilesystem);
                fs::remove_file(path("writable/file")).unwrap();
                Ok::<(), ViewError>(())
            };
            scope.spawn(work).join().unwrap()
        });
        if let Err(error) = restricted {
            let reason = format!("{error}: {:?}", std::error::Error::source(&error));
            return testing::skip("files_are_there_to_read_and_only_one_folder_to_write", &reason);
        }
        assert!(!path("writable/file").exists());
        fs::write(path("file"), "this thread is not restricted").unwrap();
    }
}

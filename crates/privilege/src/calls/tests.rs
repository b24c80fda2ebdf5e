#![expect(unsafe_code, reason = "memory is mapped to see what the kernel refuses")]

use super::*;
use std::io;
use std::net::TcpListener;
use std::process::Command;
use std::thread;

/// A thread is restricted and the others are not, so a test can undo what it did by ending.
fn restricted<T: Send>(role: Role, work: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| {
        let thread = scope.spawn(|| {
            crate::credentials::no_new_privileges().unwrap();
            restrict(role).unwrap();
            work()
        });
        thread.join().unwrap()
    })
}

#[test]
fn the_networked_role_has_files_threads_and_sockets_and_runs_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    restricted(Role::Networked, || {
        std::fs::write(&path, "x").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"x");
        std::fs::rename(&path, dir.path().join("other")).unwrap();
        assert_eq!(thread::spawn(|| 7).join().unwrap(), 7);
        drop(TcpListener::bind("127.0.0.1:0").unwrap());
        let error = Command::new("true").status().unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EPERM), "{error}");
    });
}

#[test]
fn the_privileged_role_cannot_make_a_socket() {
    restricted(Role::Privileged, || {
        let error = TcpListener::bind("127.0.0.1:0").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
        std::os::unix::net::UnixStream::pair().unwrap_err();
        assert!(Command::new("true").status().unwrap().success());
        assert_eq!(thread::spawn(|| 7).join().unwrap(), 7);
    });
}

#[test]
fn memory_is_never_writable_and_runnable() {
    use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, mprotect, munmap};
    const BYTES: usize = 4096;
    restricted(Role::Networked, || {
        let map = |protection| {
            // SAFETY: new memory at an address of the kernel's choice.
            unsafe { mmap_anonymous(std::ptr::null_mut(), BYTES, protection, MapFlags::PRIVATE) }
        };
        map(ProtFlags::WRITE | ProtFlags::EXEC).unwrap_err();
        let memory = map(ProtFlags::READ | ProtFlags::WRITE).unwrap();
        // SAFETY: nothing else knows this memory.
        unsafe { mprotect(memory, BYTES, rustix::mm::MprotectFlags::EXEC) }.unwrap_err();
        // SAFETY: as above, and it is not used again.
        unsafe { munmap(memory, BYTES) }.unwrap();
    });
}

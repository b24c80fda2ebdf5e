//! A process that goes on as two.

use std::io;

use rustix::process::Pid;

/// Splits the process: answers the new process's id in the old one, `None` in the new one, which has copies of all
/// descriptors and memory.
///
/// Only a process with one thread can be split: what another thread holds, such as a lock of the allocator, would be held
/// in the new process for ever.
pub fn fork() -> io::Result<Option<Pid>> {
    let threads = std::fs::read_dir("/proc/self/task")?.count();
    if threads != 1 {
        return Err(io::Error::other(format!(
            "a process with {threads} threads cannot be split"
        )));
    }
    #[expect(
        unsafe_code,
        reason = "the new process may do what is safe in one with a single thread only"
    )]
    // SAFETY: this process has a single thread, so the new one is in no way different.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        pid => Ok(Pid::from_raw(pid)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_with_threads_is_not_split() {
        let error = std::thread::scope(|scope| scope.spawn(fork).join().unwrap()).unwrap_err();
        assert!(error.to_string().contains("threads cannot be split"), "{error}");
    }
}

//! Names of signals and titles of program crashes.

/// Linux' numbers on x86, arm64 and riscv64 (`include/uapi/asm-generic/signal.h`).
const NAMES: [&str; 31] = [
    "SIGHUP",
    "SIGINT",
    "SIGQUIT",
    "SIGILL",
    "SIGTRAP",
    "SIGABRT",
    "SIGBUS",
    "SIGFPE",
    "SIGKILL",
    "SIGUSR1",
    "SIGSEGV",
    "SIGUSR2",
    "SIGPIPE",
    "SIGALRM",
    "SIGTERM",
    "SIGSTKFLT",
    "SIGCHLD",
    "SIGCONT",
    "SIGSTOP",
    "SIGTSTP",
    "SIGTTIN",
    "SIGTTOU",
    "SIGURG",
    "SIGXCPU",
    "SIGXFSZ",
    "SIGVTALRM",
    "SIGPROF",
    "SIGWINCH",
    "SIGIO",
    "SIGPWR",
    "SIGSYS",
];

/// The name of a signal; `None` for 0, the real-time signals and beyond.
pub fn name(signal: u32) -> Option<&'static str> {
    let index = usize::try_from(signal).ok()?.checked_sub(1)?;
    NAMES.get(index).copied()
}

/// The title of a program's crash: `SIGSEGV in NAME`.
///
/// ```
/// assert_eq!(faults::signal::crash_title(11, "example"), "SIGSEGV in example");
/// assert_eq!(faults::signal::crash_title(40, ""), "signal 40 in an unnamed program");
/// ```
pub fn crash_title(signal: u32, comm: &str) -> String {
    let program = if comm.is_empty() {
        "an unnamed program"
    } else {
        comm
    };
    match name(signal) {
        Some(name) => format!("{name} in {program}"),
        None => format!("signal {signal} in {program}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_the_kernels_numbers() {
        assert_eq!(name(4), Some("SIGILL"));
        assert_eq!(name(7), Some("SIGBUS"));
        assert_eq!(name(11), Some("SIGSEGV"));
        assert_eq!(name(31), Some("SIGSYS"));
        assert_eq!((name(0), name(32), name(u32::MAX)), (None, None, None));
    }
}

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

/// Names of the reasons that the kernel gives (`si_code`), from 1 (`include/uapi/asm-generic/siginfo.h`).
const CODES: [(u32, &[&str]); 6] = [
    (
        4,
        &[
            "ILL_ILLOPC",
            "ILL_ILLOPN",
            "ILL_ILLADR",
            "ILL_ILLTRP",
            "ILL_PRVOPC",
            "ILL_PRVREG",
            "ILL_COPROC",
            "ILL_BADSTK",
            "ILL_BADIADDR",
        ],
    ),
    (
        5,
        &[
            "TRAP_BRKPT",
            "TRAP_TRACE",
            "TRAP_BRANCH",
            "TRAP_HWBKPT",
            "TRAP_UNK",
            "TRAP_PERF",
        ],
    ),
    (
        SIGBUS,
        &[
            "BUS_ADRALN",
            "BUS_ADRERR",
            "BUS_OBJERR",
            "BUS_MCEERR_AR",
            "BUS_MCEERR_AO",
        ],
    ),
    (
        8,
        &[
            "FPE_INTDIV",
            "FPE_INTOVF",
            "FPE_FLTDIV",
            "FPE_FLTOVF",
            "FPE_FLTUND",
            "FPE_FLTRES",
            "FPE_FLTINV",
            "FPE_FLTSUB",
        ],
    ),
    (
        11,
        &[
            "SEGV_MAPERR",
            "SEGV_ACCERR",
            "SEGV_BNDERR",
            "SEGV_PKUERR",
            "SEGV_ACCADI",
            "SEGV_ADIDERR",
            "SEGV_ADIPERR",
            "SEGV_MTEAERR",
            "SEGV_MTESERR",
            "SEGV_CPERR",
        ],
    ),
    (31, &["SYS_SECCOMP", "SYS_USER_DISPATCH"]),
];

const SIGBUS: u32 = 7;

/// The name of a signal's reason (`si_code`); `None` when it has none.
///
/// ```
/// use faults::signal::code_name;
///
/// assert_eq!(code_name(11, 1), Some("SEGV_MAPERR"));
/// assert_eq!(code_name(6, -6), Some("SI_TKILL"));
/// assert_eq!(code_name(11, 99), None);
/// ```
pub fn code_name(signal: u32, code: i32) -> Option<&'static str> {
    let sent = [
        "SI_USER",
        "SI_QUEUE",
        "SI_TIMER",
        "SI_MESGQ",
        "SI_ASYNCIO",
        "SI_SIGIO",
        "SI_TKILL",
    ];
    let from = |names: &[&'static str], first: i32| {
        let index = usize::try_from(code.abs_diff(first)).ok()?;
        names.get(index).copied()
    };
    match code {
        ..=0 => from(&sent, 0),
        0x80 => Some("SI_KERNEL"),
        _ => {
            let (_, names) = CODES.iter().find(|(of, _)| *of == signal)?;
            from(names, 1)
        }
    }
}

/// Where a signal came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// What the program did: an exception, or a signal to itself (`abort`).
    Fault,
    /// Another program, or a timer: where this one was does not matter.
    Sent,
    /// Memory that the hardware lost (`BUS_MCEERR_AR`, `BUS_MCEERR_AO`).
    Memory,
}

impl Origin {
    /// What `si_code` says. `raise` and `abort` send with `tgkill`, others with `kill` or `sigqueue`.
    pub(crate) fn of(signal: u32, code: Option<i32>) -> Self {
        match code {
            Some(4 | 5) if signal == SIGBUS => Self::Memory,
            Some(-5..=0) => Self::Sent,
            _ => Self::Fault,
        }
    }
}

/// The title of a program's crash: `SIGSEGV in NAME`.
///
/// ```
/// assert_eq!(faults::signal::crash_title(11, "example"), "SIGSEGV in example");
/// assert_eq!(faults::signal::crash_title(40, ""), "signal 40 in an unnamed program");
/// ```
pub fn crash_title(signal: u32, comm: &str) -> String {
    titled(&named(signal), "in", comm)
}

/// `SIGSEGV`, `signal 40`.
pub(crate) fn named(signal: u32) -> String {
    name(signal).map_or_else(|| format!("signal {signal}"), str::to_owned)
}

/// `WHAT in NAME`.
pub(crate) fn titled(what: &str, preposition: &str, program: &str) -> String {
    let program = if program.is_empty() {
        "an unnamed program"
    } else {
        program
    };
    format!("{what} {preposition} {program}")
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

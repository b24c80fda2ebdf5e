//! Why a hook could not be attached, in words that a person can act on.

use std::{
    error::Error,
    io::{self, ErrorKind},
    path::Path,
};

use aya::programs::{ProgramError, TracePointError};
use rustix::thread::CapabilitySet;

use crate::catalogue::Target;

/// The longest part of a verifier's log that is kept, characters.
const MAX_VERIFIER_LOG: usize = 300;

/// How lines start that follow the refusal in a verifier's log (`print_verification_stats`).
const STATISTICS: [&str; 3] = ["processed ", "verification time", "stack depth"];

/// Where the kernel offers kprobes to `perf_event_open` (since 4.17).
const KPROBE_PMU: &str = "/sys/bus/event_source/devices/kprobe";

/// Why this process cannot load any program.
pub(crate) fn missing_capabilities() -> Option<&'static str> {
    // A kernel that does not tell is asked by trying.
    let held = rustix::thread::capabilities(None).ok()?.effective;
    let enough =
        held.contains(CapabilitySet::SYS_ADMIN) || held.contains(CapabilitySet::BPF | CapabilitySet::PERFMON);
    (!enough).then_some("run it as root, or give it CAP_BPF and CAP_PERFMON")
}

/// Why this kernel has no kprobes.
pub(crate) fn no_kprobes() -> Option<String> {
    (!Path::new(KPROBE_PMU).exists())
        .then(|| "this kernel is built without kprobes (CONFIG_KPROBES)".to_owned())
}

/// Why a program could not be loaded or attached.
pub(crate) fn explain(target: Target, error: &ProgramError) -> String {
    match error {
        ProgramError::LoadError { .. } => explain_load(error),
        ProgramError::Btf(error) => match target {
            Target::Fentry(_) | Target::TpBtf(_)
                if matches!(error, aya::BtfError::UnknownBtfTypeName { .. }) =>
            {
                absent(target)
            }
            _ => chain(error),
        },
        ProgramError::SyscallError(error) if error.io_error.kind() == ErrorKind::NotFound => absent(target),
        ProgramError::TracePointError(TracePointError::FileError { io_error, .. })
            if io_error.kind() == ErrorKind::NotFound =>
        {
            absent(target)
        }
        error => chain(error),
    }
}

/// Why a program could not be loaded.
pub(crate) fn explain_load(error: &ProgramError) -> String {
    match error {
        ProgramError::LoadError {
            io_error,
            verifier_log,
        } => match last_lines(&verifier_log.to_string()) {
            // The verifier says why it refuses; other parts of the kernel do not.
            log if !log.is_empty() => {
                format!("the verifier refuses the program ({}): {log}", errno(io_error))
            }
            _ if io_error.kind() == ErrorKind::PermissionDenied => format!(
                "the kernel refuses programs of this type ({}): lockdown, seccomp or a restricted kernel",
                errno(io_error)
            ),
            _ => format!("the kernel refuses to load the program ({})", errno(io_error)),
        },
        error => chain(error),
    }
}

fn absent(target: Target) -> String {
    match target {
        Target::Fentry(_) | Target::Kprobe(_) => {
            "this kernel has no such function that can be traced".to_owned()
        }
        Target::TpBtf(_) | Target::RawTp(_) | Target::Tracepoint(_) => {
            "this kernel has no such tracepoint".to_owned()
        }
    }
}

/// What the kernel said, without the number that the standard library adds.
pub(crate) fn errno(error: &io::Error) -> String {
    let text = error.to_string();
    text.split_once(" (os error")
        .map_or(text.as_str(), |(words, _number)| words)
        .to_owned()
}

/// Attempts and why each failed, those that failed for the same reason together.
pub(crate) fn summary(failed: &[(String, String)]) -> String {
    let mut reasons: Vec<(Vec<&str>, &str)> = Vec::new();
    for (attempt, reason) in failed {
        match reasons.iter_mut().find(|(_, known)| known == reason) {
            Some((attempts, _)) => attempts.push(attempt),
            None => reasons.push((vec![attempt], reason)),
        }
    }
    let lines: Vec<String> = reasons
        .iter()
        .map(|(attempts, reason)| format!("{}: {reason}", attempts.join(", ")))
        .collect();
    lines.join("; ")
}

/// The last lines of a verifier's log, where the refusal is, without its statistics.
fn last_lines(log: &str) -> String {
    let lines: Vec<&str> = log
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !STATISTICS.iter().any(|start| line.starts_with(start)))
        .collect();
    let tail = lines
        .get(lines.len().saturating_sub(2)..)
        .unwrap_or_default()
        .join(" / ");
    tail.chars().take(MAX_VERIFIER_LOG).collect()
}

/// An error with all its sources, none said twice.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verifier_log_is_cut_to_its_refusal() {
        let log = "0: R1=ctx()\n5: (79) r2 = *(u64 *)(r1 +9999)\ninvalid bpf_context access off=9999 size=8\n\
                   processed 5 insns (limit 1000000) max_states_per_insn 0\n";
        assert_eq!(
            last_lines(log),
            "5: (79) r2 = *(u64 *)(r1 +9999) / invalid bpf_context access off=9999 size=8"
        );
        assert_eq!(last_lines(""), "");
        assert!(last_lines(&"é".repeat(5000)).chars().count() <= MAX_VERIFIER_LOG);
    }

    #[test]
    fn attempts_that_failed_alike_are_told_together() {
        let failed = [
            ("fentry a", "refused"),
            ("kprobe a", "none"),
            ("fentry b", "refused"),
        ]
        .map(|(attempt, reason)| (attempt.to_owned(), reason.to_owned()));
        assert_eq!(summary(&failed), "fentry a, fentry b: refused; kprobe a: none");
        assert_eq!(summary(&[]), "");
    }

    #[test]
    fn errors_of_the_kernel_are_in_words() {
        assert_eq!(errno(&io::Error::from_raw_os_error(1)), "Operation not permitted");
    }

    #[test]
    fn what_is_missing_is_named() {
        let btf = aya::BtfError::UnknownBtfTypeName {
            type_name: "vpanic".to_owned(),
        };
        let reason = explain(Target::Fentry("vpanic"), &ProgramError::Btf(btf));
        assert_eq!(reason, "this kernel has no such function that can be traced");
    }
}

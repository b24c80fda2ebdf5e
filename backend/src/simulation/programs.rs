//! Programs of a made-up fleet that crash, on all hosts alike.

use proto::v1::{Context, ProgramCrash, Record, Severity, UserFrame, record::Payload};

use super::{ISSUES, of_issue};

/// Expected beginnings of each a day, on a host that is like most.
const RATE: f64 = 0.001;
/// How many programs crash.
const COUNT: i32 = 6;
/// The program, the signal that it dies of, and its stack, innermost first.
const PROGRAMS: [(&str, u32, [&str; 3]); COUNT as usize] = [
    (
        "/usr/sbin/nginx",
        11,
        ["ngx_http_parse_chunked", "ngx_http_proxy_filter", "main"],
    ),
    (
        "/usr/sbin/nginx",
        6,
        ["ngx_slab_free_locked", "ngx_shmtx_unlock", "main"],
    ),
    (
        "/usr/lib/postgresql/15/bin/postgres",
        11,
        ["ExecEvalStep", "ExecScan", "PostgresMain"],
    ),
    (
        "/usr/bin/python3.11",
        11,
        ["_PyEval_EvalFrameDefault", "PyObject_Call", "Py_RunMain"],
    ),
    (
        "/usr/libexec/gnome-shell",
        5,
        ["meta_window_unmanage", "meta_display_close", "main"],
    ),
    (
        "/usr/bin/containerd-shim",
        7,
        ["runtime.memmove", "runtime.mapassign", "main"],
    ),
];
/// The number of the last as an issue.
pub(super) const LAST: i32 = ISSUES + COUNT;
/// A number whose multiples look like build ids.
const BUILD_IDS: u128 = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835;
/// The signal with which a program ends itself.
const SIGABRT: u32 = 6;
/// Where a frame's instruction is in its file, from one to the next.
const APART: u64 = 0x1_2a40;

/// How often each crashes.
pub(super) fn rates() -> impl Iterator<Item = f64> {
    PROGRAMS.iter().map(|_| RATE)
}

/// The record of each, grouped by its number, in a fleet whose kernel has this release.
pub(super) fn records(kernel: &str) -> Vec<Record> {
    let numbered = (ISSUES + 1..).zip(PROGRAMS);
    let record = |(number, (executable, signal, stack)): (i32, (&str, u32, [&str; 3]))| {
        let program = executable.rsplit('/').next().unwrap_or(executable);
        let signal_name = faults::signal::name(signal).unwrap_or("a signal");
        let build_id = format!(
            "{:032x}{number:08x}",
            BUILD_IDS.wrapping_mul(number.unsigned_abs().into())
        );
        let frame = |(offset, function): (u64, &str)| UserFrame {
            build_id: build_id.clone(),
            offset,
            file: executable.to_owned(),
            function: function.to_owned(),
        };
        let offsets = (1..).map(|place| place * APART);
        let record = Record {
            class: "program.crash".to_owned(),
            severity: Severity::Medium.into(),
            title: format!("{signal_name} in {program}"),
            context: Some(Context {
                cpu: 1,
                pid: 2214,
                tgid: 2214,
                comm: program.chars().take(wire::COMM_BYTES).collect(),
                ..Context::default()
            }),
            kernel_release: kernel.to_owned(),
            payload: Some(Payload::ProgramCrash(ProgramCrash {
                signal,
                // SI_TKILL, or the first reason that the kernel has for the signal.
                code: if signal == SIGABRT { -6 } else { 1 },
                executable: executable.to_owned(),
                build_id: build_id.clone(),
                frames: offsets.zip(stack).map(frame).collect(),
                core_dumped: Some(true),
                ..ProgramCrash::default()
            })),
            ..Record::default()
        };
        of_issue(number, record)
    };
    numbered.map(record).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_crash_has_a_title_of_its_own() {
        let titles: std::collections::BTreeSet<String> = records("6.1.0-simulated")
            .into_iter()
            .map(|record| record.title)
            .collect();
        assert_eq!(titles.len(), PROGRAMS.len(), "{titles:?}");
        assert!(titles.contains("SIGSEGV in nginx"), "{titles:?}");
    }
}

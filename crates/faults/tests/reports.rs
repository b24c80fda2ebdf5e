//! Real reports of guests, as they are and in every form that kernels and tools give them.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use faults::fingerprint::{Fingerprint, of_report};
use faults::{Assembled, Assembler, KernelReport, Limits, Line, log, mce::MachineCheck, parse};
use proptest::prelude::*;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

static SAMPLES: LazyLock<Vec<(String, String)>> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let read = |path: PathBuf| {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        (name, std::fs::read_to_string(path).unwrap())
    };
    files.into_iter().map(read).collect()
});

/// Samples of one report, which is told by its text alone. What several reports are may depend on the silence between.
static SINGLE: LazyLock<Vec<(String, String)>> = LazyLock::new(|| {
    let is_single = |(_, sample): &&(String, String)| reports(sample.as_bytes()).len() == 1;
    SAMPLES.iter().filter(is_single).cloned().collect()
});

fn assemble(bytes: &[u8]) -> Vec<Assembled> {
    let mut assembler = Assembler::new(Limits::default());
    let mut reports = Vec::new();
    for line in log::lines(bytes) {
        assembler.push(line.as_line(), &mut reports);
    }
    assembler.flush(&mut reports);
    assert!(!assembler.is_collecting());
    reports.sort_by_key(|report| report.first_at_us);
    reports
}

fn reports(bytes: &[u8]) -> Vec<KernelReport> {
    assemble(bytes)
        .iter()
        .filter_map(|report| parse(&report.text))
        .collect()
}

/// What must not depend on how a log was written down.
fn identities(bytes: &[u8]) -> Vec<(String, Vec<Fingerprint>)> {
    reports(bytes)
        .iter()
        .map(|report| (report.title.clone(), of_report(report)))
        .collect()
}

/// A report in a form that is good to compare and to review.
fn summary(report: &KernelReport) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: &dyn std::fmt::Debug| writeln!(text, "{name}: {value:?}").unwrap();
    line("title", &report.title);
    line("alt", &report.alt_titles);
    line(
        "kind, class, severity",
        &(
            report.kind.as_str(),
            report.class.as_str(),
            report.severity.as_str(),
        ),
    );
    line("function, module", &(&report.function, &report.module));
    line("cpu, pid, comm", &(report.cpu, report.pid, &report.comm));
    let taint = report.taint.as_ref().map(|taint| taint.text.as_str());
    line("release, taint", &(&report.kernel_release, taint));
    line(
        "hardware",
        &report.hardware.as_ref().map(|hardware| hardware.text.as_str()),
    );
    line(
        "modules",
        &report
            .modules
            .iter()
            .map(|module| module.name.as_str())
            .collect::<Vec<_>>(),
    );
    line(
        "registers",
        &report
            .registers
            .iter()
            .map(|register| format!("{}={}", register.name, register.value))
            .collect::<Vec<_>>(),
    );
    line("corrupted, truncated", &(report.corrupted, report.truncated));
    for trace in &report.traces {
        let frames = trace
            .frames
            .iter()
            .filter(|frame| frame.reliable)
            .map(|frame| frame.function.as_str());
        line(&trace.label, &frames.collect::<Vec<_>>().join(" "));
    }
    for fingerprint in of_report(report) {
        line(fingerprint.level.as_str(), &fingerprint.to_string());
    }
    text
}

#[test]
fn samples_are_understood() {
    for (name, text) in SAMPLES.iter() {
        let summaries: Vec<String> = reports(text.as_bytes()).iter().map(summary).collect();
        insta::assert_snapshot!(name.as_str(), summaries.join("\n"));
    }
}

/// The prefixes of a line in the forms of consoles and tools. `task` prints at `us`.
fn written(form: usize, text: &str, us: u64, task: u32) -> String {
    let (seconds, micros) = (us / 1_000_000, us % 1_000_000);
    match form {
        0 => format!("[{seconds:5}.{micros:06}] {text}\n"),
        1 => format!("[{seconds:5}.{micros:06}] {text}\r\n"),
        2 => format!("<4>[{seconds:5}.{micros:06}] {text}\n"),
        3 => format!("[{seconds:5}.{micros:06}][{:>6}] {text}\n", format!("T{task}")),
        4 => format!(
            "<12>[{seconds:5}.{micros:06}][{:>6}] {text}\r\n",
            format!("T{task}")
        ),
        5 => format!("4,{us},{us},-,caller=T{task};{text}\n"),
        6 => format!("Nov 24 02:54:00 host kernel: [{seconds:5}.{micros:06}] {text}\n"),
        7 => format!("2026-11-24T02:54:00.123456+00:00 host kernel: {text}\n"),
        8 => format!("kern  :warn  : [{seconds:5}.{micros:06}] {text}\n"),
        _ => format!("{text}\n"),
    }
}

const FORMS: usize = 10;
/// The forms that say who printed.
const WITH_CALLER: [usize; 3] = [3, 4, 5];

fn rewritten(sample: &str, form: usize, shift_us: u64, noise: &[String]) -> String {
    let mut out = String::new();
    for (index, line) in log::lines(sample.as_bytes()).enumerate() {
        let text = String::from_utf8_lossy(&line.text);
        out.push_str(&written(form, &text, line.at_us + shift_us, 77));
        if let Some(other) = noise.get(index % noise.len().max(1)) {
            out.push_str(&written(form, other, line.at_us + shift_us, 1234));
        }
    }
    out
}

#[test]
fn every_form_of_a_log_means_the_same() {
    for (name, sample) in SINGLE.iter() {
        let expected = identities(sample.as_bytes());
        assert!(!expected.is_empty(), "{name}");
        for form in 0..FORMS {
            let again = identities(rewritten(sample, form, 5_000_000, &[]).as_bytes());
            assert_eq!(again, expected, "{name} in form {form}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_other_tasks_print_does_not_matter(
        which in any::<prop::sample::Index>(),
        form in prop::sample::select(WITH_CALLER.to_vec()),
        shift_us in 0_u64..1_000_000_000_000,
        noise in prop::collection::vec("[ -~]{0,40}", 1..8),
    ) {
        let (name, sample) = which.get(&SAMPLES);
        // Noise that begins reports of its own or is taken for an answer of another CPU is another test's.
        prop_assume!(noise.iter().all(|line| !line.contains(':') && !line.contains("+0x")));
        let again = identities(rewritten(sample, form, shift_us, &noise).as_bytes());
        prop_assert_eq!(again, identities(sample.as_bytes()), "{}", name);
    }

    #[test]
    fn reports_of_two_tasks_at_once_are_kept_apart(first in any::<prop::sample::Index>(), second in any::<prop::sample::Index>()) {
        let (first, second) = (&first.get(&SINGLE).1, &second.get(&SINGLE).1);
        let lines = |sample: &str| log::lines(sample.as_bytes()).map(|line| String::from_utf8_lossy(&line.text).into_owned()).collect::<Vec<_>>();
        let (a, b) = (lines(first), lines(second));
        prop_assume!([&a, &b].iter().all(|lines| !lines.iter().any(|line| line.contains("Sending NMI"))));
        let mut mixed = String::new();
        for index in 0..a.len().max(b.len()) {
            for (task, lines) in [(77, &a), (78, &b)] {
                if let Some(text) = lines.get(index) {
                    mixed.push_str(&written(3, text, 1_000_000 + index as u64, task));
                }
            }
        }
        let mut found = identities(mixed.as_bytes());
        let mut expected = identities(rewritten(first, 3, 0, &[]).as_bytes());
        expected.extend(identities(rewritten(second, 3, 0, &[]).as_bytes()));
        let key = |(title, _): &(String, Vec<Fingerprint>)| title.clone();
        found.sort_by_key(key);
        expected.sort_by_key(key);
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn cut_and_damaged_logs_never_panic(
        which in any::<prop::sample::Index>(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..20),
        end in any::<prop::sample::Index>(),
    ) {
        let mut bytes = which.get(&SAMPLES).1.clone().into_bytes();
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(end.index(bytes.len()));
        for report in reports(&bytes) {
            prop_assert!(!report.title.is_empty() && report.title.len() <= 120, "{:?}", report.title);
        }
    }

    #[test]
    fn any_bytes_are_taken(bytes in prop::collection::vec(any::<u8>(), 0..4096)) {
        reports(&bytes);
        let text = String::from_utf8_lossy(&bytes);
        parse(&text);
    }

    #[test]
    fn text_made_of_the_kernels_words_is_taken(
        words in prop::collection::vec(prop::sample::select(vec![
            "BUG: ", "KASAN: ", "WARNING: CPU: 0 PID: 1 at ", "Call Trace:\n", " func+0x1/0x2", " ? ", "[<ffffffff81000000>] ", "\n", "RIP: 0010:",
            "[inline]", "(", ")", " from ", "INFO: task ", "a:1 blocked for more than", "---[ end trace ", "Kernel panic - not syncing: ", "\u{fffd}",
            "invoked oom-killer", "Out of memory: Killed process 1 (a)", "<EOI>", ", at: ", "Machine Check: 0 Bank 4: 9c", "[  1.000000]", "/0x", "+0x",
            "CPU: 1 PID: 2 Comm: ", " Tainted: G ", "{", "}", "_RNv", "Modules linked in: a(", "RAX: 0000000000000000 ", "x29: ", "Sending NMI from CPU 0",
        ]), 0..200),
    ) {
        let text = words.concat();
        parse(&text);
        reports(text.as_bytes());
    }

    #[test]
    fn the_assembler_keeps_its_limits(
        lines in prop::collection::vec((prop::option::of(0_u32..40), prop::option::of(0_u32..4), "(BUG: |Kernel panic - not syncing: |------------\\[ cut here \\]| f\\+0x1/0x2|x){1,12}"), 0..100),
    ) {
        let limits = Limits { contexts: 3, lines: 10, bytes: 200, line_bytes: 40, ..Limits::default() };
        let mut assembler = Assembler::new(limits);
        let mut out = Vec::new();
        for (at_us, (task, cpu, text)) in lines.iter().enumerate() {
            assembler.push(Line { text: text.as_bytes(), at_us: at_us as u64, cpu: *cpu, task: *task }, &mut out);
        }
        assembler.flush_idle(u64::MAX, &mut out);
        prop_assert!(!assembler.is_collecting());
        for report in out {
            prop_assert!(report.text.len() <= limits.bytes && report.text.lines().count() <= limits.lines);
            prop_assert!(report.text.lines().all(|line| line.len() <= limits.line_bytes));
        }
    }

    #[test]
    fn every_machine_check_decodes(status in any::<u64>(), ipid in any::<u64>(), bank in any::<u8>(), vendor in 0_u8..11) {
        let decoded = MachineCheck { status, ipid, bank, vendor, ..MachineCheck::default() }.decode();
        prop_assert!(!decoded.what.is_empty() && decoded.title.starts_with("machine check: "));
    }
}

#[test]
fn an_oops_that_panics_is_one_report() {
    let oops = &SAMPLES.iter().find(|(name, _)| name == "6.12-null").unwrap().1;
    let mut text = rewritten(oops, 3, 0, &[]);
    let last = log::lines(text.as_bytes()).last().unwrap().at_us;
    text.push_str(&written(
        3,
        "Kernel panic - not syncing: Fatal exception",
        last + 10,
        77,
    ));
    text.push_str(&written(
        3,
        "Kernel Offset: 0x28a00000 from 0xffffffff81000000",
        last + 20,
        77,
    ));
    let all = reports(text.as_bytes());
    assert_eq!(all.len(), 1);
    assert_eq!(all[0].kind, faults::ReportKind::NullDereference);
    assert_eq!(all[0].severity, faults::Severity::Critical);
}

#[test]
fn a_report_ends_when_its_context_is_silent() {
    let mut assembler = Assembler::new(Limits::default());
    let mut out = Vec::new();
    let line = |text: &'static str, at_us| Line {
        text: text.as_bytes(),
        at_us,
        cpu: Some(1),
        task: Some(7),
    };
    assembler.push(line("BUG: scheduling while atomic: a/7/0x2\n", 1_000), &mut out);
    assembler.push(line("Call Trace:\n f+0x1/0x2\n", 2_000), &mut out);
    assembler.flush_idle(400_000, &mut out);
    assert!(out.is_empty() && assembler.is_collecting());
    assembler.flush_idle(402_001, &mut out);
    assert_eq!(out.len(), 1);
    assert_eq!(
        (out[0].first_at_us, out[0].last_at_us, out[0].cpu, out[0].task),
        (1_000, 2_000, Some(1), Some(7))
    );
    assert_eq!(
        out[0].text,
        "BUG: scheduling while atomic: a/7/0x2\nCall Trace:\n f+0x1/0x2\n"
    );
}

#[test]
fn long_input_takes_time_in_proportion() {
    let line = "BUG: KASAN: x in f{*} Call Trace: [<ffffffff81000000>] ? (((((( f+0x1/0x2 [ [ [ at: , at: ";
    let text = format!("{line}\n").repeat(4_000) + &line.repeat(4_000);
    parse(&text);
    assert!(
        assemble(text.as_bytes())
            .iter()
            .all(|report| report.text.len() <= Limits::default().bytes)
    );
}

#[test]
fn stacks_that_other_cpus_were_asked_for_belong_to_the_report() {
    let lines = [
        (77, "watchdog: BUG: soft lockup - CPU#0 stuck for 26s! [a:77]"),
        (77, "RIP: 0010:spin+0x1/0x2"),
        (77, "Call Trace:"),
        (77, " work+0x1/0x2"),
        (77, "Sending NMI from CPU 0 to CPUs 1:"),
        (88, "NMI backtrace for cpu 1"),
        (99, "usb 1-1: new device"),
        (88, "RIP: 0010:other+0x1/0x2"),
        (88, "Call Trace:"),
        (88, " other_caller+0x1/0x2"),
    ];
    let log: String = lines
        .iter()
        .map(|(task, text)| written(3, text, 1_000_000, *task))
        .collect();
    let all = assemble(log.as_bytes());
    assert_eq!(all.len(), 1);
    assert!(all[0].text.contains("other_caller") && !all[0].text.contains("usb"));
    assert_eq!(parse(&all[0].text).unwrap().traces.len(), 2);
}

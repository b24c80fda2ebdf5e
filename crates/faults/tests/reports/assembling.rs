//! Which lines of a log are one report.

use crate::forms::{rewritten, written};
use crate::{SAMPLES, assemble, reports};
use faults::{Assembler, Limits, Line, log, parse};

#[test]
fn an_oops_that_panics_is_one_report() {
    let oops = &SAMPLES
        .iter()
        .find(|(name, _)| name == "6.12-module-null")
        .unwrap()
        .1;
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
fn a_report_knows_where_the_first_lines_are_missing() {
    let mut assembler = Assembler::new(Limits::default());
    let mut out = Vec::new();
    let line = |text: &'static str| Line {
        text: text.as_bytes(),
        at_us: 1_000,
        cpu: Some(1),
        task: Some(7),
    };
    // Before the report nothing of it is missing.
    assembler.lose();
    assembler.push(line("BUG: scheduling while atomic: a/7/0x2"), &mut out);
    assembler.push(line("Call Trace:"), &mut out);
    assembler.lose();
    assembler.push(line(" f+0x1/0x2"), &mut out);
    assembler.lose();
    assembler.flush(&mut out);
    let gap = out[0].gap.unwrap();
    assert_eq!(out[0].text[gap..], *" f+0x1/0x2\n");
    assembler.push(line("BUG: scheduling while atomic: b/8/0x2"), &mut out);
    assembler.flush(&mut out);
    assert_eq!(out[1].gap, None);
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

//! Parts are in bounds, on character boundaries, in order, and only the guilty frame lies inside of another.

use crate::report::{Part, PartKind};
use crate::{KernelReport, parse};
use proptest::prelude::*;

fn check(report: &KernelReport, text: &str) {
    let mut end = 0;
    for part in &report.parts {
        let Part { kind, range, trace } = part;
        assert!(text.get(range.clone()).is_some(), "{part:?}");
        assert!(trace.is_none_or(|trace| trace < report.traces.len()), "{part:?}");
        assert!(
            range.start == 0 || text.as_bytes().get(range.start - 1) == Some(&b'\n'),
            "{part:?}"
        );
        if *kind == PartKind::Guilty {
            continue;
        }
        assert!(range.start >= end, "{part:?} begins before {end}");
        end = range.end;
    }
    assert!(report.parts.is_sorted_by_key(|part| part.range.start));
    assert!(
        report
            .parts
            .iter()
            .filter(|part| part.kind == PartKind::Guilty)
            .count()
            <= 1
    );
    if let Some(choice) = &report.choice {
        let trace = choice.trace.map(|trace| &report.traces[trace]);
        assert!(
            choice
                .frame
                .is_none_or(|frame| trace.is_some_and(|trace| frame < trace.frames.len()))
        );
    }
}

/// Lines of all sorts of parts, some of them of other alphabets.
const LINES: [&str; 24] = [
    "BUG: KASAN: slab-use-after-free in f+0x1/0x2",
    "Oops: Oops: 0002 [#1] PREEMPT SMP",
    "Read of size 8 at addr ffff888000000040 by task a/77",
    "CPU: 1 UID: 0 PID: 77 Comm: ä Tainted: G        W          6.12.0 #1",
    "Hardware name: é",
    "RIP: 0010:f+0x1/0x2",
    "RIP: 0033:0x1",
    "Code: 0f <48> 8b",
    "RAX: 0000000000000000 RBX: 0000000000000000",
    "Call Trace:",
    " <IRQ>",
    " </IRQ>",
    " f+0x1/0x2",
    " ? g+0x1/0x2",
    "h from i+0x1/0x2",
    "Allocated by task 77:",
    "2 locks held by a/77:",
    " #0: ffff888000000040 (&x){+.+.}-{3:3}, at: f+0x1/0x2",
    "Modules linked in: a(OE) b",
    " c d [last unloaded: e]",
    "",
    "日本語\r",
    "---[ end trace 0000000000000000 ]---",
    "Kernel panic - not syncing: Fatal exception",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn parts_are_in_order_and_in_bounds(lines in prop::collection::vec(prop::sample::select(LINES.to_vec()), 0..60)) {
        let text = lines.join("\n");
        if let Some(report) = parse(&text) {
            check(&report, &text);
        }
    }

    #[test]
    fn any_text_behind_a_head_has_parts_in_bounds(rest in "\\PC{0,200}", lines in prop::collection::vec("[ -~é]{0,40}", 0..20)) {
        let text = format!("BUG: KASAN: x in f+0x1/0x2\n{rest}\n{}", lines.join("\n"));
        if let Some(report) = parse(&text) {
            check(&report, &text);
        }
    }
}

#[test]
fn every_part_of_a_report_is_found() {
    let text = "------------[ cut here ]------------\nkernel BUG at fs/a.c:1!\nOops: invalid opcode: 0000 [#1] SMP\n\
                CPU: 1 UID: 0 PID: 77 Comm: a Not tainted 6.12.0 #1\nRIP: 0010:f+0x1/0x2\nCode: 0f <0b>\nRAX: 0000000000000000\n\
                Call Trace:\n <TASK>\n g+0x1/0x2\n </TASK>\nModules linked in: a\n---[ end trace 0000000000000000 ]---\n";
    let report = parse(text).unwrap();
    check(&report, text);
    let kinds: Vec<PartKind> = report.parts.iter().map(|part| part.kind).collect();
    let expected = [
        PartKind::Head,
        PartKind::Context,
        PartKind::Trace,
        PartKind::Guilty,
        PartKind::Code,
        PartKind::Registers,
        PartKind::Trace,
        PartKind::Modules,
        PartKind::End,
    ];
    assert_eq!(kinds, expected);
    assert_eq!(&text[report.parts[3].range.clone()], "RIP: 0010:f+0x1/0x2");
    assert_eq!(
        &text[report.parts[6].range.clone()],
        "Call Trace:\n <TASK>\n g+0x1/0x2\n </TASK>"
    );
}

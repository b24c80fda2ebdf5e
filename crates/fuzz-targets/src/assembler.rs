//! A kernel log in any form, taken apart, assembled into reports and parsed.

use faults::{Assembler, Limits};

pub(crate) fn run(log: &[u8]) {
    let limits = Limits::default();
    let (mut assembler, mut reports) = (Assembler::new(limits), Vec::new());
    for line in faults::log::lines(log) {
        assembler.push(line.as_line(), &mut reports);
        if line.at_us % 5 == 0 {
            assembler.lose();
        }
        assembler.flush_idle(line.at_us, &mut reports);
    }
    assembler.flush(&mut reports);
    assert!(!assembler.is_collecting());
    for report in reports {
        // Replaced bytes may be three times as long.
        assert!(report.text.len() <= 3 * (limits.bytes + limits.line_bytes));
        let whole = report.gap.map_or(&*report.text, |gap| &report.text[..gap]);
        assert!(whole.is_empty() || whole.ends_with('\n'));
        faults::parse(whole);
        faults::parse(&report.text);
    }
}

//! Any bytes are taken, within limits.

use crate::{SAMPLES, assemble, reports};
use faults::{Assembler, Limits, Line, mce::MachineCheck, parse};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

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

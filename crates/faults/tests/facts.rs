//! What reports of all architectures say besides who ran and where: access, registers, code, in the forms of
//! `architectures.rs`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use faults::KernelReport;
use faults::report::{AccessMode, TraceKind};
use std::path::Path;

fn report(name: &str) -> KernelReport {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/forms/{name}.txt"));
    let text = std::fs::read_to_string(path).unwrap();
    let is_note = |line: &&str| line.starts_with('#') || line.starts_with('=');
    let log: String = text
        .lines()
        .skip_while(is_note)
        .flat_map(|line| [line, "\n"])
        .collect();
    faults::reports(log.as_bytes()).remove(0).report
}

#[test]
fn accesses_registers_and_code_of_all_architectures_are_read() {
    const UNKNOWN: &str = "unknown";
    let write = AccessMode::Write.as_str();
    // Name, what was tried, the address, registers, one of them, bytes of a value of code, values.
    let cases = [
        ("arm-2.6.39", write, 8, 9, "PC=bf000008", 4, 3),
        ("arm-6.1", write, 8, 6, "SP=f0bfbf10", 4, 3),
        ("arm64-4.4", write, 8, 6, "PSTATE=60000145", 4, 3),
        (
            "arm64-6.6",
            write,
            0xaaaa_f1d1_7a30,
            5,
            "X29=ffff800085b1bd80",
            4,
            3,
        ),
        ("loongarch-6.6", write, 8, 15, "BADV=0000000000000008", 4, 3),
        ("mips-4.14", write, 8, 16, "$4=87a0c000", 4, 3),
        ("powerpc-3.10", write, 8, 15, "GPR3=c0000000f1d17a30", 4, 5),
        ("powerpc-6.6", write, 8, 15, "DSISR=42000000", 4, 4),
        ("riscv-6.6", write, 8, 9, "CAUSE=000000000000000f", 2, 3),
        ("s390x-6.6", UNKNOWN, 0, 4, "R3=000003fffd1d8000", 2, 2),
        ("x86_32-2.6.18", write, 8, 12, "ESP=df5c4f68", 1, 11),
        ("x86_64-2.6.18", write, 8, 5, "RSP=0018:ffff81003d2a5ef8", 1, 12),
        ("x86_64-2.6.32", write, 8, 6, "EFLAGS=00010246", 1, 12),
    ];
    for (name, mode, address, registers, register, width, values) in cases {
        let report = report(name);
        let access = report.access.unwrap();
        assert_eq!(access.mode.map_or(UNKNOWN, AccessMode::as_str), mode, "{name}");
        assert_eq!(access.address, Some(address), "{name}");
        let shown: Vec<String> = report
            .registers
            .iter()
            .map(|register| format!("{}={}", register.name, register.value))
            .collect();
        assert!(
            shown.len() == registers && shown.iter().any(|shown| shown == register),
            "{name}: {shown:?}"
        );
        let code = report.code.unwrap();
        assert_eq!((code.width, code.values.len()), (width, values), "{name}");
        assert_eq!(report.traces[0].kind, TraceKind::Fault, "{name}");
    }
}

#[test]
fn the_instruction_at_fault_is_marked() {
    assert_eq!(
        report("sparc64-4.19").code.unwrap().to_string(),
        "9de3bf50 82102000 <c0206008>"
    );
}

/// What is left of a report's text when its parts are taken away is a line here and there.
#[test]
fn parts_cover_the_text() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples");
    let (mut covered, mut all) = (0, 0);
    for entry in std::fs::read_dir(folder).unwrap() {
        let log = std::fs::read(entry.unwrap().path()).unwrap();
        for found in faults::reports(&log) {
            let inside = |at: usize| found.report.parts.iter().any(|part| part.range.contains(&at));
            all += found.text.len();
            covered += (0..found.text.len()).filter(|at| inside(*at)).count();
        }
    }
    assert!(covered * 100 > all * 90, "{covered} of {all} bytes");
}

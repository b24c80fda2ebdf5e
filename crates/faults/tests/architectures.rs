//! The forms of exceptions on all architectures, from 2.6 to today.
//!
//! `forms/*.txt` are written after the formats in the kernel's source. Each begins with a comment that names the version
//! and the functions, and with what is expected: the title; the function and module at fault; the reliable frames of the
//! first stack; processor, task, its name and the release (`-` when the form has none).

use faults::KernelReport;
use std::path::Path;

fn or_dash<T: ToString>(value: Option<&T>) -> String {
    value.map_or_else(|| "-".to_owned(), ToString::to_string)
}

fn described(report: &KernelReport) -> Vec<String> {
    let at_fault = [report.function.as_deref(), report.module.as_deref()];
    let frames = report
        .traces
        .first()
        .map(|trace| trace.frames.as_slice())
        .unwrap_or_default();
    let frames = frames.iter().filter(|frame| frame.reliable);
    let release = report
        .kernel_release
        .as_deref()
        .and_then(|release| release.split(' ').next());
    vec![
        report.title.clone(),
        at_fault.into_iter().flatten().collect::<Vec<_>>().join(" "),
        frames
            .map(|frame| frame.function.as_str())
            .collect::<Vec<_>>()
            .join(" "),
        format!(
            "{} {} {} {}",
            or_dash(report.cpu.as_ref()),
            or_dash(report.pid.as_ref()),
            or_dash(report.comm.as_ref()),
            or_dash(release.map(str::to_owned).as_ref()),
        ),
    ]
}

#[test]
fn exceptions_are_understood_on_every_architecture() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/forms");
    let mut wrong = Vec::new();
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let is_note = |line: &&str| line.starts_with('#') || line.starts_with('=');
        let expected: Vec<&str> = text
            .lines()
            .take_while(is_note)
            .filter_map(|line| line.strip_prefix('='))
            .collect();
        let expected: Vec<&str> = expected.iter().map(|line| line.trim()).collect();
        let log: String = text
            .lines()
            .skip_while(is_note)
            .flat_map(|line| [line, "\n"])
            .collect();
        let found = faults::reports(log.as_bytes());
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        seen += 1;
        if found.len() != 1 {
            let titles: Vec<&str> = found.iter().map(|found| found.report.title.as_str()).collect();
            wrong.push(format!("{name}: {titles:?}"));
        }
        let Some(found) = found.first() else { continue };
        for (got, expected) in described(&found.report).iter().zip(expected) {
            if got != expected {
                wrong.push(format!("{name}: got {got:?}, expected {expected:?}"));
            }
        }
        if found.report.corrupted || found.report.truncated {
            wrong.push(format!(
                "{name}: corrupted {}, truncated {}",
                found.report.corrupted, found.report.truncated
            ));
        }
    }
    assert!(
        seen > 20 && wrong.is_empty(),
        "{seen} forms\n{}",
        wrong.join("\n")
    );
}

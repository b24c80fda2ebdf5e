//! What a report says, a fact a line.

use std::fmt::Write as _;

use faults::{KernelReport, fingerprint};

use super::fact;
use crate::explain::read::Found;
use crate::output::{Paint, harmless};

pub(super) fn write(text: &mut String, found: &Found, paint: Paint) {
    let report = &found.report.report;
    let kind = format!("{}, severity {}, {}", report.kind, report.severity, report.class);
    fact(text, paint, "kind", &kind);
    if !report.alt_titles.is_empty() {
        fact(
            text,
            paint,
            "also called",
            &harmless(&report.alt_titles.join("\n")),
        );
    }
    if let Some(when) = when(found.report.first_at_us, found.report.last_at_us) {
        fact(text, paint, "when", &when);
    }
    let place = place(report);
    if !place.is_empty() {
        fact(text, paint, "where", &harmless(&place));
    }
    for (name, value) in [
        ("kernel", report.kernel_release.as_ref()),
        (
            "hardware",
            report.hardware.as_ref().map(|hardware| &hardware.text),
        ),
        ("taint", report.taint.as_ref().map(|taint| &taint.text)),
    ] {
        if let Some(value) = value {
            fact(text, paint, name, &harmless(value));
        }
    }
    if let Some(function) = &report.function {
        let module = report
            .module
            .as_ref()
            .map(|module| format!(" in module {module}"));
        let function = format!(
            "{}{}",
            paint.mark(&harmless(function)),
            harmless(&module.unwrap_or_default())
        );
        fact(text, paint, "at fault", &function);
    }
    if report.corrupted || report.truncated || found.report.truncated {
        fact(text, paint, "incomplete", &paint.notice(missing(report)));
    }
}

fn when(first_us: Option<u64>, last_us: Option<u64>) -> Option<String> {
    let first = first_us?;
    let mut when = format!("{} after boot", uptime(first));
    // What takes longer than printing is worth telling.
    if let Some(lasted) = last_us
        .and_then(|last| last.checked_sub(first))
        .filter(|us| *us >= 1_000_000)
    {
        let _infallible = write!(when, ", over {}", uptime(lasted));
    }
    Some(when)
}

/// `5.140900 s`, with hours and days when there are such.
fn uptime(us: u64) -> String {
    let seconds = us / 1_000_000;
    let exact = format!("{seconds}.{:06} s", us % 1_000_000);
    match seconds {
        0..3_600 => exact,
        3_600..172_800 => format!("{exact} ({} h {} min)", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!(
            "{exact} ({} days {} h)",
            seconds / 86_400,
            seconds % 86_400 / 3_600
        ),
    }
}

fn place(report: &KernelReport) -> String {
    let mut parts = Vec::new();
    if let Some(cpu) = report.cpu {
        parts.push(format!("CPU {cpu}"));
    }
    match (&report.comm, report.pid) {
        (Some(comm), Some(pid)) => parts.push(format!("task {comm} (pid {pid})")),
        (Some(comm), None) => parts.push(format!("task {comm}")),
        (None, Some(pid)) => parts.push(format!("pid {pid}")),
        (None, None) => {}
    }
    parts.join(", ")
}

fn missing(report: &KernelReport) -> &'static str {
    if report.corrupted {
        "lines are missing or mixed with others: the function at fault may be wrong"
    } else {
        "the end was cut off"
    }
}

pub(super) fn fingerprints(text: &mut String, report: &KernelReport, paint: Paint, _why: bool) {
    let mut all = String::new();
    for fingerprint in fingerprint::of_report(report) {
        // Writing to a String cannot fail.
        let _infallible = writeln!(all, "{:<10}  {fingerprint}", fingerprint.level);
    }
    fact(text, paint, "fingerprint", &all);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_exact_and_readable() {
        assert_eq!(
            when(Some(5_140_900), Some(5_200_000)).unwrap(),
            "5.140900 s after boot"
        );
        assert_eq!(
            when(Some(7_320_000_000), Some(7_322_000_001)).unwrap(),
            "7320.000000 s (2 h 2 min) after boot, over 2.000001 s"
        );
        assert_eq!(when(None, Some(1)), None);
    }
}

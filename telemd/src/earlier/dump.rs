//! Dumps of a kernel's log to records.

use faults::{Assembled, Assembler, Class, Limits, Severity, log};
use probe_user::pstore::{Dump, DumpReason};
use proto::v1::record::Payload;
use proto::v1::{KernelReport, Record};

use super::at;
use crate::clock::Moment;
use crate::kept::{Kept, Mark};
use crate::pipeline::Found;
use crate::record::{Boot, hook};
use crate::text::cut_front;

/// The text of a dump in which no report is found is kept from its end, bytes.
const TEXT_BYTES: usize = 64 << 10;
/// How the kernel begins its last words (`kernel/panic.c`).
const PANIC: &str = "Kernel panic - not syncing";

/// What a dump tells of `boot` that is not known yet. At least one record for a panic or an oops that was not caught live;
/// `None` for a dump that tells of no fault, such as a shutdown: it is left to whoever wants it.
pub(super) fn reports(dump: &Dump, mut boot: Boot, current_boot: &str, kept: &Kept) -> Option<Vec<Found>> {
    let mut assembler = Assembler::new(Limits::default());
    let mut texts = Vec::new();
    let mut last_us = 0;
    for line in log::lines(dump.text.as_bytes()) {
        last_us = line.at_us;
        assembler.push(line.as_line(), &mut texts);
    }
    assembler.flush(&mut texts);
    let parsed: Vec<_> = texts
        .iter()
        .filter_map(|text| Some((text, faults::parse(&text.text)?)))
        .collect();
    // One boot, one kernel: a report that does not name it (or whose line was overwritten) is of the same.
    let release = parsed
        .iter()
        .find_map(|(_, report)| report.kernel_release.as_deref());
    let release = release.and_then(|release| release.split(' ').next());
    release.unwrap_or_default().clone_into(&mut boot.kernel_release);
    let mut found: Vec<Found> = Vec::new();
    for (text, report) in &parsed {
        let died_before = |at_us: u64| Moment {
            unix_ns: dump
                .written_unix_ns
                .saturating_sub(last_us.saturating_sub(at_us) * 1_000),
            since_boot_ns: at_us.saturating_mul(1_000),
            asleep_ns: 0,
        };
        let known = |record: &Record| {
            let named = [boot.id.as_str(), current_boot];
            named
                .iter()
                .any(|id| !id.is_empty() && kept.has_record(record, id))
        };
        let record = of_report(dump, &boot, report, text, died_before(text.first_at_us));
        let record = if known(&record) {
            // A panic that follows a report is part of its text; what was known live is only the beginning.
            panic_of(text).map(|(report, panic)| {
                of_report(dump, &boot, &report, &panic, died_before(panic.first_at_us))
            })
        } else {
            Some(record)
        };
        if let Some(record) = record.filter(|record| !known(record)) {
            let mark = Some(Mark::of_record(&record, 0));
            found.push(Found { record, mark });
        }
    }
    if parsed.is_empty() {
        found.push(without_report(dump, &boot)?);
    }
    Some(found)
}

/// The panic that a report's text ends with; `None` when there is none, or nothing before it.
fn panic_of(text: &Assembled) -> Option<(faults::KernelReport, Assembled)> {
    let start = text.text.find(PANIC).filter(|start| *start > 0)?;
    let panic = Assembled {
        text: text.text[start..].to_owned(),
        first_at_us: text.last_at_us,
        gap: None,
        ..text.clone()
    };
    Some((faults::parse(&panic.text)?, panic))
}

fn of_report(
    dump: &Dump,
    boot: &Boot,
    report: &faults::KernelReport,
    text: &Assembled,
    at: Moment,
) -> Record {
    let mut record = boot.kernel_report(report, &text.text, text.truncated, at);
    record.hook = Some(hook(dump.origin.as_str(), ""));
    record
}

/// A panic or an oops of which no report is found; other dumps (a shutdown) are no faults.
fn without_report(dump: &Dump, boot: &Boot) -> Option<Found> {
    let (class, severity, title) = match dump.reason {
        DumpReason::Panic => (
            Class::KernelPanic,
            Severity::Critical,
            "kernel panic, its report was not found",
        ),
        DumpReason::Oops => (
            Class::KernelOops,
            Severity::High,
            "kernel oops, its report was not found",
        ),
        DumpReason::Other(_) => return None,
    };
    let mut record = boot.record(class, severity, title, at(dump.written_unix_ns));
    record.hook = Some(hook(dump.origin.as_str(), ""));
    record.payload = Some(Payload::KernelReport(KernelReport {
        text: cut_front(&dump.text, TEXT_BYTES).to_owned(),
        truncated: true,
        ..KernelReport::default()
    }));
    Some(Found { record, mark: None })
}

//! Faults of earlier boots: what a dying kernel left in pstore.

use std::path::Path;

use faults::{Assembled, Assembler, Class, Limits, Severity, log};
use probe_user::pstore::{self, Dump, DumpReason, Origin, Unreadable};
use proto::v1::record::Payload;
use proto::v1::{KernelReport, Record};
use uuid::Uuid;

use crate::clock::Moment;
use crate::identity::Boots;
use crate::keeper::KeepError;
use crate::kept::{Kept, Mark, digest};
use crate::pipeline::Found;
use crate::record::{Boot, hook};
use crate::recorder::Recorder;
use crate::text::{chain, cut_front};

#[cfg(test)]
mod tests;

/// The text of a dump in which no report is found is kept from its end, bytes.
const TEXT_BYTES: usize = 64 << 10;
/// How the kernel begins its last words (`kernel/panic.c`).
const PANIC: &str = "Kernel panic - not syncing";

/// Keeps what pstore holds and frees it. A dump is removed only once all its records are durable. `kept` is what was
/// known at the start; the keeper has a list of its own for the disk.
pub async fn keep(dir: &Path, boots: &Boots, kept: &mut Kept, recorder: &Recorder) -> Result<(), KeepError> {
    let found = match pstore::read(dir, Origin::Pstore) {
        Ok(found) => found,
        Err(error) => {
            tracing::warn!(error = chain(&error), "pstore cannot be read");
            return Ok(());
        }
    };
    for Unreadable { path, reason } in &found.unreadable {
        tracing::warn!(path = %path.display(), reason, "a crash dump is kept but not readable");
    }
    for dump in found.dumps {
        tracing::info!(
            reason = ?dump.reason,
            bytes = dump.text.len(),
            files = dump.files.len(),
            "pstore holds a dump"
        );
        let digest = digest(&dump.text);
        if !kept.has_dump(digest) {
            let Some(found) = reports(&dump, dump.written_unix_ns, boots, kept) else {
                continue;
            };
            let last = found.len().saturating_sub(1);
            for (index, Found { record, mark }) in found.into_iter().enumerate() {
                let mut marks: Vec<_> = mark.into_iter().collect();
                // The last record stands for the whole dump: once it is durable so are the ones before it.
                if index == last {
                    marks.push(Mark::Dump { digest });
                }
                for mark in marks.iter().cloned() {
                    kept.note(mark, Uuid::nil(), 0);
                }
                recorder.keep_always(record, marks).await?;
            }
        }
        if let Err(error) = pstore::remove(dir, &dump.files) {
            tracing::warn!(
                error = chain(&error),
                "a pstore dump is kept but cannot be removed from pstore"
            );
        }
    }
    Ok(())
}

/// What a dump tells that is not known yet. At least one record for a panic or an oops that was not caught live; `None`
/// for a dump that tells of no fault, such as a shutdown: it is left to whoever wants it.
fn reports(dump: &Dump, died_unix_ns: u64, boots: &Boots, kept: &Kept) -> Option<Vec<Found>> {
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
    let boot = Boot {
        id: boots.previous.clone(),
        kernel_release: release
            .unwrap_or_default()
            .split(' ')
            .next()
            .unwrap_or_default()
            .to_owned(),
    };
    let mut found: Vec<Found> = Vec::new();
    for (text, report) in &parsed {
        let died_before = |at_us: u64| Moment {
            unix_ns: died_unix_ns.saturating_sub(last_us.saturating_sub(at_us) * 1_000),
            since_boot_ns: at_us.saturating_mul(1_000),
            asleep_ns: 0,
        };
        let known = |record: &Record| {
            kept.has_record(record, &boots.previous) || kept.has_record(record, &boots.current)
        };
        let record = of_report(&boot, report, text, died_before(text.first_at_us));
        let record = if known(&record) {
            // A panic that follows a report is part of its text; what was known live is only the beginning.
            panic_of(text)
                .map(|(report, panic)| of_report(&boot, &report, &panic, died_before(panic.first_at_us)))
        } else {
            Some(record)
        };
        if let Some(record) = record.filter(|record| !known(record)) {
            let mark = Some(Mark::of_record(&record, 0));
            found.push(Found { record, mark });
        }
    }
    if parsed.is_empty() {
        found.push(without_report(dump, died_unix_ns, &boots.previous)?);
    }
    Some(found)
}

/// The panic that a report's text ends with; `None` when there is none, or nothing before it.
fn panic_of(text: &Assembled) -> Option<(faults::KernelReport, Assembled)> {
    let start = text.text.find(PANIC).filter(|start| *start > 0)?;
    let panic = Assembled {
        text: text.text[start..].to_owned(),
        first_at_us: text.last_at_us,
        ..text.clone()
    };
    Some((faults::parse(&panic.text)?, panic))
}

fn of_report(boot: &Boot, report: &faults::KernelReport, text: &Assembled, at: Moment) -> Record {
    let mut record = boot.kernel_report(report, &text.text, text.truncated, at);
    record.hook = Some(hook("pstore", ""));
    record
}

/// A panic or an oops of which no report is found; other dumps (a shutdown) are no faults.
fn without_report(dump: &Dump, died_unix_ns: u64, boot_id: &str) -> Option<Found> {
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
    let boot = Boot {
        id: boot_id.to_owned(),
        kernel_release: String::new(),
    };
    let at = Moment {
        unix_ns: died_unix_ns,
        since_boot_ns: 0,
        asleep_ns: 0,
    };
    let mut record = boot.record(class, severity, title, at);
    record.hook = Some(hook("pstore", ""));
    record.payload = Some(Payload::KernelReport(KernelReport {
        text: cut_front(&dump.text, TEXT_BYTES).to_owned(),
        truncated: true,
        ..KernelReport::default()
    }));
    Some(Found { record, mark: None })
}

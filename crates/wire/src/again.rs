//! Records that are read once more, by rules that are newer than those that they were made with.

use faults::{
    crash::{Crash, CrashFrame},
    fingerprint::{Explanation, Level, explain as explain_report, of_title_in},
};
use proto::v1::{Fingerprint, KernelReport, ProgramCrash, Record, record::Payload};

use crate::report::{fingerprint, kernel_report};

/// Gives a record the fingerprints of the present rules, and where it is a kernel's report the class, the severity and the title
/// as well. Where there is no text to read, or none to trust, it keeps its title and goes by that.
pub fn read_again(record: &mut Record) {
    if let Some(Payload::KernelReport(sent)) = &record.payload
        && is_titled_by_its_text(record, sent)
        && let Some(report) = faults::parse(&sent.text)
    {
        let again = kernel_report(&report, "", false);
        record.class = again.class;
        record.severity = again.severity;
        record.title = again.title;
        record.fingerprints = again.fingerprints;
        return;
    }
    let title = of_title_in(&record.class, &record.title);
    record.fingerprints = fingerprint(&title).into_iter().collect();
    if let Some(Payload::ProgramCrash(crash)) = &record.payload {
        let finer = crash_fingerprints(crash, program(&record.title));
        record.fingerprints.extend(finer);
    }
}

/// What the present rules group a record with a stack by. None: it has none, or a text that cannot be read.
pub fn explain(record: &Record) -> Option<Explanation> {
    match &record.payload {
        Some(Payload::KernelReport(report)) => Some(explain_report(&faults::parse(&report.text)?)),
        Some(Payload::ProgramCrash(crash)) => Some(as_fault(crash, program(&record.title)).explain()),
        _ => None,
    }
}

/// Agents title a crash `SIGSEGV in NAME`.
fn program(title: &str) -> &str {
    title.split_once(" in ").map_or("", |(_, program)| program)
}

/// A text of which lines are known to be lost may say something wrong: an agent then titles the record by its class alone, and no
/// stack counts.
fn is_titled_by_its_text(record: &Record, report: &KernelReport) -> bool {
    !(report.truncated && record.fingerprints.len() < 2)
}

/// What the stack of a crashed program is grouped by below the title. The title knows no function, because nothing on the host does.
pub fn crash_fingerprints(crash: &ProgramCrash, program: &str) -> Vec<Fingerprint> {
    as_fault(crash, program)
        .fingerprints()
        .iter()
        .filter(|value| value.level > Level::Title)
        .filter_map(fingerprint)
        .collect()
}

fn as_fault(crash: &ProgramCrash, program: &str) -> Crash {
    let known = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    let frame = |frame: &proto::v1::UserFrame| CrashFrame {
        build_id: known(&frame.build_id),
        offset: Some(frame.offset),
        ..CrashFrame::default()
    };
    Crash {
        signal: crash.signal,
        code: Some(crash.code),
        program: program.to_owned(),
        build_id: known(&crash.build_id),
        frames: crash.frames.iter().map(frame).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OOPS: &str = "BUG: kernel NULL pointer dereference, address: 0000000000000008\n\
                        RIP: 0010:example_write+0x5/0x20 [example]\nCall Trace:\n vfs_write+0xc7/0x3f0\n";

    fn oops() -> Record {
        kernel_report(&faults::parse(OOPS).unwrap(), OOPS, false)
    }

    #[test]
    fn what_records_are_grouped_by_is_explained() {
        let values = |record: &Record| -> Vec<String> {
            let own = record.fingerprints.iter();
            own.map(|fingerprint| fingerprint.value.clone()).collect()
        };
        let explained = |record: &Record| -> Vec<String> {
            let levels = explain(record).unwrap().levels.into_iter();
            levels.map(|level| level.fingerprint.to_string()).collect()
        };
        let crash = ProgramCrash {
            signal: 11,
            code: 1,
            frames: vec![proto::v1::UserFrame {
                build_id: "0123456789abcdef".to_owned(),
                offset: 0x1234,
                ..proto::v1::UserFrame::default()
            }],
            ..ProgramCrash::default()
        };
        let crashed = Record {
            title: "SIGSEGV in example".to_owned(),
            fingerprints: crash_fingerprints(&crash, "example"),
            payload: Some(Payload::ProgramCrash(crash)),
            ..Record::default()
        };
        for record in [oops(), crashed] {
            let known = explained(&record);
            assert!(values(&record).len() > 1);
            assert!(
                values(&record).iter().all(|value| known.contains(value)),
                "{record:?}"
            );
        }
        assert_eq!(explain(&Record::default()), None);
    }

    #[test]
    fn what_the_present_rules_made_stays_as_it_is() {
        let fresh = oops();
        let mut again = fresh.clone();
        read_again(&mut again);
        assert_eq!(again, fresh);
    }

    #[test]
    fn a_report_of_older_rules_is_titled_and_grouped_anew() {
        let fresh = oops();
        let mut old = fresh.clone();
        "kernel.warning".clone_into(&mut old.class);
        "BUG: something".clone_into(&mut old.title);
        old.fingerprints.truncate(1);
        old.fingerprints[0].version = 1;
        old.fingerprints[0].value = "00".repeat(16);
        read_again(&mut old);
        assert_eq!(old, fresh);
    }

    #[test]
    fn a_report_that_was_not_trusted_keeps_its_title() {
        let mut damaged = kernel_report(&faults::parse(OOPS).unwrap(), OOPS, true);
        "kernel oops, lines of its text were lost".clone_into(&mut damaged.title);
        damaged.fingerprints.truncate(1);
        let title = damaged.title.clone();
        read_again(&mut damaged);
        assert_eq!(damaged.title, title);
        let by_title = fingerprint(&of_title_in(&damaged.class, &title));
        assert_eq!(damaged.fingerprints, by_title.into_iter().collect::<Vec<_>>());
    }
}

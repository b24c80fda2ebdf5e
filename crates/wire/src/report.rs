//! Kernel reports.

use faults::KernelReport;
use faults::fingerprint::{self, Level};
use proto::limits::{REPORT_TEXT_BYTES, TITLE_BYTES};
use proto::v1::record::Payload;
use proto::v1::{
    CallTrace, Fingerprint, FingerprintLevel, Frame, KernelReport as WireReport, Record, Register,
};

use crate::COMM_BYTES;
use crate::text::{cut, title};

const TRACES: usize = 16;
const FRAMES: usize = 256;
const MODULES: usize = 1024;
const REGISTERS: usize = 128;
const ALT_TITLES: usize = 8;
const NAME_BYTES: usize = 128;
const MODULE_BYTES: usize = 64;
const PLACE_BYTES: usize = 256;
const REGISTER_NAME_BYTES: usize = 16;
const VALUE_BYTES: usize = 64;

/// A report of a kernel as a record, its text beside what was understood of it. Which boot it is of, when it happened and
/// how it was caught are the caller's to say.
pub fn kernel_report(report: &KernelReport, text: &str, truncated: bool) -> Record {
    Record {
        class: report.class.as_str().to_owned(),
        severity: i32::from(report.severity as u8),
        title: title(&report.title, TITLE_BYTES),
        fingerprints: fingerprint::of_report(report)
            .iter()
            .filter_map(fingerprint)
            .collect(),
        payload: Some(Payload::KernelReport(payload(report, text, truncated))),
        ..Record::default()
    }
}

/// A level of grouping. The class is a field of the record and needs none.
pub fn fingerprint(value: &fingerprint::Fingerprint) -> Option<Fingerprint> {
    let level = match value.level {
        Level::Class => return None,
        Level::Title => FingerprintLevel::Title,
        Level::TopFrames => FingerprintLevel::TopFrames,
        Level::Stack => FingerprintLevel::Stack,
    };
    Some(Fingerprint {
        version: fingerprint::VERSION,
        level: level.into(),
        value: value.to_string(),
    })
}

fn payload(report: &KernelReport, text: &str, truncated: bool) -> WireReport {
    WireReport {
        text: cut(text, REPORT_TEXT_BYTES).to_owned(),
        function: limited(report.function.as_deref(), NAME_BYTES),
        module: limited(report.module.as_deref(), MODULE_BYTES),
        traces: report.traces.iter().take(TRACES).map(trace).collect(),
        cpu: report.cpu,
        pid: report.pid,
        comm: limited(report.comm.as_deref(), COMM_BYTES),
        taint: limited(
            report.taint.as_ref().map(|taint| taint.text.as_str()),
            VALUE_BYTES,
        ),
        hardware: limited(
            report.hardware.as_ref().map(|hardware| hardware.text.as_str()),
            PLACE_BYTES,
        ),
        modules: report
            .modules
            .iter()
            .take(MODULES)
            .map(|module| cut(&module.name, MODULE_BYTES).to_owned())
            .collect(),
        registers: report
            .registers
            .iter()
            .take(REGISTERS)
            .map(|register| Register {
                name: cut(&register.name, REGISTER_NAME_BYTES).to_owned(),
                value: cut(&register.value, VALUE_BYTES).to_owned(),
            })
            .collect(),
        truncated: truncated || report.truncated || text.len() > REPORT_TEXT_BYTES,
        corrupted: report.corrupted,
        alt_titles: report
            .alt_titles
            .iter()
            .take(ALT_TITLES)
            .map(|title| cut(title, TITLE_BYTES).to_owned())
            .collect(),
    }
}

fn limited(text: Option<&str>, bytes: usize) -> String {
    cut(text.unwrap_or_default(), bytes).to_owned()
}

fn trace(trace: &faults::CallTrace) -> CallTrace {
    CallTrace {
        heading: cut(&trace.label, NAME_BYTES).to_owned(),
        frames: trace.frames.iter().take(FRAMES).map(frame).collect(),
    }
}

fn frame(frame: &faults::Frame) -> Frame {
    let small = |value: Option<u64>| value.and_then(|value| u32::try_from(value).ok()).unwrap_or(0);
    Frame {
        function: cut(&frame.function, NAME_BYTES).to_owned(),
        offset: small(frame.offset),
        size: small(frame.size),
        module: limited(frame.module.as_deref(), MODULE_BYTES),
        reliable: frame.reliable,
        inlined: frame.inlined,
        location: limited(frame.location.as_deref(), PLACE_BYTES),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_longer_than_a_record_takes_is_cut_and_says_so() {
        let line = "WARNING: CPU: 0 PID: 1 at mm/slab.c:1 example+0x1/0x2\n";
        let text = format!("{line}{}", "x".repeat(REPORT_TEXT_BYTES));
        let report = faults::parse(&text).expect("a warning");
        let record = kernel_report(&report, &text, false);
        let Some(Payload::KernelReport(told)) = record.payload else {
            panic!("no report: {record:?}");
        };
        assert_eq!(told.text.len(), REPORT_TEXT_BYTES);
        assert!(told.truncated);
        assert_eq!(record.class, "kernel.warning");
        assert_eq!(record.fingerprints[0].level(), FingerprintLevel::Title);
    }
}

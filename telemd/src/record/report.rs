//! Kernel reports, for the wire.

use faults::KernelReport;
use proto::limits::{REPORT_TEXT_BYTES, TITLE_BYTES};
use proto::v1::record::Payload;
use proto::v1::{CallTrace, Frame, KernelReport as WireReport, Record, Register};

use super::{Boot, COMM_BYTES, fingerprint};
use crate::clock::Moment;
use crate::text::cut;

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

/// A report of the kernel as a record of `boot`, its text beside what was understood of it.
pub fn kernel_report(boot: &Boot, report: &KernelReport, text: &str, truncated: bool, at: Moment) -> Record {
    let mut record = boot.record(report.class, report.severity, &report.title, at);
    record.fingerprints = faults::fingerprint::of_report(report)
        .iter()
        .filter_map(fingerprint)
        .collect();
    record.payload = Some(Payload::KernelReport(WireReport {
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
    }));
    record
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

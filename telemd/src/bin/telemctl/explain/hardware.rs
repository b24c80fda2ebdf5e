//! What hardware says in a report, decoded as `telemctl decode` does it.

use faults::ras::{MemoryController, MemoryFailure};
use faults::{LogReport, ReportKind, aer, cper, mce};

use crate::decode::Record;

/// Errors of one report that are decoded.
const ERRORS_MAX: usize = 16;

/// The hardware errors that a report shows; none for reports of software.
pub(super) fn decoded(found: &LogReport) -> Vec<Record> {
    let text = &found.text;
    let mut records: Vec<Record> = match found.report.kind {
        ReportKind::MachineCheck => {
            let checks = mce::read_text(text);
            checks
                .iter()
                .map(|check| Record::machine_check(check, &[]))
                .collect()
        }
        ReportKind::PcieError => aer::of_log(text.lines()).iter().map(Record::aer).collect(),
        ReportKind::MemoryFailure => {
            let failures = text.lines().filter_map(MemoryFailure::of_line);
            failures
                .map(|failure| Record::hardware(&failure.hardware_error()))
                .collect()
        }
        ReportKind::MemoryError => {
            let errors = text.lines().filter_map(MemoryController::of_line);
            errors
                .map(|error| Record::hardware(&error.hardware_error()))
                .collect()
        }
        _ => Vec::new(),
    };
    let is_firmware = matches!(
        found.report.kind,
        ReportKind::PcieError
            | ReportKind::MemoryError
            | ReportKind::MachineCheck
            | ReportKind::FirmwareError
    );
    if records.is_empty() && is_firmware {
        let region = cper::of_log(text.lines());
        records.extend(region.sections().map(Record::section));
    }
    records.truncate(ERRORS_MAX);
    records
}

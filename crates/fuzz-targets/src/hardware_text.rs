//! Kernel log text about hardware: error status blocks, PCI Express, memory controllers, broken pages.

use faults::{aer, cper, ras};

pub(crate) fn run(bytes: &[u8]) {
    let text = &*String::from_utf8_lossy(bytes);
    let region = cper::of_log(text.lines());
    assert!(region.blocks.len() <= cper::MAX_LOG_BLOCKS);
    for section in region.sections() {
        let _ = section.hardware_error();
    }
    let reports = aer::of_log(text.lines());
    assert!(reports.len() <= aer::MAX_REPORTS);
    for report in reports {
        let _ = report.hardware_error();
    }
    for line in text.lines() {
        if let Some(event) = ras::MemoryController::of_line(line) {
            let _ = event.hardware_error();
        }
        if let Some(failure) = ras::MemoryFailure::of_line(line) {
            let _ = failure.hardware_error();
        }
    }
    let _ = ras::PageTypes::from_format(text).name(0);
}

//! What `drivers/pci/pcie/aer.c` prints, Linux 5.10 to 7.x.

use super::{AerError, AerSeverity, ErrorBit};
use crate::bytes::hexadecimal;
use crate::hardware::{PciAddress, PciId};

/// Most reports that are read from one log.
pub const MAX_REPORTS: usize = 1024;

/// How many reports back a line may belong to: reports of several devices may be interleaved.
const REACH: usize = 16;

/// How many colons of a line are tried as the end of the device's name.
const MAX_COLONS: usize = 12;

/// Reads the reports out of a kernel log, with or without the prefix of the log. Lines of other sorts are passed over.
///
/// ```
/// use faults::aer;
///
/// let log = "pcieport 0000:00:1c.0: AER: Corrected error received: 0000:00:1c.0\n\
///            pcieport 0000:00:1c.0: PCIe Bus Error: severity=Corrected, type=Physical Layer, (Receiver ID)\n\
///            pcieport 0000:00:1c.0:   device [8086:a110] error status/mask=00000001/00002000\n\
///            pcieport 0000:00:1c.0:    [ 0] RxErr                  (First)\n";
/// let reports = aer::of_log(log.lines());
/// assert_eq!(reports[0].hardware_error().title, "PCIe error: Receiver Error on 8086:a110 (corrected)");
/// ```
pub fn of_log<'a>(lines: impl IntoIterator<Item = &'a str>) -> Vec<AerError> {
    let mut reports: Vec<AerError> = Vec::new();
    for message in lines.into_iter().filter_map(message) {
        if let Some(mut report) = begins_report(message.text) {
            report.device = Some(message.device);
            report.driver = Some(message.driver.to_owned()).filter(|driver| !driver.is_empty());
            if reports.len() < MAX_REPORTS {
                reports.push(report);
            }
            continue;
        }
        let mut recent = reports.iter_mut().rev().take(REACH);
        if let Some(report) = recent.find(|report| report.device == Some(message.device)) {
            continues_report(report, message.text);
        }
    }
    reports
}

/// A line of a device's: `pcieport 0000:00:1c.0: AER: ...`.
struct Message<'a> {
    driver: &'a str,
    device: PciAddress,
    text: &'a str,
}

fn message(line: &str) -> Option<Message<'_>> {
    line.match_indices(": ").take(MAX_COLONS).find_map(|(at, _)| {
        let (before, text) = line.split_at(at);
        let (before, name) = before.rsplit_once(' ').unwrap_or(("", before));
        // The kernel always prints the segment.
        let device = Some(name)
            .filter(|name| name.matches(':').count() == 2)?
            .parse()
            .ok()?;
        let text = text.trim_start_matches([':', ' ']);
        Some(Message {
            driver: before.rsplit(' ').next().unwrap_or_default(),
            device,
            text: text.strip_prefix("AER:").unwrap_or(text).trim(),
        })
    })
}

/// `aer_print_error`, and `pci_print_aer` for errors that firmware reported.
fn begins_report(text: &str) -> Option<AerError> {
    if let Some(status) = text.strip_prefix("aer_status: ") {
        // Its severity is not printed: what follows for uncorrectable errors only tells.
        return Some(AerError {
            status: number(status)?,
            mask: text.split_once("aer_mask: ").and_then(|(_, mask)| number(mask)),
            ..AerError::new(AerSeverity::Corrected)
        });
    }
    let text = text.strip_prefix("PCIe Bus Error: severity=")?;
    let severity = if text.starts_with("Correct") {
        AerSeverity::Corrected
    } else if text.contains("(Fatal)") {
        AerSeverity::Fatal
    } else {
        AerSeverity::NonFatal
    };
    let agent = text
        .rsplit_once('(')
        .and_then(|(_, agent)| agent.strip_suffix(')'));
    Some(AerError {
        agent: agent.filter(|agent| agent.ends_with("ID")).map(str::to_owned),
        ..AerError::new(severity)
    })
}

fn continues_report(report: &mut AerError, text: &str) {
    if let Some(rest) = text.strip_prefix("device [") {
        let (id, rest) = rest.split_once(']').unwrap_or(("", rest));
        report.id = pci_id(id).or(report.id);
        if let Some((status, mask)) = rest
            .split_once("status/mask=")
            .and_then(|(_, pair)| pair.split_once('/'))
        {
            report.status = number(status).unwrap_or(report.status);
            report.mask = number(mask).or(report.mask);
        }
    } else if let Some(rest) = text.strip_prefix('[') {
        named_bit(report, rest);
    } else if let Some(header) = text.strip_prefix("TLP Header:") {
        let mut words = header.split_ascii_whitespace().map(number);
        let mut next = || words.next().flatten();
        if let (Some(first), Some(second), Some(third), Some(fourth)) = (next(), next(), next(), next()) {
            report.tlp_header = Some([first, second, third, fourth]);
        }
    } else if let Some(fatal) = text.strip_prefix("aer_uncor_severity: ") {
        uncorrectable(report, number(fatal));
    } else if let Some((_, agent)) = text.split_once("aer_agent=") {
        report.agent = Some(agent.trim().to_owned());
    }
}

/// `[20] UnsupReq               (First)`; the name is known better from the number.
fn named_bit(report: &mut AerError, text: &str) {
    let Some((bit, rest)) = text.split_once(']') else {
        return;
    };
    let Some(bit) = bit.trim().parse::<u8>().ok().filter(|bit| *bit < 32) else {
        return;
    };
    if rest.contains("(First)") {
        report.first_error = Some(bit);
    }
    // A log without the line before still tells the bits.
    if report.mask.is_none() {
        report.status |= 1 << bit;
    }
}

/// Only uncorrectable errors come with the register that says which of them are fatal.
fn uncorrectable(report: &mut AerError, fatal: Option<u32>) {
    report.uncorrectable_severity = fatal;
    let set = report.status & !report.mask.unwrap_or(0) & fatal.unwrap_or(0);
    report.severity = if ErrorBit::of_register(AerSeverity::Fatal, set).is_empty() {
        AerSeverity::NonFatal
    } else {
        AerSeverity::Fatal
    };
}

/// A hexadecimal number at the beginning of text, with or without `0x`.
fn number(text: &str) -> Option<u32> {
    let text = text.trim_start();
    let digits = text.strip_prefix("0x").unwrap_or(text).as_bytes();
    let length = digits.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    u32::try_from(hexadecimal(digits.get(..length)?)?).ok()
}

fn pci_id(text: &str) -> Option<PciId> {
    let (vendor, device) = text.split_once(':')?;
    Some(PciId {
        vendor: number(vendor)?.try_into().ok()?,
        device: number(device)?.try_into().ok()?,
    })
}

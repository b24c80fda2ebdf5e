//! Errors of PCI Express links and devices: the Advanced Error Reporting registers, as the kernel's `ras:aer_event`, its
//! log text and CPER sections carry them.
//!
//! Bits and names are those of the PCI Express base specification 6.0, 7.8.4; the short names are those that the kernel
//! prints (`drivers/pci/pcie/aer.c`).

mod names;
mod text;
mod tlp;

pub use names::{ErrorBit, Layer};
pub use text::{MAX_REPORTS, of_log};
pub use tlp::{Completion, Tlp};

use crate::cper::{ALWAYS, le};
use crate::hardware::{Field, Fields, HardwareError, PciAddress, PciId, Place, hex, meaning, part, plain};
use crate::{Class, Severity};
use std::fmt;

/// How bad an error is for the link, in the numbers of the kernel's `AER_*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AerSeverity {
    /// Uncorrectable: a transaction failed, the link works.
    NonFatal,
    /// Uncorrectable: the link cannot be trusted; the kernel resets it.
    Fatal,
    /// Corrected by hardware.
    Corrected,
}

impl AerSeverity {
    /// From `severity` of `ras:aer_event`.
    pub const fn of_kernel(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::NonFatal),
            1 => Some(Self::Fatal),
            2 => Some(Self::Corrected),
            _ => None,
        }
    }

    /// The lower-case name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NonFatal => "non-fatal",
            Self::Fatal => "fatal",
            Self::Corrected => "corrected",
        }
    }

    fn severity(self) -> Severity {
        match self {
            Self::Corrected => Severity::Low,
            Self::NonFatal => Severity::High,
            Self::Fatal => Severity::Critical,
        }
    }
}

impl fmt::Display for AerSeverity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for AerSeverity {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// One report of a device's error registers.
///
/// ```
/// use faults::aer::{AerError, AerSeverity};
///
/// let error = AerError { status: 0x0000_4000, ..AerError::new(AerSeverity::NonFatal) };
/// assert_eq!(error.hardware_error().title, "PCIe error: Completion Timeout (non-fatal)");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct AerError {
    /// The function whose registers these are.
    pub device: Option<PciAddress>,
    /// Its vendor and device id.
    pub id: Option<PciId>,
    /// The driver that was bound to it, or `pcieport`.
    pub driver: Option<String>,
    /// How bad.
    pub severity: AerSeverity,
    /// The correctable or uncorrectable status register, as `severity` says.
    pub status: u32,
    /// The mask of that register: errors that are not to be reported.
    pub mask: Option<u32>,
    /// Which uncorrectable errors count as fatal.
    pub uncorrectable_severity: Option<u32>,
    /// Number of the status bit that was set first.
    pub first_error: Option<u8>,
    /// The four words of the packet that was in error, byte 0 in the highest bits.
    pub tlp_header: Option<[u32; 4]>,
    /// The agent that detected the error, by the kernel: `Receiver ID`, `Completer ID`, ...
    pub agent: Option<String>,
}

impl AerError {
    /// An error of which nothing else is known yet.
    pub fn new(severity: AerSeverity) -> Self {
        Self {
            device: None,
            id: None,
            driver: None,
            severity,
            status: 0,
            mask: None,
            uncorrectable_severity: None,
            first_error: None,
            tlp_header: None,
            agent: None,
        }
    }

    /// From the fields of `ras:aer_event`: the device's name, the status without what is masked, the severity, and the
    /// packet's header when it is valid. `None` for a severity that the kernel does not have. `header` may be longer than
    /// four words: since Linux 6.16 prefixes follow.
    pub fn of_event(device: &str, status: u32, severity: u8, header: Option<&[u32]>) -> Option<Self> {
        Some(Self {
            device: device.parse().ok(),
            status,
            tlp_header: header.and_then(|words| words.get(..4)?.try_into().ok()),
            ..Self::new(AerSeverity::of_kernel(severity)?)
        })
    }

    /// The errors that are set and not masked, lowest bit first.
    pub fn errors(&self) -> Vec<ErrorBit> {
        ErrorBit::of_register(self.severity, self.status & !self.mask.unwrap_or(0))
    }

    /// The error to name this report by: the first one, when the device says which, else the lowest bit.
    pub fn main_error(&self) -> Option<ErrorBit> {
        let errors = self.errors();
        let first = self.first_error.map(u32::from);
        let main = errors.iter().find(|error| Some(error.bit) == first);
        main.or(errors.first()).copied()
    }

    /// The packet in error.
    pub fn tlp(&self) -> Option<Tlp> {
        self.tlp_header.and_then(Tlp::decode)
    }

    /// What failed, how bad, where, what to do.
    pub fn hardware_error(&self) -> HardwareError {
        let main = self.main_error();
        let name = main.map_or("no error bit set", |error| error.name);
        let on = self.id.map(|id| format!(" on {id}")).unwrap_or_default();
        HardwareError {
            class: Class::HardwarePcieError,
            severity: self.severity.severity(),
            title: format!("PCIe error: {name}{on} ({})", self.severity),
            what: match self.errors().as_slice() {
                [] => name.to_owned(),
                errors => errors
                    .iter()
                    .map(|error| error.name)
                    .collect::<Vec<_>>()
                    .join(", "),
            },
            place: Place {
                pci: self.device,
                part: self.id.map(|id| format!("PCI device {id}")),
                ..Place::default()
            },
            advice: main.map_or(names::NO_ERROR_ADVICE, |error| error.layer.advice()),
            fields: self.fields(),
        }
    }

    fn fields(&self) -> Vec<Field> {
        let mut fields = Fields::default();
        if let Some(device) = &self.device {
            fields.text("device", device);
        }
        if let Some(id) = &self.id {
            fields.text("id", id);
        }
        if let Some(driver) = &self.driver {
            fields.text("driver", driver);
        }
        fields.text("severity", self.severity);
        fields.add("status", names::register(self.severity, self.status));
        if let Some(mask) = self.mask {
            fields.add("mask", names::register(self.severity, mask));
        }
        if let Some(fatal) = self.uncorrectable_severity {
            fields.add(
                "uncorrectable_severity",
                meaning(hex(fatal), "these count as fatal"),
            );
        }
        if let Some(main) = self.main_error() {
            fields.add("layer", plain(main.layer.as_str()));
        }
        if let Some(first) = self.first_error {
            let bit = ErrorBit::of_bit(self.severity, u32::from(first));
            fields.add(
                "first_error",
                meaning(plain(first), bit.map_or("reserved", |bit| bit.name)),
            );
        }
        if let Some(agent) = &self.agent {
            fields.text("agent", agent);
        }
        show_tlp(self.tlp_header, &mut fields);
        fields.list
    }
}

/// The packet header as words, and what it asks for.
pub(crate) fn show_tlp(words: Option<[u32; 4]>, fields: &mut Fields) {
    let Some(words) = words else { return };
    let text = words.map(|word| format!("{word:08x}")).join(" ");
    let tlp = Tlp::decode(words);
    let shown = plain(&text);
    fields.add(
        "tlp_header",
        match &tlp {
            Some(tlp) => meaning(shown, tlp.to_string()),
            None => shown,
        },
    );
}

crate::cper::layout! {
    /// The Advanced Error Reporting capability of a device, 96 bytes, as PCI Express sections of CPER carry it
    /// (PCI Express base specification 6.0, 7.8.4).
    pub struct AerRegisters {
        /// Uncorrectable errors that happened.
        uncorrectable_status: u32 = bit ALWAYS, le(4), names::uncorrectable;
        /// Uncorrectable errors that are not reported.
        uncorrectable_mask: u32 = bit ALWAYS, le(8), names::uncorrectable;
        /// Uncorrectable errors that count as fatal.
        uncorrectable_severity: u32 = bit ALWAYS, le(12), names::uncorrectable;
        /// Correctable errors that happened.
        correctable_status: u32 = bit ALWAYS, le(16), names::correctable;
        /// Correctable errors that are not reported.
        correctable_mask: u32 = bit ALWAYS, le(20), names::correctable;
        /// Capabilities and control; bits 4:0 are the number of the first error.
        control: u32 = bit ALWAYS, le(24), hex;
        /// Root ports: which errors raise an interrupt.
        root_command: u32 = bit ALWAYS, le(44), hex;
        /// Root ports: which errors were received.
        root_status: u32 = bit ALWAYS, le(48), hex;
        /// Root ports: requester of the first correctable error message.
        correctable_source: u16 = bit ALWAYS, le(52), requester;
        /// Root ports: requester of the first uncorrectable error message.
        uncorrectable_source: u16 = bit ALWAYS, le(54), requester;
    }
}

fn requester(id: u16) -> crate::hardware::Shown {
    meaning(hex(id), PciAddress::of_requester(0, id).to_string())
}

impl AerRegisters {
    /// The header of the packet in error; `None` when nothing was logged.
    pub(crate) fn tlp_header(bytes: &[u8]) -> Option<[u32; 4]> {
        let word = |index: usize| le::<u32>(28 + 4 * index)(bytes);
        let words = [word(0)?, word(1)?, word(2)?, word(3)?];
        Some(words).filter(|words| *words != [0; 4])
    }

    /// Only roots have the registers of a root.
    pub(crate) fn forget_root(&mut self) {
        (self.root_command, self.root_status) = (None, None);
        (self.correctable_source, self.uncorrectable_source) = (None, None);
    }

    /// The report that these registers make at a severity.
    pub fn error(&self, severity: AerSeverity, tlp_header: Option<[u32; 4]>) -> AerError {
        let corrected = severity == AerSeverity::Corrected;
        let (status, mask) = if corrected {
            (self.correctable_status, self.correctable_mask)
        } else {
            (self.uncorrectable_status, self.uncorrectable_mask)
        };
        AerError {
            status: status.unwrap_or(0),
            mask,
            uncorrectable_severity: self.uncorrectable_severity.filter(|_| !corrected),
            first_error: (!corrected)
                .then(|| self.control.map(|control| part(control, 0, 5)))
                .flatten(),
            tlp_header: tlp_header.filter(|_| !corrected),
            ..AerError::new(severity)
        }
    }
}

#[cfg(test)]
mod tests;

//! The bits of the error registers, and what each asks people to do.

use super::AerSeverity;
use crate::hardware::{Shown, hex, meaning};

/// The layer of the link at which an error is detected (PCI Express base specification, table 6-2 and 6.2.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    /// Signals on the wire.
    Physical,
    /// Packets between two ends of one link, with their retries.
    DataLink,
    /// Requests and completions between devices.
    Transaction,
}

impl Layer {
    /// The lower-case name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Physical => "physical layer",
            Self::DataLink => "data link layer",
            Self::Transaction => "transaction layer",
        }
    }

    pub(super) const fn advice(self) -> &'static str {
        match self {
            Self::Physical | Self::DataLink => {
                "Reseat or replace the card, its cable or riser, and look for a slot that does not hold its link speed."
            }
            Self::Transaction => {
                "Update the device's firmware and driver; when it goes on, move the device to another slot and replace it."
            }
        }
    }
}

pub(super) const NO_ERROR_ADVICE: &str = "Read the device's error registers again: the report names no error, which happens when the device is gone.";

#[cfg(feature = "serde")]
impl serde::Serialize for Layer {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// One bit of an error register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct ErrorBit {
    /// Number of the bit.
    pub bit: u32,
    /// Name in the specification: `Completion Timeout`.
    pub name: &'static str,
    /// Name in the kernel's log: `CmpltTO`.
    pub short: &'static str,
    /// Where on the link it is detected.
    pub layer: Layer,
}

const fn bit(bit: u32, short: &'static str, name: &'static str, layer: Layer) -> ErrorBit {
    ErrorBit {
        bit,
        name,
        short,
        layer,
    }
}

/// Correctable error status, 7.8.4.5.
const CORRECTABLE: &[ErrorBit] = &[
    bit(0, "RxErr", "Receiver Error", Layer::Physical),
    bit(6, "BadTLP", "Bad TLP", Layer::DataLink),
    bit(7, "BadDLLP", "Bad DLLP", Layer::DataLink),
    bit(8, "Rollover", "Replay Number Rollover", Layer::DataLink),
    bit(12, "Timeout", "Replay Timer Timeout", Layer::DataLink),
    bit(13, "NonFatalErr", "Advisory Non-Fatal Error", Layer::Transaction),
    bit(14, "CorrIntErr", "Corrected Internal Error", Layer::Transaction),
    bit(15, "HeaderOF", "Header Log Overflow", Layer::Transaction),
];

/// Uncorrectable error status, 7.8.4.2. Linux names bits up to 26.
const UNCORRECTABLE: &[ErrorBit] = &[
    bit(
        0,
        "Undefined",
        "Undefined (training error of PCIe 1.0a)",
        Layer::Physical,
    ),
    bit(4, "DLP", "Data Link Protocol Error", Layer::DataLink),
    bit(5, "SDES", "Surprise Down Error", Layer::DataLink),
    bit(12, "TLP", "Poisoned TLP", Layer::Transaction),
    bit(13, "FCP", "Flow Control Protocol Error", Layer::Transaction),
    bit(14, "CmpltTO", "Completion Timeout", Layer::Transaction),
    bit(15, "CmpltAbrt", "Completer Abort", Layer::Transaction),
    bit(16, "UnxCmplt", "Unexpected Completion", Layer::Transaction),
    bit(17, "RxOF", "Receiver Overflow", Layer::Transaction),
    bit(18, "MalfTLP", "Malformed TLP", Layer::Transaction),
    bit(19, "ECRC", "ECRC Error", Layer::Transaction),
    bit(20, "UnsupReq", "Unsupported Request", Layer::Transaction),
    bit(21, "ACSViol", "ACS Violation", Layer::Transaction),
    bit(
        22,
        "UncorrIntErr",
        "Uncorrectable Internal Error",
        Layer::Transaction,
    ),
    bit(23, "BlockedTLP", "Multicast Blocked TLP", Layer::Transaction),
    bit(
        24,
        "AtomicOpBlocked",
        "AtomicOp Egress Blocked",
        Layer::Transaction,
    ),
    bit(25, "TLPBlockedErr", "TLP Prefix Blocked", Layer::Transaction),
    bit(
        26,
        "PoisonTLPBlocked",
        "Poisoned TLP Egress Blocked",
        Layer::Transaction,
    ),
    bit(
        27,
        "DMWrReqBlocked",
        "DMWr Request Egress Blocked",
        Layer::Transaction,
    ),
    bit(28, "IDECheck", "IDE Check Failed", Layer::Transaction),
    bit(29, "MisIDETLP", "Misrouted IDE TLP", Layer::Transaction),
    bit(30, "PCRC_CHECK", "PCRC Check Failed", Layer::Transaction),
    bit(
        31,
        "TLPXlatBlocked",
        "TLP Translation Egress Blocked",
        Layer::Transaction,
    ),
];

impl ErrorBit {
    /// The named bits that are set in the status register of a severity, lowest first.
    pub fn of_register(severity: AerSeverity, register: u32) -> Vec<Self> {
        table(severity)
            .iter()
            .filter(|error| register >> error.bit & 1 != 0)
            .copied()
            .collect()
    }

    /// The meaning of one bit.
    pub fn of_bit(severity: AerSeverity, bit: u32) -> Option<Self> {
        table(severity).iter().find(|error| error.bit == bit).copied()
    }
}

fn table(severity: AerSeverity) -> &'static [ErrorBit] {
    match severity {
        AerSeverity::Corrected => CORRECTABLE,
        AerSeverity::NonFatal | AerSeverity::Fatal => UNCORRECTABLE,
    }
}

pub(super) fn register(severity: AerSeverity, value: u32) -> Shown {
    let names: Vec<&str> = ErrorBit::of_register(severity, value)
        .iter()
        .map(|error| error.name)
        .collect();
    if names.is_empty() {
        hex(value)
    } else {
        meaning(hex(value), names.join(", "))
    }
}

pub(super) fn uncorrectable(value: u32) -> Shown {
    register(AerSeverity::Fatal, value)
}

pub(super) fn correctable(value: u32) -> Shown {
    register(AerSeverity::Corrected, value)
}

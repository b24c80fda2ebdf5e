//! PCI Express errors.

use std::ffi::OsString;

use faults::aer::{self, AerError, AerSeverity};
use faults::hardware::{HardwareError, PciAddress};
use serde::Serialize;

use super::mce::register_32;
use super::{Content, Decoded, Record, Refused, hardware, read};

/// Uncorrectable errors that are fatal unless software decides otherwise: the register's value after a reset (PCI
/// Express base specification, "Uncorrectable Error Severity Register").
const FATAL_AFTER_RESET: u32 = 0x0046_2030;

const EXAMPLES: &str = "Examples:
  telemctl decode aer --correctable 0x40
  telemctl decode aer --uncorrectable 0x4000 --mask 0x100000 --severity 0x462030 --tlp \"40009001 0000000f fedc0000 00000000\"
  dmesg | telemctl decode aer";

/// Decode errors of PCI Express: Advanced Error Reporting registers, or the kernel's text of them.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Options {
    /// A kernel log; - or none: stdin.
    #[arg(value_name = "FILE", conflicts_with = "status")]
    file: Option<OsString>,
    #[command(flatten)]
    status: Status,
    /// The mask of that register: errors that are not reported.
    #[arg(long, value_name = "HEX", value_parser = register_32, requires = "status")]
    mask: Option<u32>,
    /// The uncorrectable error severity register. Not given: its value after a reset, 0x462030.
    #[arg(long, value_name = "HEX", value_parser = register_32, requires = "uncorrectable")]
    severity: Option<u32>,
    /// Number of the error that came first: bits 4:0 of the control register.
    #[arg(long, value_name = "N", requires = "uncorrectable", value_parser = clap::value_parser!(u8).range(..32))]
    first: Option<u8>,
    /// The header of the packet in error: four words in hexadecimal.
    #[arg(long, value_name = "WORDS", value_parser = tlp, requires = "uncorrectable")]
    tlp: Option<[u32; 4]>,
    /// The PCI function, such as 0000:00:1c.5.
    #[arg(long, value_name = "ADDRESS", requires = "status")]
    device: Option<PciAddress>,
}

/// The register that decides what the others mean.
#[derive(Debug, clap::Args)]
#[group(id = "status", multiple = false)]
struct Status {
    /// The correctable error status register; registers are in hexadecimal, with or without 0x.
    #[arg(long, value_name = "HEX", value_parser = register_32)]
    correctable: Option<u32>,
    /// The uncorrectable error status register.
    #[arg(long, value_name = "HEX", value_parser = register_32)]
    uncorrectable: Option<u32>,
}

fn tlp(text: &str) -> Result<[u32; 4], String> {
    let words = text.split([' ', ',']).filter(|word| !word.is_empty());
    let words: Vec<u32> = words.map(register_32).collect::<Result<_, _>>()?;
    let four = || {
        "write four words of 8 hexadecimal digits, such as \"40009001 0000000f fedc0000 00000000\"".to_owned()
    };
    words.try_into().map_err(|_other| four())
}

pub(super) fn decode(options: &Options) -> Result<Decoded, Refused> {
    if let Some(error) = options.error() {
        return Ok(Decoded {
            file: None,
            records: vec![Record::aer(&error)],
            error: None,
        });
    }
    let (file, content) = read(options.file.as_deref(), "decode aer")?;
    let (errors, error) = match content {
        Content::Text(text) => (aer::of_log(text.lines()), None),
        Content::Binary(_) => (
            Vec::new(),
            Some("is no text; give registers as flags, see --help".to_owned()),
        ),
    };
    Ok(Decoded {
        file: Some(file),
        records: errors.iter().map(Record::aer).collect(),
        error,
    })
}

impl Options {
    /// The error that the flags describe.
    fn error(&self) -> Option<AerError> {
        let (severity, status) = match (self.status.correctable, self.status.uncorrectable) {
            (Some(status), _) => (AerSeverity::Corrected, status),
            (None, Some(status)) => (self.severity_of(status), status),
            (None, None) => return None,
        };
        Some(AerError {
            device: self.device,
            status,
            mask: self.mask,
            uncorrectable_severity: self.severity,
            first_error: self.first,
            tlp_header: self.tlp,
            ..AerError::new(severity)
        })
    }

    /// One fatal error that is not masked makes the whole fatal.
    fn severity_of(&self, status: u32) -> AerSeverity {
        let fatal = self.severity.unwrap_or(FATAL_AFTER_RESET);
        if status & !self.mask.unwrap_or(0) & fatal == 0 {
            AerSeverity::NonFatal
        } else {
            AerSeverity::Fatal
        }
    }
}

impl Record {
    pub(crate) fn aer(error: &AerError) -> Self {
        let hardware = error.hardware_error();
        let both = Both {
            error: &hardware,
            registers: error,
        };
        Self::new(&both, hardware::sheet(&hardware))
    }
}

/// An error as programs get it.
#[derive(Debug, Serialize)]
struct Both<'a> {
    #[serde(flatten)]
    error: &'a HardwareError,
    registers: &'a AerError,
}

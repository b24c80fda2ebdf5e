//! What a tracepoint's record means.

use faults::{Class, ReportKind, Severity, hardware::HardwareError};

/// Longest title, bytes (`Record.title`).
const TITLE_BYTES: usize = 256;

/// What a record means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The sort of fault.
    pub class: Class,
    /// How bad it is.
    pub severity: Severity,
    /// One line for people, at most 256 bytes. Records are grouped by it: no address, count or name of one machine.
    pub title: String,
    /// The error of the hardware that the record tells.
    pub hardware: Option<Box<HardwareError>>,
    /// Kernel text that tells the same fault.
    pub twin: Option<Twin>,
    /// Set for a fault that goes on, which the kernel reports again and again.
    pub once: Option<Once>,
    /// The block device that it happened on.
    pub device: Option<Device>,
    /// How many errors it stands for.
    pub count: u64,
    /// The field that holds the bytes of which `hardware` was made.
    pub raw: Option<&'static str>,
}

/// A block device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Device {
    /// As tracepoints number it: `major << 20 | minor` (`include/linux/kdev_t.h`).
    pub number: u32,
    /// Its sort (`sd`) ends the title, as it does in the kernel's text.
    pub in_title: bool,
}

impl Told {
    /// A fault of which there is no more to say than its title.
    pub(crate) fn new(class: Class, severity: Severity, title: impl AsRef<str>) -> Self {
        Self {
            class,
            severity,
            title: line(title.as_ref()),
            hardware: None,
            twin: None,
            once: None,
            device: None,
            count: 1,
            raw: None,
        }
    }

    /// An error of the hardware.
    pub(super) fn hardware(error: HardwareError) -> Self {
        Self {
            hardware: Some(Box::new(error.clone())),
            ..Self::new(error.class, error.severity, error.title)
        }
    }

    /// The same, on the block device that a field numbers.
    pub(super) fn on_device(self, number: Option<u32>) -> Self {
        let device = number.map(|number| Device {
            number,
            in_title: false,
        });
        Self { device, ..self }
    }

    /// The same, made of the bytes in a field.
    pub(super) fn made_of(self, field: &'static str) -> Self {
        Self {
            raw: Some(field),
            ..self
        }
    }
}

/// One line of printable text, at most [`TITLE_BYTES`] long: names of drivers and firmware are foreign.
fn line(text: &str) -> String {
    let printable: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let printable = printable.trim();
    printable[..printable.floor_char_boundary(TITLE_BYTES)].to_owned()
}

/// Kernel text that tells the same fault as an event, so that it is stored once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Twin {
    /// The kinds of report that it is; none: every report of the kernel about itself.
    pub kinds: &'static [ReportKind],
    /// One of these is in the text; none: its kind is enough.
    pub says: &'static [&'static str],
    /// Which of the two is stored.
    pub best: Best,
}

/// Which of an event and its text says more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Best {
    /// The event: the text is left out.
    Hook,
    /// The text: the event says who was running, and is stored when no text comes.
    Text,
}

/// What tells a fault that goes on from others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Once {
    /// The same for every event of the fault.
    pub key: String,
    /// After this long without an event it is another fault, nanoseconds.
    pub quiet_ns: u64,
}

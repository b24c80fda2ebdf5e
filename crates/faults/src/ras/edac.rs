//! Errors that memory controllers report to EDAC: `ras:mc_event`, and what `drivers/edac/edac_mc.c` prints.

use crate::bytes::{Cursor, hexadecimal};
use crate::cper::memory_advice;
use crate::hardware::{Field, Fields, HardwareError, PAGE_BYTES, Place, hex, plain};
use crate::{Class, Severity};
use std::fmt;

/// How bad, in the numbers of the kernel's `enum hw_event_mc_err_type` (`include/linux/edac.h`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum McSeverity {
    /// Corrected by hardware.
    Corrected,
    /// Not corrected.
    Uncorrected,
    /// Not corrected, and not used by anybody yet.
    Deferred,
    /// Not corrected; the machine cannot go on.
    Fatal,
    /// No error, but something to know.
    Informational,
}

impl McSeverity {
    /// From `error_type` of the tracepoint.
    pub const fn of_kernel(number: u32) -> Option<Self> {
        match number {
            0 => Some(Self::Corrected),
            1 => Some(Self::Uncorrected),
            2 => Some(Self::Deferred),
            3 => Some(Self::Fatal),
            4 => Some(Self::Informational),
            _ => None,
        }
    }

    /// The lower-case name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Corrected => "corrected",
            Self::Uncorrected => "uncorrected",
            Self::Deferred => "deferred",
            Self::Fatal => "fatal",
            Self::Informational => "informational",
        }
    }

    const fn severity(self) -> Severity {
        match self {
            Self::Corrected | Self::Informational => Severity::Low,
            Self::Deferred => Severity::Medium,
            Self::Uncorrected => Severity::High,
            Self::Fatal => Severity::Critical,
        }
    }
}

impl fmt::Display for McSeverity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for McSeverity {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// One step on the way from the controller to the module.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Layer {
    /// What it is: `channel`, `slot`, `csrow`. The tracepoint does not say; then it is `layer`.
    pub name: &'static str,
    /// Its number.
    pub number: u32,
}

/// Names of layers in the log (`edac_layer_name`), and those of firmware (`drivers/edac/ghes_edac.c`).
const LAYER_NAMES: &[&str] = &[
    "branch",
    "channel",
    "slot",
    "csrow",
    "memory",
    "node",
    "card",
    "module",
    "rank",
    "bank",
    "bank_group",
    "bank_address",
    "device",
    "row",
    "column",
    "bit_position",
    "chip_id",
];

/// An error that a memory controller reported.
///
/// ```
/// use faults::ras::MemoryController;
///
/// let line = "EDAC MC0: 2 CE memory read error on CPU_SrcID#0_MC#0_Chan#0_DIMM#0 (channel:0 slot:0 \
///             page:0x12345 offset:0x40 grain:32 syndrome:0x0)";
/// let error = MemoryController::of_line(line).unwrap().hardware_error();
/// assert_eq!(error.title, "memory error: memory read error (corrected)");
/// assert_eq!(error.place.part.as_deref(), Some("CPU_SrcID#0_MC#0_Chan#0_DIMM#0"));
/// assert_eq!(error.place.page(), Some(0x12345));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct MemoryController {
    /// How bad.
    pub severity: McSeverity,
    /// What the driver says: `memory read error`; often empty.
    pub message: String,
    /// The module, by the label that EDAC knows it by; several when the driver cannot tell, joined by ` or `.
    pub label: String,
    /// How many errors.
    pub count: u32,
    /// Number of the controller.
    pub controller: u32,
    /// The way to the module, from the controller on.
    pub layers: Vec<Layer>,
    /// Physical address; drivers that do not know it report 0, which is `None` here.
    pub address: Option<u64>,
    /// Bytes within which the address is exact.
    pub grain: Option<u64>,
    /// Which bits were wrong, as the controller tells it.
    pub syndrome: Option<u64>,
    /// What else the driver says.
    pub detail: String,
}

impl MemoryController {
    /// The layers of the tracepoint: numbers, of which negative ones are not known.
    pub fn event_layers(top: i8, middle: i8, lower: i8) -> Vec<Layer> {
        let known = [top, middle, lower]
            .into_iter()
            .filter_map(|number| u32::try_from(number).ok());
        known
            .map(|number| Layer {
                name: "layer",
                number,
            })
            .collect()
    }

    /// Address and grain as the tracepoint has them; `grain_bits` is the binary logarithm.
    #[must_use]
    pub fn at(mut self, address: u64, grain_bits: u8) -> Self {
        self.address = Some(address).filter(|address| *address != 0);
        self.grain = 1u64.checked_shl(grain_bits.into());
        self
    }

    /// Reads a line of the kernel log (Linux 3.5 and later), with or without the prefix of the log.
    pub fn of_line(line: &str) -> Option<Self> {
        let start = line.find("EDAC MC")?;
        let mut rest = Cursor::new(line.as_bytes().get(start + 7..)?);
        let controller = u32::try_from(rest.number()?).ok()?;
        if !rest.eat(b":") {
            return None;
        }
        rest.spaces();
        let count = u32::try_from(rest.number()?).ok()?;
        rest.spaces();
        let severity = if rest.eat(b"CE ") {
            McSeverity::Corrected
        } else if rest.eat(b"UE ") {
            McSeverity::Uncorrected
        } else {
            return None;
        };
        let text = std::str::from_utf8(rest.rest()).ok()?;
        // The driver's words and the label may hold parentheses of their own.
        let mut opened = text.match_indices(" (").map(|(at, _)| at);
        let open = opened.find(|at| begins_location(text, *at))?;
        let (before, location) = text.split_at(open);
        let (message, label) = match before.split_once(" on ") {
            Some((message, label)) => (message.trim(), label.trim()),
            None => ("", before.trim().trim_start_matches("on ")),
        };
        let location = location.trim().trim_start_matches('(').trim_end_matches(')');
        let mut error = Self {
            severity,
            message: message.to_owned(),
            label: label.to_owned(),
            count,
            controller,
            layers: Vec::new(),
            address: None,
            grain: None,
            syndrome: None,
            detail: String::new(),
        };
        error.read_location(location);
        Some(error)
    }

    /// Reads `channel:0 slot:0 page:0x12345 offset:0x40 grain:32 syndrome:0x0 - what the driver says`.
    fn read_location(&mut self, location: &str) {
        let (location, detail) = location.split_once(" - ").unwrap_or((location, ""));
        detail.trim().clone_into(&mut self.detail);
        let (mut page, mut offset) = (None, None);
        for word in location.split_ascii_whitespace() {
            let Some((name, value)) = word.split_once(':') else {
                continue;
            };
            let number = value
                .strip_prefix("0x")
                .map_or_else(|| value.parse().ok(), |digits| hexadecimal(digits.as_bytes()));
            match (name, number) {
                ("page", _) => page = number,
                ("offset", _) => offset = number,
                ("grain", _) => self.grain = number,
                ("syndrome", _) => self.syndrome = number,
                (name, Some(number)) => {
                    let known = LAYER_NAMES.iter().find(|layer| **layer == name);
                    if let (Some(name), Ok(number)) = (known, u32::try_from(number)) {
                        self.layers.push(Layer { name, number });
                    }
                }
                _ => {}
            }
        }
        let address =
            page.and_then(|page: u64| page.checked_mul(PAGE_BYTES)?.checked_add(offset.unwrap_or(0)));
        self.address = address.filter(|address| *address != 0);
    }

    /// What failed, how bad, where, what to do.
    pub fn hardware_error(&self) -> HardwareError {
        let corrected = self.severity.severity() == Severity::Low;
        let what = match stable(&self.message) {
            words if words.is_empty() => "error".to_owned(),
            words => words,
        };
        HardwareError {
            class: Class::HardwareMemoryError,
            severity: self.severity.severity(),
            title: format!("memory error: {what} ({})", self.severity),
            what,
            place: Place {
                part: self.known_label().map(str::to_owned),
                position: Some(self.position()),
                address: self.address,
                ..Place::default()
            },
            advice: memory_advice(corrected),
            fields: self.fields(),
        }
    }

    /// The label, unless it says that the module is not known.
    fn known_label(&self) -> Option<&str> {
        let label = self.label.trim();
        let known = !matches!(label, "" | "any memory" | "unknown memory" | "unknown label");
        known.then_some(label)
    }

    fn position(&self) -> String {
        let mut words = vec![format!("controller {}", self.controller)];
        words.extend(
            self.layers
                .iter()
                .map(|layer| format!("{} {}", layer.name, layer.number)),
        );
        words.join(", ")
    }

    fn fields(&self) -> Vec<Field> {
        let mut fields = Fields::default();
        fields.text("severity", self.severity);
        fields.text("count", self.count);
        if !self.message.is_empty() {
            fields.text("message", &self.message);
        }
        if !self.label.is_empty() {
            fields.text("label", &self.label);
        }
        fields.text("controller", self.controller);
        for layer in &self.layers {
            fields.text(layer.name, layer.number);
        }
        if let Some(address) = self.address {
            fields.add("address", hex(address));
            fields.add("page", plain(format!("{:#x}", address / PAGE_BYTES)));
        }
        if let Some(grain) = self.grain {
            fields.text("grain", format!("{grain} bytes"));
        }
        if let Some(syndrome) = self.syndrome {
            fields.add("syndrome", hex(syndrome));
        }
        if !self.detail.is_empty() {
            fields.text("detail", &self.detail);
        }
        fields.list
    }
}

/// Whether the parenthesis behind the space at `at` holds the kernel's own part of the line.
fn begins_location(text: &str, at: usize) -> bool {
    let inside = text.get(at + 2..).unwrap_or_default().trim_start();
    let name = inside.split(':').next().unwrap_or_default();
    name == "page" || LAYER_NAMES.contains(&name)
}

/// The words of a driver's message without those that hold digits: they are numbers of this one error.
fn stable(message: &str) -> String {
    let words = message
        .split_ascii_whitespace()
        .filter(|word| !word.bytes().any(|byte| byte.is_ascii_digit()));
    words.collect::<Vec<_>>().join(" ")
}

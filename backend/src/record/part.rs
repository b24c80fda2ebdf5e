//! Which part of a machine a record speaks of: a memory module, a processor, a PCI function, a CXL device, a disk.

use std::fmt::{self, Write as _};

use faults::mce::{self, Unit};
use proto::v1::{
    EventField, HardwareError, KernelEvent, MachineCheck, Record, Severity, event_field, record::Payload,
};

use super::registers;

/// What leads to a module; what follows (rank, bank, row) is of the single error.
const WAY: [&str; 11] = [
    "controller",
    "branch",
    "channel",
    "slot",
    "csrow",
    "layer",
    "node",
    "card",
    "module",
    "memory",
    "SMBIOS",
];
/// What memory is called whose place nobody told.
const SOMEWHERE: &str = "place not told";

/// Kinds of parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PartKind {
    /// A memory module, or the channel that it is on where no more is told.
    Dimm,
    /// A socket's processor.
    Cpu,
    /// A PCI function.
    Pcie,
    /// A CXL device.
    Cxl,
    /// A block device.
    Disk,
}

impl PartKind {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Dimm, Self::Cpu, Self::Pcie, Self::Cxl, Self::Disk];

    /// The word for it, in the database and in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dimm => "dimm",
            Self::Cpu => "cpu",
            Self::Pcie => "pcie",
            Self::Cxl => "cxl",
            Self::Disk => "disk",
        }
    }

    /// The word for it, for people.
    pub(crate) fn noun(self) -> &'static str {
        match self {
            Self::Dimm => "memory module",
            Self::Cpu => "processor",
            Self::Pcie => "PCI function",
            Self::Cxl => "CXL device",
            Self::Disk => "disk",
        }
    }

    /// The kind of that name.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// How bad an error of a part was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Harm {
    /// The hardware put it right.
    Corrected,
    /// It did not.
    Uncorrected,
    /// The machine could not go on.
    Fatal,
}

/// Errors of one part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PartErrors {
    pub(crate) kind: PartKind,
    /// Which: the slot's name, the socket, the PCI address, the device. At most 256 bytes.
    pub(crate) part: String,
    /// What it is, where the record says: `PCI device 8086:2030`.
    pub(crate) model: String,
    pub(crate) harm: Harm,
    /// How many; at least 1.
    pub(crate) count: u64,
    /// Where inside the part.
    pub(crate) spot: Spot,
}

/// A place inside a part; what is not known is None. `Display` and [`Spot::parse`] are each other's inverse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Spot {
    /// Rank of a memory module.
    pub rank: Option<u64>,
    /// Bank of the memory module, group and address in one number; of a processor the machine check bank.
    pub bank: Option<u64>,
    /// Row of the bank.
    pub row: Option<u64>,
    /// Column of the bank.
    pub column: Option<u64>,
    /// Page of physical memory, in units of 4096 bytes.
    pub page: Option<u64>,
    /// Logical CPU.
    pub cpu: Option<u64>,
}

impl Spot {
    fn all(&self) -> [(&'static str, Option<u64>); 6] {
        [
            ("rank", self.rank),
            ("bank", self.bank),
            ("row", self.row),
            ("column", self.column),
            ("page", self.page),
            ("cpu", self.cpu),
        ]
    }

    /// Reads what `Display` wrote; what it did not is left out.
    pub fn parse(text: &str) -> Self {
        let mut spot = Self::default();
        for word in text.split(' ') {
            let Some((name, number)) = word.split_once(':') else {
                continue;
            };
            let number = number.parse().ok();
            match name {
                "rank" => spot.rank = number,
                "bank" => spot.bank = number,
                "row" => spot.row = number,
                "column" => spot.column = number,
                "page" => spot.page = number,
                "cpu" => spot.cpu = number,
                _ => {}
            }
        }
        spot
    }

    /// From the fields of a memory error: those of CPER (UEFI 2.10, N.2.5) and of `ras:mc_event`, whose driver detail has
    /// `rank:0 bg:1 ba:2 row:0x1f col:0x40` (`drivers/edac/skx_common.c`, Linux 6.1).
    fn of_memory(error: &HardwareError) -> Self {
        let mut spot = Self {
            page: error
                .address
                .map(|address| address / faults::hardware::PAGE_BYTES),
            ..Self::default()
        };
        let (mut group, mut address) = (None, None);
        let mut take = |name: &str, value: &str| match name.to_ascii_lowercase().as_str() {
            "rank" | "physicalrankid" => spot.rank = number(value),
            "bank" => spot.bank = number(value),
            "bank_group" | "bg" | "bankgroup" => group = number(value),
            "bank_address" | "ba" => address = number(value),
            "row" => spot.row = number(value),
            "column" | "col" => spot.column = number(value),
            _ => {}
        };
        for (name, value) in texts(&error.fields) {
            if name == "detail" || name == "message" {
                for (name, value) in value
                    .split_ascii_whitespace()
                    .filter_map(|word| word.split_once(':'))
                {
                    take(name, value);
                }
            } else {
                take(name, value);
            }
        }
        // Sixteen banks in a group are more than any module has (JESD79-5: at most four).
        spot.bank = match (group, address.or(spot.bank)) {
            (Some(group), Some(bank)) => Some(group << 4 | bank & 15),
            (None, bank) => bank,
            (group, None) => group,
        };
        spot
    }
}

impl fmt::Display for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut gap = "";
        for (name, number) in self.all() {
            if let Some(number) = number {
                write!(f, "{gap}{name}:{number}")?;
                gap = " ";
            }
        }
        Ok(())
    }
}

impl PartErrors {
    /// What a record says about a part. None: it speaks of none.
    pub(crate) fn of(record: &Record) -> Option<Self> {
        let harm = match record.severity() {
            Severity::Unspecified | Severity::Low => Harm::Corrected,
            Severity::Medium | Severity::High => Harm::Uncorrected,
            Severity::Critical => Harm::Fatal,
        };
        match (record.payload.as_ref()?, record.class.as_str()) {
            (Payload::MachineCheck(mce), _) => Self::of_machine_check(mce),
            (Payload::HardwareError(error), class) => Self::of_hardware_error(error, class, harm),
            (Payload::KernelEvent(event), "storage.block_error") => Self::of_disk(event, harm),
            _ => None,
        }
    }

    fn of_machine_check(mce: &MachineCheck) -> Option<Self> {
        let decoded = registers::of(mce).decode();
        let harm = match decoded.outcome {
            mce::Outcome::Invalid => return None,
            mce::Outcome::Corrected => Harm::Corrected,
            mce::Outcome::Deferred | mce::Outcome::ActionOptional | mce::Outcome::ActionRequired => {
                Harm::Uncorrected
            }
            mce::Outcome::Fatal => Harm::Fatal,
        };
        let place = &decoded.place;
        let errors = |kind, part, spot| Self {
            kind,
            part,
            model: String::new(),
            harm,
            count: 1,
            spot,
        };
        match decoded.unit {
            // What is too hot is no broken part.
            Unit::Thermal => None,
            Unit::Memory => {
                let cell = place.cell;
                let spot = Spot {
                    rank: place.ranks.first().map(|rank| u64::from(*rank)),
                    bank: cell.map(|cell| u64::from(cell.bank_group) << 4 | u64::from(cell.bank & 15)),
                    row: cell.map(|cell| cell.row.into()),
                    column: cell.map(|cell| cell.column.into()),
                    page: place
                        .address
                        .map(|address| address.value / faults::hardware::PAGE_BYTES),
                    cpu: None,
                };
                Some(errors(PartKind::Dimm, module(place), spot))
            }
            _ => {
                let spot = Spot {
                    bank: Some(place.bank.into()),
                    cpu: Some(place.cpu.into()),
                    ..Spot::default()
                };
                Some(errors(PartKind::Cpu, format!("socket {}", place.socket), spot))
            }
        }
    }

    fn of_hardware_error(error: &HardwareError, class: &str, harm: Harm) -> Option<Self> {
        let (kind, part, spot) = match class {
            "hardware.memory_error" => (PartKind::Dimm, dimm(error), Spot::of_memory(error)),
            "hardware.pcie_error" if !error.pci.is_empty() => {
                (PartKind::Pcie, error.pci.clone(), Spot::default())
            }
            "hardware.machine_check" if !error.processor.is_empty() => {
                (PartKind::Cpu, error.processor.clone(), Spot::default())
            }
            "hardware.cxl_error" => {
                let names = [&error.part, &error.pci, &error.position];
                let name = names.into_iter().find(|name| !name.is_empty())?;
                (PartKind::Cxl, name.clone(), Spot::default())
            }
            _ => return None,
        };
        Some(Self {
            kind,
            part,
            model: if kind == PartKind::Pcie {
                error.part.clone()
            } else {
                String::new()
            },
            harm,
            count: error.count.max(1),
            spot,
        })
    }

    fn of_disk(event: &KernelEvent, harm: Harm) -> Option<Self> {
        let (_, device) = texts(&event.fields).find(|(name, _)| *name == "device")?;
        Some(Self {
            kind: PartKind::Disk,
            part: device.to_owned(),
            model: String::new(),
            harm,
            count: 1,
            spot: Spot::default(),
        })
    }
}

/// What a memory module is called: its label, or else the way to it, without the place of the single error.
fn dimm(error: &HardwareError) -> String {
    if !error.part.is_empty() {
        return error.part.clone();
    }
    let way: Vec<&str> = error
        .position
        .split(", ")
        .filter(|word| WAY.iter().any(|name| word.starts_with(name)))
        .collect();
    if way.is_empty() {
        SOMEWHERE.to_owned()
    } else {
        way.join(", ")
    }
}

/// The same by the registers of a machine check.
fn module(place: &mce::Place) -> String {
    if let Some(name) = &place.fru {
        return name.clone();
    }
    let numbers = [
        ("controller", place.controller),
        ("channel", place.channel),
        ("DIMM", place.dimm),
        ("chip select", place.chip_select),
    ];
    let mut way = format!("socket {}", place.socket);
    for (name, number) in numbers {
        if let Some(number) = number {
            // Writing to a string does not fail.
            write!(way, ", {name} {number}").ok();
        }
    }
    way
}

fn texts(fields: &[EventField]) -> impl Iterator<Item = (&str, &str)> {
    fields.iter().filter_map(|field| match &field.value {
        Some(event_field::Value::Text(text)) => Some((field.name.as_str(), text.as_str())),
        _ => None,
    })
}

/// The number that a value begins with: decimal, or hexadecimal behind 0x.
fn number(value: &str) -> Option<u64> {
    let word = value.split_ascii_whitespace().next()?;
    match word.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => word.parse().ok(),
    }
}

#[cfg(test)]
mod tests;

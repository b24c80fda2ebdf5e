//! What every decoder of hardware errors answers: what failed, how bad, where, and what to do about it.
//!
//! [`crate::cper`], [`crate::aer`] and [`crate::ras`] each have types of their own for what their sources say; all of them
//! come down to a [`HardwareError`], which is what a person reads and what errors are grouped by.

use crate::{Class, Severity};
use std::fmt;
use std::str::FromStr;

/// Size of a page of memory, the unit that kernels take out of use: the smallest of every architecture Linux runs on.
pub const PAGE_BYTES: u64 = 4096;

/// One error of the hardware, ready for people.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct HardwareError {
    /// The sort of error.
    pub class: Class,
    /// How bad it is.
    pub severity: Severity,
    /// Stable title, without addresses, counts and the place in one machine: `memory error: multi-bit ECC (fatal)`.
    pub title: String,
    /// What failed: `multi-bit ECC`.
    pub what: String,
    /// Where in the machine.
    pub place: Place,
    /// What to do, in one sentence.
    pub advice: &'static str,
    /// Everything the source said, in its order, for a pretty print.
    pub fields: Vec<Field>,
}

/// Where in a machine an error happened. What the source does not say is `None`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Place {
    /// The name of the part that has to be replaced, as firmware or a driver gives it: `DIMM_A1`.
    pub part: Option<String>,
    /// Position inside the part or the machine, in words: `node 0, card 1, module 2, bank 3`.
    pub position: Option<String>,
    /// The processor, as the source counts: `APIC 7`, `MPIDR 0x80000100`, `CPU 3`.
    pub processor: Option<String>,
    /// The PCI function.
    pub pci: Option<PciAddress>,
    /// Physical address.
    pub address: Option<u64>,
}

impl Place {
    /// Number of the page that holds the address, in units of [`PAGE_BYTES`]: the `pfn` of the kernel where its pages are
    /// of that size.
    pub fn page(&self) -> Option<u64> {
        self.address.map(|address| address / PAGE_BYTES)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts: Vec<String> = [&self.part, &self.processor, &self.position]
            .into_iter()
            .flatten()
            .cloned()
            .collect();
        parts.extend(self.pci.map(|pci| format!("PCI {pci}")));
        parts.extend(self.address.map(|address| format!("address {address:#x}")));
        f.write_str(&parts.join(", "))
    }
}

/// One value of an error: its name, the value as it is written, and what it means.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Field {
    /// Name of the value.
    pub name: String,
    /// The value: a number, an address, text.
    pub value: String,
    /// What it means, where that is not the value itself.
    pub meaning: Option<String>,
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.value)?;
        match &self.meaning {
            Some(meaning) => write!(f, " ({meaning})"),
            None => Ok(()),
        }
    }
}

/// A PCI function: segment, bus, device, function.
///
/// ```
/// use faults::hardware::PciAddress;
///
/// let port: PciAddress = "0000:00:1c.5".parse().unwrap();
/// assert_eq!((port.device, port.function), (0x1c, 5));
/// assert_eq!(port.to_string(), "0000:00:1c.5");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct PciAddress {
    /// Segment, the kernel's domain.
    pub segment: u32,
    /// Bus.
    pub bus: u8,
    /// Device, 0 to 31.
    pub device: u8,
    /// Function, 0 to 7.
    pub function: u8,
}

impl PciAddress {
    /// From the 16 bits of a requester id: bus, 5 bits of device, 3 of function (PCI Express base
    /// specification, 2.2.4.2).
    pub fn of_requester(segment: u32, id: u16) -> Self {
        let [bus, devfn] = id.to_be_bytes();
        Self {
            segment,
            bus,
            device: devfn >> 3,
            function: devfn & 7,
        }
    }
}

impl fmt::Display for PciAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            segment,
            bus,
            device,
            function,
        } = self;
        write!(f, "{segment:04x}:{bus:02x}:{device:02x}.{function:x}")
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for PciAddress {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Text that is no [`PciAddress`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no PCI address like 0000:00:1c.5")]
pub struct NotPciAddress {
    /// What was read, at most 32 characters.
    pub text: String,
}

impl FromStr for PciAddress {
    type Err = NotPciAddress;

    fn from_str(text: &str) -> Result<Self, NotPciAddress> {
        pci_address(text).ok_or_else(|| NotPciAddress {
            text: text.chars().take(32).collect(),
        })
    }
}

fn pci_address(text: &str) -> Option<PciAddress> {
    let (rest, function) = text.rsplit_once('.')?;
    let (rest, device) = rest.rsplit_once(':')?;
    let (segment, bus) = rest.rsplit_once(':').unwrap_or(("0", rest));
    let hex = |digits: &str, limit: u32| {
        let plain = !digits.starts_with('+');
        u32::from_str_radix(digits, 16)
            .ok()
            .filter(|value| plain && *value <= limit)
    };
    Some(PciAddress {
        segment: hex(segment, u32::MAX)?,
        bus: u8::try_from(hex(bus, 0xff)?).ok()?,
        device: u8::try_from(hex(device, 0x1f)?).ok()?,
        function: u8::try_from(hex(function, 7)?).ok()?,
    })
}

/// Vendor and device id of a PCI function, as the kernel prints them: `8086:a110`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct PciId {
    /// Vendor.
    pub vendor: u16,
    /// Device.
    pub device: u16,
}

impl fmt::Display for PciId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04x}:{:04x}", self.vendor, self.device)
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for PciId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Builds the list of [`Field`]s of an error.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    pub(crate) list: Vec<Field>,
    /// Put before each name: `error 0: `.
    pub(crate) prefix: String,
}

impl Fields {
    pub(crate) fn add(&mut self, name: &str, shown: Shown) {
        self.list.push(Field {
            name: format!("{}{name}", self.prefix),
            value: shown.value,
            meaning: shown.meaning,
        });
    }

    pub(crate) fn text(&mut self, name: &str, value: impl fmt::Display) {
        self.add(name, plain(value));
    }
}

/// A value as people read it.
#[derive(Debug)]
pub(crate) struct Shown {
    value: String,
    meaning: Option<String>,
}

/// As it displays itself.
pub(crate) fn plain(value: impl fmt::Display) -> Shown {
    Shown {
        value: value.to_string(),
        meaning: None,
    }
}

/// In hexadecimal, as wide as its type.
pub(crate) fn hex<T: Into<u64>>(value: T) -> Shown {
    let width = 2 + 2 * size_of::<T>();
    Shown {
        value: format!("{:#0width$x}", value.into()),
        meaning: None,
    }
}

/// A number that stands for a name.
pub(crate) fn named<T: Into<u64>>(names: &'static [&'static str]) -> impl Fn(T) -> Shown {
    move |value| {
        let value = value.into();
        meaning(plain(value), name_of(names, value))
    }
}

/// Bits that stand for names.
pub(crate) fn bits<T: Copy + Into<u64>>(names: &'static [(u32, &'static str)]) -> impl Fn(T) -> Shown {
    move |value| Shown {
        meaning: Some(names_of_bits(names, value.into()).join(", ")).filter(|text| !text.is_empty()),
        ..hex(value)
    }
}

/// A value with a meaning of its own.
pub(crate) fn meaning(shown: Shown, meaning: impl Into<String>) -> Shown {
    Shown {
        meaning: Some(meaning.into()),
        ..shown
    }
}

/// `width` bits of a word, from bit `low` on.
pub(crate) fn part<T: TryFrom<u64> + Default>(word: impl Into<u64>, low: u32, width: u32) -> T {
    T::try_from(word.into() >> low & ((1 << width) - 1)).unwrap_or_default()
}

/// The name of a number; `reserved` when the table does not know it.
pub(crate) fn name_of(names: &[&'static str], value: u64) -> &'static str {
    usize::try_from(value)
        .ok()
        .and_then(|index| names.get(index).copied())
        .unwrap_or("reserved")
}

/// The names of the bits that are set, in the order of the table.
pub(crate) fn names_of_bits(names: &[(u32, &'static str)], value: u64) -> Vec<&'static str> {
    names
        .iter()
        .filter(|(bit, _)| value >> bit & 1 != 0)
        .map(|(_, name)| *name)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pci_addresses_are_read_as_the_kernel_writes_them() {
        let read = |text: &str| text.parse::<PciAddress>().ok().map(|address| address.to_string());
        assert_eq!(read("0000:00:1c.0").as_deref(), Some("0000:00:1c.0"));
        assert_eq!(read("10000:e1:00.7").as_deref(), Some("10000:e1:00.7"));
        assert_eq!(read("00:1f.3").as_deref(), Some("0000:00:1f.3"));
        for bad in [
            "",
            "0000:00:1c",
            "0000:00:20.0",
            "0000:00:1c.8",
            "0000:100:00.0",
            "0000:+1:00.0",
            ":::.",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_requester_id_is_bus_device_function() {
        assert_eq!(PciAddress::of_requester(0, 0x00e5).to_string(), "0000:00:1c.5");
        assert_eq!(PciAddress::of_requester(2, 0xff08).to_string(), "0002:ff:01.0");
    }

    #[test]
    fn a_place_reads_from_the_part_to_the_address() {
        let place = Place {
            part: Some("DIMM_A1".to_owned()),
            position: Some("node 0, card 1".to_owned()),
            address: Some(0x1234_5000),
            ..Place::default()
        };
        assert_eq!(place.to_string(), "DIMM_A1, node 0, card 1, address 0x12345000");
        assert_eq!(place.page(), Some(0x12345));
    }
}

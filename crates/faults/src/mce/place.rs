//! Where a machine check happened.

use crate::hardware::PciAddress;
use std::fmt;

/// Bytes of the pages in which Linux takes memory offline.
const PAGE_BITS: u8 = 12;

/// Where a machine check happened. What the registers do not say is `None`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Place {
    /// The socket.
    pub socket: u32,
    /// The logical CPU whose bank it is; for a bank that a socket shares, one of its CPUs.
    pub cpu: u32,
    /// The bank's number.
    pub bank: u8,
    /// What the bank belongs to on this processor: `iMC 1 channel 0`, `unified memory controller`.
    pub bank_name: Option<String>,
    /// The level of the cache or TLB, from 0.
    pub cache_level: Option<u8>,
    /// The memory controller of the socket, from 0.
    pub controller: Option<u8>,
    /// The memory channel, from 0; of the controller when [`Self::controller`] is known, else of the socket.
    pub channel: Option<u8>,
    /// The module on the channel, from 0.
    pub dimm: Option<u8>,
    /// The ranks of the channel; two when the error lies in a pair.
    pub ranks: Vec<u8>,
    /// The chip select of the controller (AMD).
    pub chip_select: Option<u8>,
    /// The cell of the memory module, when the controller's registers tell it.
    pub cell: Option<Cell>,
    /// The address.
    pub address: Option<Address>,
    /// The PCI device that reported an I/O error.
    pub pci: Option<PciAddress>,
    /// The text that firmware gives for the replaceable unit, such as a slot's name (AMD).
    pub fru: Option<String>,
}

/// The cell of a memory module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Cell {
    /// The bank group.
    pub bank_group: u8,
    /// The bank within its group.
    pub bank: u8,
    /// The row.
    pub row: u32,
    /// The column.
    pub column: u16,
    /// The chip of the rank that failed.
    pub device: Option<u8>,
    /// The sub-rank, for stacked chips.
    pub sub_rank: Option<u8>,
}

/// What an address in `MCi_ADDR` is (SDM 3B, 17.3.2.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AddressMode {
    /// An offset in a segment.
    SegmentOffset,
    /// A linear address.
    Linear,
    /// A physical address of the machine.
    Physical,
    /// An address on a memory bus.
    Memory,
    /// An address of which no more is known.
    Generic,
    /// An address within one memory channel, before interleaving (AMD memory controllers).
    Normalised,
}

impl AddressMode {
    /// The lower-case name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SegmentOffset => "segment_offset",
            Self::Linear => "linear",
            Self::Physical => "physical",
            Self::Memory => "memory",
            Self::Generic => "generic",
            Self::Normalised => "normalised",
        }
    }
}

impl fmt::Display for AddressMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for AddressMode {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// The address of a machine check and how exact it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Address {
    /// The address with the bits below [`Self::lsb`] cleared.
    pub value: u64,
    /// The lowest bit that means something: the error lies in the `1 << lsb` bytes from [`Self::value`].
    pub lsb: u8,
    /// What sort of address it is.
    pub mode: AddressMode,
}

impl Address {
    /// The number of the 4 KiB page, when the address is physical and exact enough to name one.
    ///
    /// ```
    /// use faults::mce::{Address, AddressMode};
    ///
    /// let address = Address { value: 0x1234_5000, lsb: 6, mode: AddressMode::Physical };
    /// assert_eq!(address.page(), Some(0x12345));
    /// assert_eq!(Address { lsb: 20, ..address }.page(), None);
    /// ```
    pub fn page(&self) -> Option<u64> {
        let exact = self.mode == AddressMode::Physical && self.lsb <= PAGE_BITS;
        exact.then_some(self.value >> PAGE_BITS)
    }
}

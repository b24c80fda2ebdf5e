//! CXL sections: protocol errors (N.2.13); [`event`] has the component events (N.2.14).

mod event;

pub(super) use event::EVENT_BYTES;
pub use event::{CxlDram, CxlEvent, CxlEventBody, CxlEventHeader, CxlMedia, CxlModule};

use super::layout::{ALWAYS, le, le_of, number, or_zero, slice};
use super::pci::{pci_id, slot};
use super::section::Read;
use super::{CperError, Raw, layout};
use crate::hardware::{Field, Fields, PciAddress, PciId, bits, hex, named, plain};

layout! {
    /// An error on a CXL link.
    pub struct CxlProtocol {
        /// Who detected it.
        agent_type: u8 = bit 0, le(8), named(AGENTS);
        /// The function; a restricted host's port has an address of registers instead.
        address: PciAddress = bit 1, agent_address, plain;
        /// Address of the registers of a restricted host's port.
        root_complex_registers: u64 = bit 1, agent_registers, hex;
        /// Vendor and device.
        id: PciId = bit 2, pci_id(24), plain;
        /// Vendor and device of the subsystem.
        subsystem: PciId = bit 2, pci_id(28), plain;
        /// Class code: base class and subclass.
        class_code: u16 = bit 2, le(32), hex;
        /// Slot.
        slot: u16 = bit 2, slot(34), plain;
        /// Serial number of the device.
        serial_number: u64 = bit 3, le(40), hex;
        /// The CXL part of the function's configuration space.
        dvsec: Raw = bit 5, dvsec, |raw: Raw| plain(raw.hex());
        /// The CXL error registers.
        ras: CxlRas = bit 6, ras, |_: CxlRas| plain("present");
    }
}

layout! {
    /// The CXL RAS capability (CXL 3.1, 8.2.4.17).
    pub struct CxlRas {
        /// Uncorrectable errors that happened.
        uncorrectable_status: u32 = bit ALWAYS, le(0), bits(UNCORRECTABLE);
        /// Uncorrectable errors that are not reported.
        uncorrectable_mask: u32 = bit ALWAYS, le(4), bits(UNCORRECTABLE);
        /// Uncorrectable errors that count as fatal.
        uncorrectable_severity: u32 = bit ALWAYS, le(8), bits(UNCORRECTABLE);
        /// Correctable errors that happened.
        correctable_status: u32 = bit ALWAYS, le(12), bits(CORRECTABLE);
        /// Correctable errors that are not reported.
        correctable_mask: u32 = bit ALWAYS, le(16), bits(CORRECTABLE);
        /// Capabilities and control; bits 5:0 are the number of the first error.
        control: u32 = bit ALWAYS, le(20), hex;
        /// Header of the flit in error.
        header_log: Raw = bit ALWAYS, |bytes: &[u8]| slice(bytes, 24, 64).map(Raw::of), |raw: Raw| plain(raw.hex());
    }
}

/// The agent whose address is one of registers: a port of a restricted host.
const RESTRICTED_PORT: u8 = 1;

const AGENTS: &[&str] = &[
    "restricted CXL device",
    "restricted CXL host's downstream port",
    "CXL device",
    "CXL logical device",
    "fabric-managed CXL logical device",
    "CXL root port",
    "CXL downstream switch port",
    "CXL upstream switch port",
];
pub(super) const UNCORRECTABLE: &[(u32, &str)] = &[
    (0, "cache data parity error"),
    (1, "cache address parity error"),
    (2, "cache byte enable parity error"),
    (3, "cache data ECC error"),
    (4, "memory data parity error"),
    (5, "memory address parity error"),
    (6, "memory byte enable parity error"),
    (7, "memory data ECC error"),
    (8, "reinit threshold hit"),
    (9, "unrecognised encoding received"),
    (10, "poison received from peer"),
    (11, "receiver overflow"),
    (14, "component specific error"),
    (15, "IDE transmit error"),
    (16, "IDE receive error"),
];
pub(super) const CORRECTABLE: &[(u32, &str)] = &[
    (0, "cache data ECC error"),
    (1, "memory data ECC error"),
    (2, "CRC threshold hit"),
    (3, "retry threshold hit"),
    (4, "cache poison received from peer"),
    (5, "memory poison received from peer"),
    (6, "error from physical layer"),
];

fn agent_address(bytes: &[u8]) -> Option<PciAddress> {
    (le::<u8>(8)(bytes)? != RESTRICTED_PORT).then_some(PciAddress {
        function: le(16)(bytes)?,
        device: le(17)(bytes)?,
        bus: le(18)(bytes)?,
        segment: le_of(19, 2)(bytes)?,
    })
}

fn agent_registers(bytes: &[u8]) -> Option<u64> {
    le(16)(bytes).filter(|_| number(bytes, 8, 1) == Some(RESTRICTED_PORT.into()))
}

fn dvsec(bytes: &[u8]) -> Option<Raw> {
    slice(bytes, 116, or_zero::<u16>(bytes, 108).into()).map(Raw::of)
}

fn ras(bytes: &[u8]) -> Option<CxlRas> {
    let at = 116 + usize::from(or_zero::<u16>(bytes, 108));
    let log = slice(bytes, at, or_zero::<u16>(bytes, 110).into())?;
    Some(CxlRas::read(log, 0))
}

impl CxlProtocol {
    pub(super) fn read_all(bytes: &[u8]) -> Read<Self> {
        let valid: u64 = or_zero(bytes, 0);
        let said = usize::from(or_zero::<u16>(bytes, 108)) + usize::from(or_zero::<u16>(bytes, 110));
        let left = bytes.len().saturating_sub(116);
        let damage = (valid & 0x60 != 0 && left < said).then_some(CperError::Count {
            what: "bytes of CXL registers",
            offset: 116,
            said,
            found: left,
        });
        (Self::read(bytes, valid), damage)
    }

    /// What failed, in words.
    pub fn what(&self) -> String {
        let ras = self.ras.clone().unwrap_or_default();
        let of =
            |names, status: Option<u32>| crate::hardware::names_of_bits(names, status.unwrap_or(0).into());
        let mut names = of(UNCORRECTABLE, ras.uncorrectable_status);
        names.extend(of(CORRECTABLE, ras.correctable_status));
        match names.first() {
            Some(_) => names.join(", "),
            None => "unknown error".to_owned(),
        }
    }

    pub(super) fn fields(&self) -> Vec<Field> {
        let mut fields = Fields::default();
        let mut outside = self.clone();
        outside.ras = None;
        outside.show(&mut fields);
        if let Some(ras) = &self.ras {
            "ras ".clone_into(&mut fields.prefix);
            ras.show(&mut fields);
        }
        fields.list
    }
}

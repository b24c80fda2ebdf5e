//! PCI sections: PCI Express (N.2.7), PCI and PCI-X bus (N.2.8) and device (N.2.9).

use super::layout;
use super::layout::{is_valid, le, le_of, number, or_zero, slice};
use super::memory::error_status;
use crate::aer::{AerRegisters, AerSeverity, show_tlp};
use crate::hardware::{Field, Fields, PciAddress, PciId, Shown, hex, meaning, named, plain};

layout! {
    /// What a PCI Express section says outside the capability structures.
    pub struct PcieError {
        /// Kind of port.
        port_type: u32 = bit 0, le(8), named(PORTS);
        /// Version of PCI Express: major and minor, in binary-coded decimal.
        version: u16 = bit 1, le(12), version;
        /// PCI command register.
        command: u16 = bit 2, le(16), hex;
        /// PCI status register.
        status: u16 = bit 2, le(18), hex;
        /// The function.
        address: PciAddress = bit 3, pcie_address, plain;
        /// Vendor and device.
        id: PciId = bit 3, pci_id(24), plain;
        /// Class code: base class, subclass, interface.
        class_code: u32 = bit 3, le_of(28, 3), class;
        /// Secondary bus of a bridge.
        secondary_bus: u8 = bit 3, le(36), hex;
        /// Slot, as the board's maker counts.
        slot: u16 = bit 3, slot(37), plain;
        /// Address of the root complex registers of a port that has no function of its own.
        root_complex_registers: u64 = bit 8, registers, hex;
        /// Serial number of the device.
        serial_number: u64 = bit 4, le(40), hex;
        /// Secondary status register of a bridge.
        secondary_status: u16 = bit 5, le(48), hex;
        /// Control register of a bridge.
        bridge_control: u16 = bit 5, le(50), hex;
        /// Device status register of the PCI Express capability: bits 3:0 are the errors that were detected.
        device_status: u16 = bit 6, le(52 + 10), device_status;
        /// Advanced Error Reporting registers.
        aer: AerRegisters = bit 7, aer, |_: AerRegisters| plain("present");
        /// Header of the packet in error.
        tlp_header: [u32; 4] = bit 7, tlp_header, |_: [u32; 4]| plain("present");
    }
}

const PORTS: &[&str] = &[
    "PCIe end point",
    "legacy PCI end point",
    "reserved",
    "reserved",
    "root port",
    "upstream switch port",
    "downstream switch port",
    "PCIe to PCI/PCI-X bridge",
    "PCI/PCI-X to PCIe bridge",
    "root complex integrated end point",
    "root complex event collector",
];

/// Ports that have the registers of a root: root port, root complex event collector.
const ROOTS: [u32; 2] = [4, 10];

/// Offset and size of the AER capability.
const AER: (usize, usize) = (112, 96);

fn version(version: u16) -> Shown {
    let [minor, major] = version.to_le_bytes();
    plain(format!("{major:x}.{minor:x}"))
}

fn class(class: u32) -> Shown {
    plain(format!("{class:06x}"))
}

fn device_status(status: u16) -> Shown {
    crate::hardware::bits(&[
        (0, "correctable error"),
        (1, "non-fatal error"),
        (2, "fatal error"),
        (3, "unsupported request"),
    ])(status)
}

fn pcie_address(bytes: &[u8]) -> Option<PciAddress> {
    Some(PciAddress {
        segment: le_of(33, 2)(bytes)?,
        bus: le(35)(bytes)?,
        device: le(32)(bytes)?,
        function: le(31)(bytes)?,
    })
}

pub(super) fn pci_id(at: usize) -> impl Fn(&[u8]) -> Option<PciId> {
    move |bytes| {
        Some(PciId {
            vendor: le(at)(bytes)?,
            device: le(at + 2)(bytes)?,
        })
    }
}

/// Bits 15:3 of the slot's two bytes.
pub(super) fn slot(at: usize) -> impl Fn(&[u8]) -> Option<u16> {
    move |bytes| Some(le::<u16>(at)(bytes)? >> 3)
}

/// Low part at 31; the high part at 20 counts when bit 9 is set.
fn registers(bytes: &[u8]) -> Option<u64> {
    let low = number(bytes, 31, 4)?;
    let high = number(bytes, 20, 4).filter(|_| is_valid(or_zero(bytes, 0), 9));
    Some(high.unwrap_or(0) << 32 | low)
}

fn aer(bytes: &[u8]) -> Option<AerRegisters> {
    Some(AerRegisters::read(slice(bytes, AER.0, AER.1)?, 0))
}

fn tlp_header(bytes: &[u8]) -> Option<[u32; 4]> {
    AerRegisters::tlp_header(slice(bytes, AER.0, AER.1)?)
}

impl PcieError {
    pub(super) fn read_all(bytes: &[u8]) -> Self {
        let mut error = Self::read(bytes, or_zero(bytes, 0));
        if !error.port_type.is_some_and(|port| ROOTS.contains(&port))
            && let Some(aer) = &mut error.aer
        {
            aer.forget_root();
        }
        error
    }

    /// The report of the error registers at a severity, when there are any.
    pub fn aer_error(&self, severity: AerSeverity) -> Option<crate::aer::AerError> {
        let mut error = self.aer.as_ref()?.error(severity, self.tlp_header);
        error.device = self.address;
        error.id = self.id;
        Some(error)
    }

    pub(super) fn fields(&self) -> Vec<Field> {
        let mut fields = Fields::default();
        let mut outside = self.clone();
        (outside.aer, outside.tlp_header) = (None, None);
        outside.show(&mut fields);
        if let Some(aer) = &self.aer {
            "aer ".clone_into(&mut fields.prefix);
            aer.show(&mut fields);
            fields.prefix.clear();
        }
        show_tlp(self.tlp_header, &mut fields);
        fields.list
    }
}

layout! {
    /// An error on a PCI or PCI-X bus.
    pub struct PciBusError {
        /// Error status (N.2.16).
        error_status: u64 = bit 0, le(8), error_status;
        /// Kind of error.
        error_type: u16 = bit 1, le(16), named(BUS_ERRORS);
        /// Bus.
        bus: u8 = bit 2, le(18), hex;
        /// Segment.
        segment: u8 = bit 2, le(19), hex;
        /// Address on the bus.
        bus_address: u64 = bit 3, le(24), hex;
        /// Data on the bus.
        bus_data: u64 = bit 4, le(32), hex;
        /// Command; bit 56 is set for PCI-X.
        bus_command: u64 = bit 5, le(40), bus_command;
        /// Who asked.
        requestor_id: u64 = bit 6, le(48), hex;
        /// Who answered.
        completer_id: u64 = bit 7, le(56), hex;
        /// Who was asked.
        target_id: u64 = bit 8, le(64), hex;
    }
}

pub(super) const BUS_ERRORS: &[&str] = &[
    "unknown error",
    "data parity error",
    "system error",
    "master abort",
    "bus timeout or no device",
    "master data parity error",
    "address parity error",
    "command parity error",
];

fn bus_command(command: u64) -> Shown {
    let bus = if command >> 56 & 1 != 0 { "PCI-X" } else { "PCI" };
    meaning(hex(command), bus)
}

layout! {
    /// An error of a PCI or PCI-X device.
    pub struct PciDeviceError {
        /// Error status (N.2.16).
        error_status: u64 = bit 0, le(8), error_status;
        /// Vendor and device.
        id: PciId = bit 1, pci_id(16), plain;
        /// Class code: base class, subclass, interface.
        class_code: u32 = bit 1, le_of(20, 3), class;
        /// The function.
        address: PciAddress = bit 1, device_address, plain;
        /// Register values that follow for memory.
        memory_number: u32 = bit 2, le(32), plain;
        /// Register values that follow for I/O.
        io_number: u32 = bit 3, le(36), plain;
    }
}

fn device_address(bytes: &[u8]) -> Option<PciAddress> {
    Some(PciAddress {
        segment: le_of(26, 1)(bytes)?,
        bus: le(25)(bytes)?,
        device: le(24)(bytes)?,
        function: le(23)(bytes)?,
    })
}

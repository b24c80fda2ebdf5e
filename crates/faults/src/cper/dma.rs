//! DMA remapping sections: N.2.11.

use super::layout;
use super::layout::{ALWAYS, le};
use crate::hardware::{Field, Fields, PciAddress, hex, named, plain};

/// An error of the unit that translates the addresses of devices.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum DmaRemapping {
    /// The part that all architectures share.
    Fault(DmaFault),
    /// Registers and tables of Intel VT-d.
    VtD(VtD),
    /// Registers and tables of an AMD IOMMU.
    AmdIommu(AmdIommu),
}

layout! {
    /// A fault of a DMA request, in the words of every architecture.
    pub struct DmaFault {
        /// The function whose request it was.
        requester: PciAddress = bit ALWAYS, requester, plain;
        /// Why it was refused.
        fault_reason: u8 = bit ALWAYS, le(4), named(REASONS);
        /// Which access.
        access_type: u8 = bit ALWAYS, le(5), named(&["DMA write", "DMA read"]);
        /// Which kind of address.
        address_type: u8 = bit ALWAYS, le(6), named(&["untranslated request", "translation request"]);
        /// Whose unit.
        architecture: u8 = bit ALWAYS, le(7), named(&["reserved", "VT-d", "IOMMU"]);
        /// Address that the device asked for.
        device_address: u64 = bit ALWAYS, le(8), hex;
    }
}

pub(super) const REASONS: &[&str] = &[
    "reserved",
    "domain mapping entry not present",
    "invalid domain mapping entry",
    "error reading the domain mapping table",
    "reserved bit set in the domain mapping table",
    "address beyond the device address width",
    "invalid read or write access",
    "invalid device request",
    "error reading the address translation table",
    "reserved bit set in the address translation table",
    "illegal command",
    "error reading the command buffer",
];

layout! {
    /// The registers of Intel VT-d at the time.
    pub struct VtD {
        /// Version register.
        version: u8 = bit ALWAYS, le(0), hex;
        /// Revision of the reporting structure.
        revision: u8 = bit ALWAYS, le(1), hex;
        /// Capability register.
        capability: u64 = bit ALWAYS, le(8), hex;
        /// Extended capability register.
        extended_capability: u64 = bit ALWAYS, le(16), hex;
        /// Global command register.
        global_command: u32 = bit ALWAYS, le(24), hex;
        /// Global status register.
        global_status: u32 = bit ALWAYS, le(28), hex;
        /// Fault status register.
        fault_status: u32 = bit ALWAYS, le(32), hex;
        /// Fault record, low half: the faulting page.
        fault_record_low: u64 = bit ALWAYS, le(48), hex;
        /// Fault record, high half: bits 15:0 the requester, 39:32 the reason.
        fault_record_high: u64 = bit ALWAYS, le(56), hex;
    }
}

layout! {
    /// The registers of an AMD IOMMU at the time.
    pub struct AmdIommu {
        /// Revision of the specification.
        revision: u8 = bit ALWAYS, le(0), hex;
        /// Control register.
        control: u64 = bit ALWAYS, le(8), hex;
        /// Status register.
        status: u64 = bit ALWAYS, le(16), hex;
        /// Event log entry, low half.
        event_low: u64 = bit ALWAYS, le(32), hex;
        /// Event log entry, high half.
        event_high: u64 = bit ALWAYS, le(40), hex;
    }
}

fn requester(bytes: &[u8]) -> Option<PciAddress> {
    let segment: u16 = le(2)(bytes)?;
    Some(PciAddress::of_requester(segment.into(), le(0)(bytes)?))
}

impl DmaRemapping {
    pub(super) fn fields(&self) -> Vec<Field> {
        let mut fields = Fields::default();
        match self {
            Self::Fault(fault) => fault.show(&mut fields),
            Self::VtD(registers) => registers.show(&mut fields),
            Self::AmdIommu(registers) => registers.show(&mut fields),
        }
        fields.list
    }
}

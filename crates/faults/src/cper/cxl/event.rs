//! Events of CXL memory devices: N.2.14, with the event records of CXL 3.1, 8.2.9.2.1.

use crate::cper::layout::{ALWAYS, le, le_of, or_zero, slice};
use crate::cper::pci::{pci_id, slot};
use crate::cper::{Raw, layout};
use crate::hardware::{
    Field, Fields, PciAddress, PciId, Shown, bits, hex, meaning, name_of, named, names_of_bits, plain,
};

/// Size of a component event section: 32 bytes of header, 112 of event record.
pub(in crate::cper) const EVENT_BYTES: usize = 144;

/// An event of a CXL memory device.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct CxlEvent {
    /// What every event has.
    pub header: CxlEventHeader,
    /// What happened.
    pub event: CxlEventBody,
}

/// What happened in a CXL memory device.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum CxlEventBody {
    /// Memory of any sort: table 8-45.
    Media(CxlMedia),
    /// DRAM: table 8-46.
    Dram(CxlDram),
    /// The module: table 8-47.
    Module(CxlModule),
}

layout! {
    /// The section's header and the common event record (table 8-42), which begins at byte 32 of the section.
    pub struct CxlEventHeader {
        /// Vendor and device.
        id: PciId = bit 0, pci_id(12), plain;
        /// The function.
        address: PciAddress = bit 0, event_address, plain;
        /// Slot.
        slot: u16 = bit 0, slot(21), plain;
        /// Serial number of the device.
        serial_number: u64 = bit 1, le(24), hex;
        /// What the event asks for, bits.
        flags: u32 = bit 2, le_of(32 + 1, 3), bits(FLAGS);
        /// Number of the event in the device.
        handle: u16 = bit 2, le(32 + 4), hex;
        /// Number of an event that belongs to it; 0 is none.
        related_handle: u16 = bit 2, le(32 + 6), hex;
        /// Nanoseconds since 1970 by the device's clock; 0 when it was never set.
        timestamp_ns: u64 = bit 2, le(32 + 8), plain;
        /// Maintenance operation that the device asks for; 0 is none.
        maintenance_class: u8 = bit 2, le(32 + 16), plain;
    }
}

const FLAGS: &[(u32, &str)] = &[
    (2, "permanent condition"),
    (3, "maintenance needed"),
    (4, "performance degraded"),
    (5, "hardware replacement needed"),
];

fn event_address(bytes: &[u8]) -> Option<PciAddress> {
    Some(PciAddress {
        function: le(16)(bytes)?,
        device: le(17)(bytes)?,
        bus: le(18)(bytes)?,
        segment: le_of(19, 2)(bytes)?,
    })
}

/// Offset of the event record in the section.
const RECORD: usize = 32;

layout! {
    /// An error of memory of any sort. Offsets are those of the event record.
    pub struct CxlMedia {
        /// Address in the device; bit 0 volatile, bit 1 not repairable.
        device_address: u64 = bit ALWAYS, le(32), device_address;
        /// What sort of event, bits.
        descriptor: u8 = bit ALWAYS, le(40), bits(DESCRIPTORS);
        /// What failed.
        error_type: u8 = bit ALWAYS, le(41), named(MEDIA_TYPES);
        /// Whose access it was.
        transaction: u8 = bit ALWAYS, le(42), named(TRANSACTIONS);
        /// Channel.
        channel: u8 = bit 0, le(45), plain;
        /// Rank.
        rank: u8 = bit 1, le(46), plain;
        /// Devices (chips), bits.
        device: u32 = bit 2, le_of(47, 3), hex;
        /// The replaceable part, for its vendor.
        component_id: Raw = bit 3, |bytes: &[u8]| slice(bytes, 50, 16).map(Raw::of), |raw: Raw| plain(raw.hex());
        /// How it failed, when the device says.
        sub_type: u8 = bit ALWAYS, le(70), named(MEDIA_SUB_TYPES);
    }
}

layout! {
    /// An error of DRAM. Offsets are those of the event record.
    pub struct CxlDram {
        /// Address in the device; bit 0 volatile, bit 1 not repairable.
        device_address: u64 = bit ALWAYS, le(32), device_address;
        /// What sort of event, bits.
        descriptor: u8 = bit ALWAYS, le(40), bits(DESCRIPTORS);
        /// What failed.
        error_type: u8 = bit ALWAYS, le(41), named(DRAM_TYPES);
        /// Whose access it was.
        transaction: u8 = bit ALWAYS, le(42), named(TRANSACTIONS);
        /// Channel.
        channel: u8 = bit 0, le(45), plain;
        /// Part of the channel.
        sub_channel: u8 = bit 10, le(105), plain;
        /// Rank.
        rank: u8 = bit 1, le(46), plain;
        /// Groups of four data lines, bits.
        nibble_mask: u32 = bit 2, le_of(47, 3), hex;
        /// Bank group.
        bank_group: u8 = bit 3, le(50), plain;
        /// Bank.
        bank: u8 = bit 4, le(51), plain;
        /// Row.
        row: u32 = bit 5, le_of(52, 3), plain;
        /// Column.
        column: u16 = bit 6, le(55), plain;
        /// The bits that were wrong.
        correction_mask: Raw = bit 7, |bytes: &[u8]| slice(bytes, 57, 32).map(Raw::of), |raw: Raw| plain(raw.hex());
        /// The replaceable part, for its vendor.
        component_id: Raw = bit 8, |bytes: &[u8]| slice(bytes, 89, 16).map(Raw::of), |raw: Raw| plain(raw.hex());
        /// How it failed, when the device says.
        sub_type: u8 = bit ALWAYS, le(110), named(MEDIA_SUB_TYPES);
    }
}

layout! {
    /// A change in the health of a module. Offsets are those of the event record.
    pub struct CxlModule {
        /// What changed.
        event_type: u8 = bit ALWAYS, le(32), named(MODULE_TYPES);
        /// What the device asks for, bits.
        health_status: u8 = bit ALWAYS, le(33), bits(HEALTH);
        /// State of the memory.
        media_status: u8 = bit ALWAYS, le(34), named(MEDIA_STATUS);
        /// How near its limits it is, two bits each for life and temperature, one each for error counts.
        additional_status: u8 = bit ALWAYS, le(35), hex;
        /// Percent of its life that is used.
        life_used_percent: u8 = bit ALWAYS, le(36), plain;
        /// Temperature, degrees Celsius.
        temperature_celsius: i16 = bit ALWAYS, temperature, plain;
        /// Shutdowns that lost data.
        dirty_shutdowns: u32 = bit ALWAYS, le(39), plain;
        /// Corrected errors of volatile memory.
        corrected_volatile_errors: u32 = bit ALWAYS, le(43), plain;
        /// Corrected errors of persistent memory.
        corrected_persistent_errors: u32 = bit ALWAYS, le(47), plain;
        /// The replaceable part, for its vendor.
        component_id: Raw = bit 0, |bytes: &[u8]| slice(bytes, 53, 16).map(Raw::of), |raw: Raw| plain(raw.hex());
    }
}

const DESCRIPTORS: &[(u32, &str)] = &[
    (0, "uncorrectable"),
    (1, "threshold"),
    (2, "poison list overflow"),
];
const MEDIA_TYPES: &[&str] = &[
    "ECC error",
    "invalid address",
    "data path error",
    "TE state violation",
    "ECC error found by scrubbing",
    "counter of corrected errors expired",
    "CKID violation",
];
const DRAM_TYPES: &[&str] = &[
    "ECC error",
    "ECC error found by scrubbing",
    "invalid address",
    "data path error",
    "TE state violation",
    "counter of corrected errors expired",
    "CKID violation",
];
const TRANSACTIONS: &[&str] = &[
    "unknown",
    "host read",
    "host write",
    "host scan media",
    "host inject poison",
    "internal scrub",
    "internal management",
    "internal error check scrub",
    "media initialization",
];
const MEDIA_SUB_TYPES: &[&str] = &[
    "not reported",
    "internal data path error",
    "media link command training error",
    "media link control training error",
    "media link data training error",
    "media link CRC error",
];
const MODULE_TYPES: &[&str] = &[
    "health status change",
    "media status change",
    "life used change",
    "temperature change",
    "data path error",
    "label storage error",
    "unrecoverable internal sideband bus error",
    "memory media unit error",
    "power management fault",
];
const HEALTH: &[(u32, &str)] = &[
    (0, "maintenance needed"),
    (1, "performance degraded"),
    (2, "replacement needed"),
    (3, "memory capacity degraded"),
];
const MEDIA_STATUS: &[&str] = &[
    "normal",
    "not ready",
    "write persistency lost",
    "all data lost",
    "write persistency loss at power loss",
    "write persistency loss at shutdown",
    "write persistency loss imminent",
    "all data loss at power loss",
    "all data loss at shutdown",
    "all data loss imminent",
];

/// Bits 63:6 are the address.
fn device_address(address: u64) -> Shown {
    let flags = names_of_bits(&[(0, "volatile"), (1, "not repairable")], address);
    let shown = hex(address & !0x3f);
    if flags.is_empty() {
        shown
    } else {
        meaning(shown, flags.join(", "))
    }
}

fn temperature(bytes: &[u8]) -> Option<i16> {
    Some(le::<u16>(37)(bytes)?.cast_signed())
}

impl CxlEvent {
    fn read(bytes: &[u8], event: impl Fn(&[u8]) -> CxlEventBody) -> Self {
        let valid: u64 = or_zero(bytes, 4);
        let record = bytes.get(RECORD..).filter(|_| valid & 4 != 0).unwrap_or_default();
        Self {
            header: CxlEventHeader::read(bytes, valid),
            event: event(record),
        }
    }

    pub(in crate::cper) fn media(bytes: &[u8]) -> Self {
        Self::read(bytes, |record| {
            CxlEventBody::Media(CxlMedia::read(record, or_zero::<u16>(record, 43).into()))
        })
    }

    pub(in crate::cper) fn dram(bytes: &[u8]) -> Self {
        Self::read(bytes, |record| {
            CxlEventBody::Dram(CxlDram::read(record, or_zero::<u16>(record, 43).into()))
        })
    }

    pub(in crate::cper) fn module(bytes: &[u8]) -> Self {
        Self::read(bytes, |record| {
            CxlEventBody::Module(CxlModule::read(record, or_zero::<u16>(record, 51).into()))
        })
    }

    /// What failed, in words.
    pub fn what(&self) -> &'static str {
        let (names, kind) = match &self.event {
            CxlEventBody::Media(media) => (MEDIA_TYPES, media.error_type),
            CxlEventBody::Dram(dram) => (DRAM_TYPES, dram.error_type),
            CxlEventBody::Module(module) => (MODULE_TYPES, module.event_type),
        };
        kind.map_or("event without a record", |kind| name_of(names, kind.into()))
    }

    /// Where in the device, in words.
    pub fn position(&self) -> Option<String> {
        let numbers: [(&str, Option<u32>); 6] = match &self.event {
            CxlEventBody::Media(media) => [
                ("channel", media.channel.map(u32::from)),
                ("rank", media.rank.map(u32::from)),
                ("", None),
                ("", None),
                ("", None),
                ("", None),
            ],
            CxlEventBody::Dram(dram) => [
                ("channel", dram.channel.map(u32::from)),
                ("rank", dram.rank.map(u32::from)),
                ("bank group", dram.bank_group.map(u32::from)),
                ("bank", dram.bank.map(u32::from)),
                ("row", dram.row),
                ("column", dram.column.map(u32::from)),
            ],
            CxlEventBody::Module(_) => return None,
        };
        let words: Vec<String> = numbers
            .iter()
            .filter_map(|(name, number)| Some(format!("{name} {}", (*number)?)))
            .collect();
        Some(words.join(", ")).filter(|words| !words.is_empty())
    }

    pub(in crate::cper) fn fields(&self) -> Vec<Field> {
        let mut fields = Fields::default();
        self.header.show(&mut fields);
        match &self.event {
            CxlEventBody::Media(media) => media.show(&mut fields),
            CxlEventBody::Dram(dram) => dram.show(&mut fields),
            CxlEventBody::Module(module) => module.show(&mut fields),
        }
        fields.list
    }
}

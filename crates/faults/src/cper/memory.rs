//! Memory sections: N.2.5 (73 bytes in UEFI 2.1 and 2.2, 80 since) and N.2.6.

use super::layout::{is_valid, le, le_of, or_zero};
use super::section::Read;
use super::{CperError, layout};
use crate::hardware::{Field, Fields, Shown, bits, hex, meaning, name_of, named, plain};

layout! {
    /// An error of the memory, from both layouts of the section.
    ///
    /// Handles are those of SMBIOS, so they lead to the names that the board's maker gave to the slots.
    pub struct MemoryError {
        /// Error status (N.2.16).
        error_status: u64 = bit 0, le(8), error_status;
        /// Physical address.
        physical_address: u64 = bit 1, le(16), hex;
        /// Which bits of the address are valid: the granularity.
        physical_address_mask: u64 = bit 2, le(24), hex;
        /// Node of a machine with several.
        node: u16 = bit 3, le(32), plain;
        /// Card; on most machines the channel.
        card: u16 = bit 4, le(34), plain;
        /// Module (DIMM).
        module: u16 = bit 5, le(36), plain;
        /// Rank.
        rank: u32 = bit 15, le_of(74, 2), plain;
        /// Bank, where it is one number.
        bank: u16 = bit 6, le(38), plain;
        /// Bank group (DDR4 and later).
        bank_group: u8 = bit 19, le(39), plain;
        /// Bank address within the group.
        bank_address: u8 = bit 20, le(38), plain;
        /// Device (chip).
        device: u32 = bit 7, le_of(40, 2), plain;
        /// Row.
        row: u32 = bit 8, row, plain;
        /// Column.
        column: u32 = bit 9, le_of(44, 2), plain;
        /// Bit.
        bit_position: u32 = bit 10, le_of(46, 2), plain;
        /// Die within a stack.
        chip_id: u8 = bit 21, chip_id, plain;
        /// Who asked.
        requestor_id: u64 = bit 11, le(48), hex;
        /// Who answered.
        responder_id: u64 = bit 12, le(56), hex;
        /// Who was asked.
        target_id: u64 = bit 13, le(64), hex;
        /// Kind of error: an index of [`MemoryError::type_name`].
        error_type: u8 = bit 14, le(72), named(TYPES);
        /// SMBIOS handle of the memory array.
        card_handle: u32 = bit 16, le_of(76, 2), handle;
        /// SMBIOS handle of the memory device.
        module_handle: u32 = bit 17, le_of(78, 2), handle;
        /// Bit 0: the error was not corrected. Only the second layout says.
        status: u8 = bit NEVER, le(0), bits(&[(0, "uncorrected")]);
    }
}

/// A validation bit that is never set: the field belongs to the other layout.
const NEVER: u32 = 65;

/// Size of the section in UEFI 2.1 and 2.2, without the fields from `rank` on.
const OLD_BYTES: usize = 73;
/// Validation bits of fields that are not in the old section.
const NEW_BITS: u64 = !0 << 15;

const TYPES: &[&str] = &[
    "unknown",
    "no error",
    "single-bit ECC",
    "multi-bit ECC",
    "single-symbol chipkill ECC",
    "multi-symbol chipkill ECC",
    "master abort",
    "target abort",
    "parity error",
    "watchdog timeout",
    "invalid address",
    "mirror broken",
    "memory sparing",
    "scrub corrected error",
    "scrub uncorrected error",
    "physical memory map-out event",
];

/// Error types of the error status: N.2.16, table "Error Types".
const STATUS_TYPES: &[(u64, &str)] = &[
    (1, "internal error of the component"),
    (4, "storage error in memory"),
    (5, "storage error in a TLB"),
    (6, "storage error in a cache"),
    (7, "error in a functional unit"),
    (8, "failed self test"),
    (9, "overflow or underflow of an internal queue"),
    (16, "error on the bus"),
    (17, "virtual address not found in the I/O TLB"),
    (18, "improper access"),
    (19, "access to an address that no component has"),
    (20, "loss of lockstep"),
    (21, "response without a request"),
    (22, "bus parity error"),
    (23, "protocol error"),
    (24, "path error"),
    (25, "bus timeout"),
    (26, "read of poisoned data"),
];

/// Bits 16 to 22 of the error status.
const STATUS_BITS: &[(u32, &str)] = &[
    (16, "in the address"),
    (17, "in control"),
    (18, "in the data"),
    (19, "detected by the responder"),
    (20, "detected by the requestor"),
    (21, "first error"),
    (22, "others were not logged"),
];

/// An error status as people read it: bits 15:8 are the type.
pub(super) fn error_status(status: u64) -> Shown {
    let kind = status >> 8 & 0xff;
    let name = STATUS_TYPES
        .iter()
        .find(|(number, _)| *number == kind)
        .map_or("reserved", |(_, name)| name);
    let mut words = vec![name];
    words.extend(crate::hardware::names_of_bits(STATUS_BITS, status));
    meaning(hex(status), words.join(", "))
}

fn handle(handle: u32) -> Shown {
    meaning(plain(format!("{handle:#06x}")), "SMBIOS")
}

/// Bits 17:16 of the row are in bits 1:0 of the byte at 73, when validation bit 18 is set.
fn row(bytes: &[u8]) -> Option<u32> {
    let low = le_of::<u32>(42, 2)(bytes)?;
    let extended = is_valid(or_zero(bytes, 0), 18);
    let high = le_of::<u32>(73, 1)(bytes).filter(|_| extended).unwrap_or(0) & 3;
    Some(high << 16 | low)
}

/// Bits 7:5 of the byte at 73.
fn chip_id(bytes: &[u8]) -> Option<u8> {
    Some(le::<u8>(73)(bytes)? >> 5)
}

impl MemoryError {
    /// The name of `error_type`, or of what the status says.
    pub fn type_name(&self) -> &'static str {
        match (self.error_type, self.error_status) {
            (Some(kind), _) if kind > 0 => name_of(TYPES, kind.into()),
            (_, Some(status)) => STATUS_TYPES
                .iter()
                .find(|(number, _)| *number == status >> 8 & 0xff)
                .map_or("unknown", |(_, name)| name),
            _ => "unknown",
        }
    }

    /// The first layout.
    pub(super) fn read_1(bytes: &[u8]) -> Read<Self> {
        let mut valid: u64 = or_zero(bytes, 0);
        let stray = valid & NEW_BITS;
        let mut damage = None;
        // Firmware of that age is known to leave the other bits at random.
        if bytes.len() == OLD_BYTES && stray != 0 {
            damage = Some(CperError::ValidBits {
                offset: 0,
                bits: stray,
            });
            valid &= !NEW_BITS;
        }
        // The row counts when either of its parts does, as in Linux.
        valid |= valid >> 18 << 8 & 1 << 8;
        let mut error = Self::read(bytes, valid);
        let grouped = error.bank_group.is_some() || error.bank_address.is_some();
        error.bank = error.bank.filter(|_| !grouped);
        (error, damage)
    }

    /// The second layout.
    pub(super) fn read_2(bytes: &[u8]) -> Read<Self> {
        let valid: u64 = or_zero(bytes, 0);
        let when = |bit| is_valid(valid, bit);
        let u8_at = |bit, at| le::<u8>(at)(bytes).filter(|_| when(bit));
        let u32_at = |bit, at| le::<u32>(at)(bytes).filter(|_| when(bit));
        let u64_at = |bit, at| le::<u64>(at)(bytes).filter(|_| when(bit));
        let grouped = when(20) || when(21);
        let error = Self {
            rank: u32_at(10, 52),
            bank_group: u8_at(20, 39),
            bank_address: u8_at(21, 38),
            device: u32_at(7, 40),
            row: u32_at(8, 44),
            column: u32_at(9, 48),
            bit_position: u32_at(11, 56),
            chip_id: u8_at(12, 60),
            error_type: u8_at(13, 61),
            status: u8_at(14, 62),
            requestor_id: u64_at(15, 64),
            responder_id: u64_at(16, 72),
            target_id: u64_at(17, 80),
            card_handle: u32_at(18, 88),
            module_handle: u32_at(19, 92),
            // Bits 0 to 6 and their places are those of the first layout.
            ..Self::read(bytes, valid & if grouped { 0x3f } else { 0x7f })
        };
        (error, None)
    }

    /// Where in the memory, in words; `None` when nothing is known.
    pub fn position(&self) -> Option<String> {
        let numbers: [(&str, Option<u32>); 12] = [
            ("node", self.node.map(u32::from)),
            ("card", self.card.map(u32::from)),
            ("module", self.module.map(u32::from)),
            ("rank", self.rank),
            ("bank", self.bank.map(u32::from)),
            ("bank group", self.bank_group.map(u32::from)),
            ("bank address", self.bank_address.map(u32::from)),
            ("device", self.device),
            ("row", self.row),
            ("column", self.column),
            ("bit", self.bit_position),
            ("chip", self.chip_id.map(u32::from)),
        ];
        let known = numbers
            .iter()
            .filter_map(|(name, number)| Some(format!("{name} {}", (*number)?)));
        let mut words: Vec<String> = known.collect();
        words.extend(
            self.module_handle
                .map(|handle| format!("SMBIOS handle {handle:#06x}")),
        );
        Some(words.join(", ")).filter(|words| !words.is_empty())
    }

    pub(super) fn fields(&self) -> Vec<Field> {
        let mut fields = Fields::default();
        self.show(&mut fields);
        fields.list
    }
}

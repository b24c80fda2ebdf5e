//! The tables that firmware leaves about the machine: SMBIOS 3.7 (DSP0134), as `/sys/firmware/dmi/tables/DMI` has them.
//!
//! A structure is its type, the length of its formatted part, a handle of two bytes and the rest of that part, then its texts, each
//! with a zero behind, and one more zero; numbers are little-endian. Texts are named by their number from 1 on. Serial numbers and
//! asset tags are not read.

/// Most that is read of the table. Tables of 3 TiB servers have some 30 KB.
pub const TABLE_BYTES: usize = 256 * 1024;
/// Structures that are looked at: a structure has at least 6 bytes.
const STRUCTURES: usize = TABLE_BYTES / 6;

/// Type 16, physical memory array (7.17).
const ARRAY: u8 = 16;
/// Type 17, memory device (7.18).
const DEVICE: u8 = 17;
/// Type 127, end of table (7.45).
const END: u8 = 127;
/// Bytes of a structure's header.
const HEADER: usize = 4;
/// What the memory of an array is used for when it is the system's (7.17.2).
const SYSTEM_MEMORY: u8 = 3;

/// What the firmware says of the memory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Memory {
    /// How errors are corrected (7.17.3); empty: not known.
    pub correction: &'static str,
    /// Memory modules that are installed, in the order of the table.
    pub modules: Vec<MemoryModule>,
}

/// A memory module (7.18). What is not known is empty or 0.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MemoryModule {
    /// Where it sits.
    pub locator: String,
    /// Which bank that is.
    pub bank: String,
    /// Who made it.
    pub manufacturer: String,
    /// Its maker's name for it.
    pub part_number: String,
    /// `DDR5` and the like.
    pub technology: &'static str,
    /// Its size, bytes.
    pub size_bytes: u64,
    /// What it could do at most, MT/s.
    pub speed_mts: u32,
    /// What it is run at, MT/s.
    pub configured_mts: u32,
    /// Its ranks.
    pub ranks: u32,
}

/// Reads what a table says of the memory; of one that is damaged, what comes before. `limit` is how many modules are told.
pub fn memory(table: &[u8], limit: usize) -> Memory {
    let mut memory = Memory::default();
    let mut rest = table.get(..TABLE_BYTES).unwrap_or(table);
    for _ in 0..STRUCTURES {
        let Some((structure, after)) = next(rest) else {
            break;
        };
        rest = after;
        match structure.kind() {
            ARRAY if structure.byte(0x05) == SYSTEM_MEMORY && memory.correction.is_empty() => {
                memory.correction = correction(structure.byte(0x06));
            }
            DEVICE if memory.modules.len() < limit => memory.modules.extend(module(structure)),
            END => break,
            _ => {}
        }
    }
    memory
}

#[derive(Debug, Clone, Copy)]
struct Structure<'a> {
    /// With the header.
    formatted: &'a [u8],
    texts: &'a [u8],
}

/// The next structure and what comes behind it; `None` at the end, or where it is cut off.
fn next(table: &[u8]) -> Option<(Structure<'_>, &[u8])> {
    let length = usize::from(*table.get(1)?);
    if length < HEADER {
        return None;
    }
    let formatted = table.get(..length)?;
    let rest = table.get(length..)?;
    let end = rest.windows(2).position(|two| two == [0, 0])?;
    let structure = Structure {
        formatted,
        texts: rest.get(..end)?,
    };
    Some((structure, rest.get(end + 2..)?))
}

impl Structure<'_> {
    fn kind(self) -> u8 {
        self.byte(0)
    }

    /// The byte at an offset; 0, which is "not known" everywhere, where an older firmware has none.
    fn byte(self, offset: usize) -> u8 {
        self.formatted.get(offset).copied().unwrap_or(0)
    }

    fn word(self, offset: usize) -> u16 {
        u16::from_le_bytes([self.byte(offset), self.byte(offset + 1)])
    }

    fn double_word(self, offset: usize) -> u32 {
        u32::from(self.word(offset)) | u32::from(self.word(offset + 2)) << 16
    }

    /// The text whose number is at an offset.
    fn text(self, offset: usize) -> String {
        let number = usize::from(self.byte(offset));
        let text = number
            .checked_sub(1)
            .and_then(|index| self.texts.split(|byte| *byte == 0).nth(index));
        String::from_utf8_lossy(text.unwrap_or_default())
            .trim()
            .to_owned()
    }

    /// MT/s: a word at an offset, or the double word at another one when it does not fit (7.18.4).
    fn speed(self, offset: usize, extended: usize) -> u32 {
        match self.word(offset) {
            u16::MAX => self.double_word(extended) & 0x7fff_ffff,
            speed => u32::from(speed),
        }
    }
}

/// A memory device; `None`: the slot is empty, or is no system memory.
fn module(device: Structure<'_>) -> Option<MemoryModule> {
    let size_bytes = match device.word(0x0c) {
        0 => return None,
        // Not known.
        u16::MAX => 0,
        // Too large for the word: MiB.
        0x7fff => u64::from(device.double_word(0x1c) & 0x7fff_ffff) << 20,
        size if size & 0x8000 != 0 => u64::from(size & 0x7fff) << 10,
        size => u64::from(size) << 20,
    };
    Some(MemoryModule {
        locator: device.text(0x10),
        bank: device.text(0x11),
        manufacturer: device.text(0x17),
        part_number: device.text(0x1a),
        technology: technology(device.byte(0x12)),
        size_bytes,
        speed_mts: device.speed(0x15, 0x54),
        configured_mts: device.speed(0x20, 0x58),
        ranks: u32::from(device.byte(0x1b) & 0x0f),
    })
}

/// 7.18.2.
fn technology(kind: u8) -> &'static str {
    match kind {
        0x0f => "SDRAM",
        0x12 => "DDR",
        0x13 => "DDR2",
        0x14 => "DDR2 FB-DIMM",
        0x18 => "DDR3",
        0x19 => "FBD2",
        0x1a => "DDR4",
        0x1b => "LPDDR",
        0x1c => "LPDDR2",
        0x1d => "LPDDR3",
        0x1e => "LPDDR4",
        0x1f => "non-volatile",
        0x20 => "HBM",
        0x21 => "HBM2",
        0x22 => "DDR5",
        0x23 => "LPDDR5",
        0x24 => "HBM3",
        _ => "",
    }
}

/// 7.17.3.
fn correction(kind: u8) -> &'static str {
    match kind {
        3 => "none",
        4 => "parity",
        5 => "single-bit ECC",
        6 => "multi-bit ECC",
        7 => "CRC",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn structure(kind: u8, mut formatted: Vec<u8>, texts: &[&str]) -> Vec<u8> {
        formatted[0] = kind;
        formatted[1] = u8::try_from(formatted.len()).unwrap();
        for text in texts {
            formatted.extend(text.bytes().chain([0]));
        }
        if texts.is_empty() {
            formatted.push(0);
        }
        formatted.push(0);
        formatted
    }

    fn device(size: u16, extended: u32) -> Vec<u8> {
        let mut device = vec![0; 0x5c];
        device[0x0c..0x0e].copy_from_slice(&size.to_le_bytes());
        device[0x1c..0x20].copy_from_slice(&extended.to_le_bytes());
        device[0x10] = 1;
        device[0x11] = 2;
        device[0x12] = 0x22;
        device[0x15..0x17].copy_from_slice(&5600_u16.to_le_bytes());
        device[0x17] = 3;
        device[0x1a] = 4;
        device[0x1b] = 2;
        device[0x20..0x22].copy_from_slice(&u16::MAX.to_le_bytes());
        device[0x58..0x5c].copy_from_slice(&4800_u32.to_le_bytes());
        structure(
            DEVICE,
            device,
            &["DIMM_A1", "P0 CHANNEL A", "Samsung", "M321R8GA0BB0-CQKZJ  "],
        )
    }

    fn array() -> Vec<u8> {
        let mut array = vec![0; 0x17];
        array[0x05] = SYSTEM_MEMORY;
        array[0x06] = 6;
        structure(ARRAY, array, &[])
    }

    #[test]
    fn modules_are_read_and_empty_slots_are_not() {
        let end = structure(END, vec![0; HEADER], &[]);
        let table = [array(), device(0x7fff, 65_536), device(0, 0), end, device(1, 0)].concat();
        let memory = memory(&table, 8);
        assert_eq!(memory.correction, "multi-bit ECC");
        let module = MemoryModule {
            locator: "DIMM_A1".into(),
            bank: "P0 CHANNEL A".into(),
            manufacturer: "Samsung".into(),
            part_number: "M321R8GA0BB0-CQKZJ".into(),
            technology: "DDR5",
            size_bytes: 64 << 30,
            speed_mts: 5600,
            configured_mts: 4800,
            ranks: 2,
        };
        assert_eq!(memory.modules, [module]);
    }

    #[test]
    fn a_size_is_in_the_unit_that_its_top_bit_says() {
        let size = |word, extended| memory(&device(word, extended), 1).modules[0].size_bytes;
        assert_eq!(size(16_384, 0), 16 << 30);
        assert_eq!(size(0x8000 | 512, 0), 512 << 10);
        assert_eq!(size(u16::MAX, 0), 0);
    }

    #[test]
    fn the_structure_of_an_older_firmware_is_shorter() {
        let mut old = device(16_384, 0);
        // SMBIOS 2.1 ends before the speed.
        old.drain(0x15..0x5c);
        old[1] = 0x15;
        let module = &memory(&old, 1).modules[0];
        assert_eq!((module.locator.as_str(), module.speed_mts), ("DIMM_A1", 0));
        assert_eq!(module.manufacturer, "");
    }

    proptest! {
        #[test]
        fn any_table_is_read_within_its_limit(
            bytes in prop::collection::vec(any::<u8>(), 0..400),
            cut in 0_usize..400,
            place in 0_usize..400,
        ) {
            prop_assert!(memory(&bytes, 3).modules.len() <= 3);
            let mut table = [array(), device(0x7fff, 1), device(8, 0)].concat();
            let place = place % table.len();
            table[place] ^= bytes.first().copied().unwrap_or(0xff);
            table.truncate(cut);
            prop_assert!(memory(&table, 3).modules.len() <= 2);
        }
    }
}

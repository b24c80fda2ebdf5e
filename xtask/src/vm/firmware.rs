//! What the firmware of a guest tells its kernel: a thermal zone that can be made hot, and errors of the boot before.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};

use super::initramfs::RESERVED_ADDRESS;

/// Where the thermal zone has what is added to 300.0 K, tenths of a kelvin, 32 bits; `causes/thermal.sh` writes there.
/// The first page after ramoops, which the kernel does not use either.
#[cfg(test)]
const HEAT_ADDRESS: u64 = RESERVED_ADDRESS + 0x10_0000;
/// Where the table BERT says that the errors of the boot before are.
const BERT_ADDRESS: u64 = RESERVED_ADDRESS + 0x10_1000;

/// The body of an SSDT. In ACPI's source language:
///
/// ```text
/// Scope (\_TZ) {
///     OperationRegion (HEAT, SystemMemory, 0x20100000, 4)
///     Field (HEAT, DWordAcc, NoLock, Preserve) { DEGS, 32 }
///     ThermalZone (HOT0) {
///         Method (_TMP) { Return (3000 + DEGS) }
///         Name (_HOT, 3700)
///         Name (_CRT, 4200)
///     }
/// }
/// ```
const THERMAL_ZONE: &[u8] =
    b"\x10\x4a\x04\\_TZ_\x5b\x80HEAT\x00\x0c\x00\x00\x10\x20\x0a\x04\x5b\x81\x0bHEAT\x03DEGS\
    \x20\x5b\x85\x26HOT0\x14\x10_TMP\x00\xa4\x72\x0b\xb8\x0bDEGS\x00\x08_HOT\x0b\x74\x0e\x08_CRT\x0b\x68\x10";

/// `CPER_SEC_PLATFORM_MEM` (include/linux/cper.h).
const MEMORY_SECTION: [u8; 16] = *b"\x14\x11\xbc\xa5\x64\x6f\xde\x4e\xb8\x63\x3e\x83\xed\x7c\x83\xb1";
/// Sizes of a generic error status block, of the data entry in it (revision 0x300), and of its memory error (ACPI 6.5,
/// 18.3.2.7; UEFI 2.10, N.2.5).
const STATUS_BYTES: u32 = 20;
const ENTRY_BYTES: u32 = 72;
const MEMORY_BYTES: u32 = 80;
/// Severities of both.
const FATAL: u32 = 1;

/// QEMU's argument for the thermal zone; its table goes to `dir`.
pub(super) fn thermal_zone(dir: &Path) -> Result<[String; 2]> {
    let table = write(dir, "thermal-zone", THERMAL_ZONE)?;
    Ok(["-acpitable".to_owned(), format!("sig=SSDT,rev=2,data={table}")])
}

/// QEMU's arguments for a fatal memory error in the boot before.
pub(super) fn bert(dir: &Path) -> Result<[String; 4]> {
    let region = memory_error();
    let mut body = Vec::new();
    body.extend_from_slice(&u32::try_from(region.len()).unwrap_or_default().to_le_bytes());
    body.extend_from_slice(&BERT_ADDRESS.to_le_bytes());
    let table = write(dir, "bert-table", &body)?;
    let region = write(dir, "bert-region", &region)?;
    Ok([
        "-acpitable".to_owned(),
        format!("sig=BERT,rev=1,data={table}"),
        "-device".to_owned(),
        format!("loader,file={region},addr={BERT_ADDRESS:#x},force-raw=on"),
    ])
}

fn write(dir: &Path, name: &str, bytes: &[u8]) -> Result<String> {
    let file = dir.join(name);
    fs::write(&file, bytes).with_context(|| format!("write {}", file.display()))?;
    // QEMU takes a comma in a name when it is doubled.
    Ok(file.display().to_string().replace(',', ",,"))
}

/// An error status block with one memory error: of a part with a name, at an address, on node 0, card 1, module 2.
fn memory_error() -> Vec<u8> {
    let mut block = vec![0; (STATUS_BYTES + ENTRY_BYTES + MEMORY_BYTES) as usize];
    let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
    // One uncorrectable error.
    put(0, &0x11_u32.to_le_bytes());
    put(12, &(ENTRY_BYTES + MEMORY_BYTES).to_le_bytes());
    put(16, &FATAL.to_le_bytes());
    let entry = STATUS_BYTES as usize;
    put(entry, &MEMORY_SECTION);
    put(entry + 16, &FATAL.to_le_bytes());
    put(entry + 20, &0x300_u16.to_le_bytes());
    // The text that names the part is valid.
    put(entry + 22, &[0b10]);
    put(entry + 24, &MEMORY_BYTES.to_le_bytes());
    put(entry + 44, b"DIMM_A1");
    let memory = entry + ENTRY_BYTES as usize;
    // Valid: address, its mask, node, card, module, type.
    put(memory, &0x403e_u64.to_le_bytes());
    put(memory + 16, &0x1_2345_6000_u64.to_le_bytes());
    put(memory + 24, &0xffff_ffff_f000_u64.to_le_bytes());
    put(memory + 34, &1_u16.to_le_bytes());
    put(memory + 36, &2_u16.to_le_bytes());
    // A multi-bit error.
    put(memory + 72, &[3]);
    block
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_thermal_zone_reads_where_the_guest_writes() {
        let address = u32::try_from(HEAT_ADDRESS).unwrap().to_le_bytes();
        assert!(THERMAL_ZONE.windows(4).any(|window| window == address));
        // The scope's length, in the 2 bytes after its opcode, is that of all that follows.
        let length = usize::from(THERMAL_ZONE[1] & 0xf) | usize::from(THERMAL_ZONE[2]) << 4;
        assert_eq!(length, THERMAL_ZONE.len() - 1);
        assert!(include_str!("causes/thermal.sh").contains(&format!("{HEAT_ADDRESS:#x}")));
    }
}

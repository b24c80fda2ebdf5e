//! The firmware's tables about the machine.

use telemd::host::smbios;

/// Modules that are told at most.
const LIMIT: usize = 16;

pub(crate) fn run(table: &[u8]) {
    let memory = smbios::memory(table, LIMIT);
    assert!(memory.modules.len() <= LIMIT);
    for module in &memory.modules {
        assert!(module.ranks <= 15);
        // Bytes that are no text become three each.
        assert!(module.locator.len() <= 3 * table.len());
    }
}

//! Machine checks: the kernel's records in bytes, its text, and any registers.

use faults::mce::{self, MachineCheck};

pub(crate) fn run(bytes: &[u8]) {
    let records = mce::read_records(bytes).unwrap_or_default();
    let printed = mce::read_text(&String::from_utf8_lossy(bytes));
    assert!(records.len() <= mce::RECORDS_MAX && printed.len() <= mce::TEXT_CHECKS_MAX);
    let words: Vec<u64> = bytes
        .chunks_exact(8)
        .filter_map(|word| Some(u64::from_le_bytes(word.try_into().ok()?)))
        .collect();
    let saved = words.first().and_then(|first| {
        let bank = first & 0xff;
        MachineCheck::from_registers(0xc000_2001 | (bank as u32) << 4, &words).ok()
    });
    for check in records.into_iter().chain(printed).chain(saved) {
        let decoded = check.decode();
        assert!(!decoded.what.is_empty() && decoded.title.starts_with("machine check: "));
        assert!(decoded.title.len() < 1024 && decoded.fields.len() < 96);
    }
}

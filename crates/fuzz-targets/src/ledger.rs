//! The ledger of what left a host, which somebody may have altered.

use std::fs;

use telemd::ledger;

pub(crate) fn run(bytes: &[u8]) {
    let dir = crate::folder();
    fs::write(dir.path().join(ledger::FILE), bytes).expect("write the ledger");
    let verdict = ledger::verify(dir.path()).expect("it can be read");
    let mut entries = 0;
    ledger::read(dir.path(), |_line| entries += 1).expect("it can be read");
    assert!(verdict.entries <= entries && (verdict.broken.is_some() || verdict.entries == entries));
}

//! The kernel's symbols.
#![no_main]

use libfuzzer_sys::fuzz_target;
use probe_user::kallsyms;

fuzz_target!(|bytes: &[u8]| {
    let addresses = [0, 0x10, 0xffff_ffff_8100_0000, u64::MAX];
    if let Ok(found) = kallsyms::resolve(bytes, &addresses) {
        assert_eq!(found.len(), addresses.len());
    }
});

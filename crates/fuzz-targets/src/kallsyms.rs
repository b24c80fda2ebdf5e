//! The kernel's symbols.

use probe_user::kallsyms;

pub(crate) fn run(bytes: &[u8]) {
    let addresses = [0, 0x10, 0xffff_ffff_8100_0000, u64::MAX];
    if let Ok(found) = kallsyms::resolve(bytes, &addresses) {
        assert_eq!(found.len(), addresses.len());
    }
}

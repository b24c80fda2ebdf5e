//! The files of a pstore folder: pieces of the input between NUL bytes.

use std::fs;

use probe_user::pstore::Origin;

const NAMES: [&str; 6] = [
    "dmesg-ramoops-0",
    "dmesg-efi-170000000001001",
    "dmesg-efi-170000000002001",
    "console-ramoops-0",
    "dmesg-efi-170000000003001.enc.z",
    "mce-erst-1",
];

pub(crate) fn run(bytes: &[u8]) {
    let dir = crate::folder();
    for (name, text) in NAMES.iter().zip(bytes.split(|byte| *byte == 0)) {
        fs::write(dir.path().join(name), text).expect("write a dump");
    }
    probe_user::pstore::read(dir.path(), Origin::Pstore).expect("the folder can be listed");
}

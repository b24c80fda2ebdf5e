//! The memory of a ring: positions, lengths and flags that a kernel would never write.
#![no_main]

use std::os::unix::fs::FileExt as _;

use libfuzzer_sys::fuzz_target;
use probe_user::ring::Ring;

/// The size of a page, which is what a ring has at least.
const PAGE: usize = 4096;

fuzz_target!(|bytes: &[u8]| {
    let Some((positions, data)) = bytes.split_at_checked(2 * size_of::<u64>()) else {
        return;
    };
    let data = data.get(..PAGE).unwrap_or(data);
    let (consumed, produced) = positions.split_at(size_of::<u64>());
    let file = tempfile::tempfile().expect("a file");
    file.set_len(3 * PAGE as u64).expect("its size");
    for (at, bytes) in [(0, consumed), (PAGE, produced), (2 * PAGE, data)] {
        file.write_all_at(bytes, at as u64).expect("its bytes");
    }
    let mut ring = Ring::open(file.into(), PAGE as u32).expect("a ring of a page");
    let mut record = Vec::new();
    // A ring of a page has room for so many headers.
    for _ in 0..=PAGE / size_of::<u64>() {
        match ring.next(&mut record) {
            Ok(true) => assert!(record.len() <= PAGE),
            Ok(false) | Err(_) => return,
        }
    }
    panic!("more records than there is room for");
});

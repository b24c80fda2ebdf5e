//! The memory of a ring: positions, lengths and flags that a kernel would never write.

use std::os::unix::fs::FileExt as _;

use probe_user::ring::Ring;

/// The size of a page, which is what a ring has at least.
const PAGE: u16 = 4096;

pub(crate) fn run(bytes: &[u8]) {
    let Some((positions, data)) = bytes.split_at_checked(2 * size_of::<u64>()) else {
        return;
    };
    let data = data.get(..usize::from(PAGE)).unwrap_or(data);
    let (consumed, produced) = positions.split_at(size_of::<u64>());
    let file = tempfile::tempfile().expect("a file");
    file.set_len(3 * u64::from(PAGE)).expect("its size");
    for (at, bytes) in [(0, consumed), (PAGE, produced), (2 * PAGE, data)] {
        file.write_all_at(bytes, at.into()).expect("its bytes");
    }
    let mut ring = Ring::open(file.into(), PAGE.into()).expect("a ring of a page");
    let mut record = Vec::new();
    // A ring of a page has room for so many headers.
    for _ in 0..=usize::from(PAGE) / size_of::<u64>() {
        match ring.next(&mut record) {
            Ok(true) => assert!(record.len() <= PAGE.into()),
            Ok(false) | Err(_) => return,
        }
    }
    panic!("more records than there is room for");
}

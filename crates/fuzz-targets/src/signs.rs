//! The memory of hindsight: a moment (8 bytes), and signs that no program would write.

use std::io::Write as _;
use std::os::fd::AsFd as _;

use probe_common::Sign;
use probe_user::hindsight::{Hindsight, MOST, REACH_NS};

/// The size of a page, which is what is mapped, and how many signs of 48 bytes it holds.
const PAGE: usize = 4096;
const SIGNS: u32 = 85;
const _: () = assert!(PAGE / Sign::SIZE == SIGNS as usize);

pub(crate) fn run(bytes: &[u8]) {
    let Some((at_ns, bytes)) = bytes.split_first_chunk() else {
        return;
    };
    let at_ns = u64::from_le_bytes(*at_ns);
    let mut file = tempfile::tempfile().expect("a file");
    file.write_all(bytes.get(..PAGE).unwrap_or(bytes))
        .expect("its bytes");
    file.set_len(PAGE as u64).expect("its size");
    let hindsight = Hindsight::open(file.as_fd(), SIGNS).expect("a page of signs");
    let seen = hindsight.before(at_ns);
    assert!(seen.len() <= MOST);
    for sign in seen {
        assert!(sign.since_boot_ns <= at_ns && at_ns - sign.since_boot_ns <= REACH_NS);
        assert!(!sign.to_string().is_empty());
    }
}

//! The memory of hindsight: signs that no program would write.
#![no_main]

use std::io::Write as _;
use std::os::fd::AsFd as _;

use libfuzzer_sys::fuzz_target;
use probe_user::hindsight::{Hindsight, MOST, REACH_NS};

/// The size of a page, which is what is mapped, and how many signs it holds.
const PAGE: usize = 4096;
const SIGNS: u32 = (PAGE / probe_common::Sign::SIZE) as u32;

fuzz_target!(|input: (u64, &[u8])| {
    let (at_ns, bytes) = input;
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
});

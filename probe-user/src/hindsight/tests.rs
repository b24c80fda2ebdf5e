use std::{io::Write as _, os::fd::AsFd as _};

use proptest::prelude::*;

use super::*;

fn sign(since_boot_ns: u64, kind: u16) -> Sign {
    Sign {
        since_boot_ns,
        value: 35_000_000,
        pid: 7,
        cpu: 1,
        kind,
        comm: *b"dd\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
        ..Sign::default()
    }
}

/// A file in place of the map.
fn opened(signs: &[Sign]) -> Hindsight {
    let mut file = tempfile::tempfile().unwrap();
    for sign in signs {
        file.write_all(&sign.encode()).unwrap();
    }
    let whole = file
        .metadata()
        .unwrap()
        .len()
        .next_multiple_of(rustix::param::page_size() as u64);
    file.set_len(whole).unwrap();
    Hindsight::open(file.as_fd(), u32::try_from(signs.len()).unwrap()).unwrap()
}

#[test]
fn the_last_half_minute_is_told_oldest_first() {
    let at = 100_000_000_000;
    let hindsight = opened(&[
        sign(at - 5, 1),
        sign(0, 1),
        sign(at - REACH_NS - 1, 1),
        sign(at - REACH_NS, 2),
        sign(at + 1, 3),
        sign(at - 1, 9),
    ]);
    let times: Vec<_> = hindsight
        .before(at)
        .iter()
        .map(|seen| seen.since_boot_ns)
        .collect();
    assert_eq!(times, [at - REACH_NS, at - 5]);
}

#[test]
fn of_many_the_latest_are_told() {
    let signs: Vec<_> = (1..=200).rev().map(|at| sign(at, 4)).collect();
    let seen = opened(&signs).before(180);
    assert_eq!(seen.len(), MOST);
    assert_eq!((seen[0].since_boot_ns, seen[MOST - 1].since_boot_ns), (117, 180));
}

#[test]
fn signs_are_put_into_words() {
    let words = |kind| opened(&[sign(5, kind)]).before(5)[0].to_string();
    assert_eq!(words(1), "allocation stall 35 ms of dd (7)");
    assert_eq!(words(2), "allocation stall 35 ms of dd (7), its cgroup is full");
    assert_eq!(words(3), "memory compaction 35 ms by dd (7)");
    assert_eq!(words(4), "interrupt storm, 35000000 a second");
}

#[test]
fn memory_that_is_too_large_or_none_is_refused() {
    let file = tempfile::tempfile().unwrap();
    assert!(Hindsight::open(file.as_fd(), 0).is_err());
    assert!(Hindsight::open(file.as_fd(), u32::MAX).is_err());
}

proptest! {
    #[test]
    fn any_bytes_are_signs_or_nothing(bytes in prop::collection::vec(any::<u8>(), 1..4096), at: u64) {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        file.set_len(bytes.len().next_multiple_of(rustix::param::page_size()) as u64).unwrap();
        let signs = u32::try_from(bytes.len().div_ceil(Sign::SIZE)).unwrap();
        let signs = signs.min(u32::try_from(rustix::param::page_size() / Sign::SIZE).unwrap());
        let seen = Hindsight::open(file.as_fd(), signs).unwrap().before(at);
        prop_assert!(seen.len() <= MOST && seen.iter().all(|seen| seen.since_boot_ns <= at));
    }
}

use std::fs;
use std::os::unix::fs::PermissionsExt;

use rustix::io::Errno;
use tempfile::TempDir;

use super::*;
use crate::disk::simulated::{Fault, Simulated};
use crate::{Chunk, Damage, GapReason, Worth};

mod damage;
mod giving_up;
mod model;
mod schedules;

const EPOCH: [u8; 16] = *b"0123456789abcdef";
/// On a simulated disk.
const SIMULATED_DIR: &str = "/spool";
const SMALL: Options = Options {
    segment_bytes: 4096,
    max_bytes: 5 * 4096,
    max_age: Duration::MAX,
    judge: Worth::ordinary,
};

fn open(dir: &TempDir) -> Spool {
    open_with(dir, SMALL).spool
}

fn open_with(dir: &TempDir, options: Options) -> Opened {
    Spool::open(&dir.path().join("spool"), options, EPOCH).unwrap()
}

fn open_simulated(disk: &Simulated) -> Opened {
    Spool::open_on(Arc::new(disk.clone()), Path::new(SIMULATED_DIR), SMALL, EPOCH).unwrap()
}

fn record(seq: u64) -> Vec<u8> {
    format!("record {seq} {}", "x".repeat(100)).into_bytes()
}

/// Appends and syncs `count` records, one at a time.
fn fill(spool: &mut Spool, count: u64) {
    for _ in 0..count {
        let seq = spool.durable_seq() + 1;
        assert_eq!(spool.append(&record(seq)).unwrap(), seq);
        assert_eq!(spool.sync().unwrap(), seq);
    }
}

/// What is at a sequence: a record, or the gap it begins, first and last.
type Found = Result<u64, (u64, u64, GapReason)>;

/// Everything from `from` on.
fn read_all(spool: &mut Spool, from: u64) -> Vec<Found> {
    let (mut at, mut all) = (from, Vec::new());
    loop {
        match spool.read(at, 7, 2000).unwrap() {
            Chunk::Empty => return all,
            Chunk::Records { first_seq, records } => {
                assert_eq!(first_seq, at);
                for bytes in records {
                    assert_eq!(bytes, record(at));
                    all.push(Ok(at));
                    at += 1;
                }
            }
            Chunk::Gap {
                first_seq,
                count,
                reason,
                ..
            } => {
                assert_eq!(first_seq, at);
                assert!(count > 0);
                let last = at + count - 1;
                match all.last_mut() {
                    Some(Err((_, before, same))) if *same == reason => *before = last,
                    _ => all.push(Err((at, last, reason))),
                }
                at += count;
            }
        }
    }
}

fn all_records(from: u64, to: u64) -> Vec<Found> {
    (from..=to).map(Ok).collect()
}

#[test]
fn what_was_synced_is_read_back_after_opening_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = open(&dir);
    fill(&mut spool, 50);
    assert_eq!(read_all(&mut spool, 1), all_records(1, 50));
    drop(spool);
    let opened = Spool::open(&dir.path().join("spool"), SMALL, [9; 16]).unwrap();
    assert!(!opened.created);
    assert_eq!(opened.damage, []);
    let mut spool = opened.spool;
    assert_eq!(spool.epoch(), EPOCH);
    assert_eq!(spool.durable_seq(), 50);
    assert_eq!(read_all(&mut spool, 20), all_records(20, 50));
    fill(&mut spool, 10);
    assert_eq!(read_all(&mut spool, 1), all_records(1, 60));
}

#[test]
fn nothing_is_read_before_it_is_durable_and_a_crash_takes_it_back() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = open(&dir);
    assert_eq!(spool.append(b"unsynced").unwrap(), 1);
    assert_eq!(spool.durable_seq(), 0);
    assert_eq!(spool.read(1, 10, 1000).unwrap(), Chunk::Empty);
    drop(spool);
    let mut spool = open(&dir);
    assert_eq!(spool.append(b"another").unwrap(), 1);
}

#[test]
fn a_reading_keeps_to_its_limits_but_gives_at_least_one_record() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = open(&dir);
    fill(&mut spool, 20);
    let count = |chunk| match chunk {
        Chunk::Records { records, .. } => records.len(),
        other => panic!("{other:?}"),
    };
    let bytes = record(1).len();
    assert_eq!(count(spool.read(1, 3, 1 << 20).unwrap()), 3);
    assert_eq!(count(spool.read(1, 100, 2 * bytes).unwrap()), 2);
    assert_eq!(count(spool.read(1, 0, 0).unwrap()), 1);
    assert_eq!(spool.read(21, 1, 1).unwrap(), Chunk::Empty);
    assert_eq!(spool.read(u64::MAX, 1, 1).unwrap(), Chunk::Empty);
}

#[test]
fn a_directory_is_open_once() {
    let dir = tempfile::tempdir().unwrap();
    let spool = open(&dir);
    let path = dir.path().join("spool");
    assert!(matches!(
        Spool::open(&path, SMALL, EPOCH),
        Err(SpoolError::Locked { dir }) if dir == path
    ));
    drop(spool);
    assert!(Spool::open(&path, SMALL, EPOCH).is_ok());
}

#[test]
fn only_the_owner_can_read_what_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    fill(&mut open(&dir), 1);
    let path = dir.path().join("spool");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o700);
    for entry in fs::read_dir(&path).unwrap() {
        assert_eq!(mode(&entry.unwrap().path()), 0o600);
    }
}

#[test]
fn options_that_contradict_themselves_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    for (segment_bytes, max_bytes) in [(4095, 1 << 20), (4096, 8191), (u64::MAX, u64::MAX)] {
        let options = Options {
            segment_bytes,
            max_bytes,
            ..SMALL
        };
        let opened = Spool::open(&dir.path().join("spool"), options, EPOCH);
        assert!(matches!(opened, Err(SpoolError::Options { .. })), "{options:?}");
    }
}

#[test]
fn a_record_that_does_not_fit_is_refused_and_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = open(&dir);
    let limit = spool.max_record_bytes();
    assert_eq!(limit, 4096 - HEADER_BYTES - FRAME_HEADER_BYTES);
    assert!(matches!(
        spool.append(&vec![0; limit + 1]),
        Err(SpoolError::RecordTooLarge { bytes, limit: said }) if bytes == limit + 1 && said == limit
    ));
    assert_eq!(spool.append(&vec![7; limit]).unwrap(), 1);
    assert_eq!(spool.append(b"").unwrap(), 2);
    assert_eq!(spool.sync().unwrap(), 2);
    drop(spool);
    let mut spool = open(&dir);
    let chunk = |first_seq, record| Chunk::Records {
        first_seq,
        records: vec![record],
    };
    assert_eq!(spool.read(1, 9, 1 << 20).unwrap(), chunk(1, vec![7; limit]));
    assert_eq!(spool.read(2, 9, 1 << 20).unwrap(), chunk(2, Vec::new()));
    let default = open_with(&tempfile::tempdir().unwrap(), Options::default());
    assert_eq!(default.spool.max_record_bytes(), MAX_RECORD_BYTES);
}

#[test]
fn an_acknowledgement_gives_segments_back_and_outlives_the_process() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = open(&dir);
    fill(&mut spool, 100);
    let full = spool.bytes();
    spool.acknowledge(90).unwrap();
    assert!(spool.bytes() < full);
    assert_eq!((spool.acknowledged_seq(), spool.backlog()), (90, 10));
    spool.acknowledge(40).unwrap();
    assert_eq!(spool.acknowledged_seq(), 90);
    assert!(matches!(
        spool.acknowledge(101),
        Err(SpoolError::AcknowledgedTooFar {
            seq: 101,
            durable: 100
        })
    ));
    drop(spool);
    let mut spool = open(&dir);
    assert_eq!(spool.acknowledged_seq(), 90);
    assert_eq!(read_all(&mut spool, 91), all_records(91, 100));
    let gone = read_all(&mut spool, 1);
    assert!(
        matches!(gone[0], Err((1, last, GapReason::Evicted)) if last <= 90),
        "{gone:?}"
    );
}

#[test]
fn beyond_max_bytes_the_oldest_are_evicted_and_declared() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = open(&dir);
    for _ in 0..30 {
        fill(&mut spool, 10);
        assert!(spool.bytes() <= SMALL.max_bytes);
    }
    let all = read_all(&mut spool, 1);
    let Err((1, evicted, GapReason::Evicted)) = all[0] else {
        panic!("{:?}", all[0])
    };
    assert_eq!(all[1..], all_records(evicted + 1, 300));
    assert_eq!(spool.backlog(), 300, "a gap has to be acknowledged too");
    drop(spool);
    let mut spool = open(&dir);
    assert_eq!(read_all(&mut spool, 1), all);
    spool.acknowledge(evicted).unwrap();
    assert_eq!(read_all(&mut spool, evicted + 1), all_records(evicted + 1, 300));
}

#[test]
fn limits_may_change_between_openings() {
    let dir = tempfile::tempdir().unwrap();
    let large = Options {
        segment_bytes: 64 << 10,
        max_bytes: 256 << 10,
        ..SMALL
    };
    let mut spool = open_with(&dir, large).spool;
    fill(&mut spool, 700);
    assert!(spool.bytes() > SMALL.max_bytes);
    drop(spool);
    let mut spool = open(&dir);
    assert_eq!(read_all(&mut spool, 1), all_records(1, 700));
    fill(&mut spool, 1);
    assert!(spool.bytes() <= SMALL.max_bytes);
    assert_eq!(read_all(&mut spool, 701), all_records(701, 701));
}

#[test]
fn what_could_not_be_synced_stays_queued_and_is_written_later() {
    // Writes, and for a new segment creation, size, space, syncs of data and directory, and the name: whichever fails.
    for calls in 0..10 {
        for errno in [Errno::NOSPC, Errno::IO] {
            let disk = Simulated::new(u64::from(calls));
            let mut spool = open_simulated(&disk).spool;
            fill(&mut spool, 20);
            let first = spool.durable_seq() + 1;
            for seq in first..first + 20 {
                assert_eq!(spool.append(&record(seq)).unwrap(), seq);
            }
            disk.plan(calls, Fault::Errno(errno, 0));
            match spool.sync() {
                Ok(durable) => assert_eq!(durable, first + 19),
                Err(SpoolError::Io { source, .. }) => {
                    assert_eq!(source.raw_os_error(), Some(errno.raw_os_error()));
                    assert_eq!(spool.durable_seq(), first - 1);
                    assert_eq!(spool.read(first, 1, 1).unwrap(), Chunk::Empty);
                }
                Err(other) => panic!("{other}"),
            }
            disk.cancel();
            assert_eq!(spool.sync().unwrap(), first + 19);
            assert_eq!(read_all(&mut spool, 1), all_records(1, first + 19));
            drop(spool);
            let mut spool = open_simulated(&disk).spool;
            assert_eq!(read_all(&mut spool, 1), all_records(1, first + 19));
        }
    }
}

#[test]
fn much_that_is_queued_is_synced_unasked() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = open_with(&dir, Options::default()).spool;
    let record = vec![1; 200_000];
    for _ in 0..10 {
        spool.append(&record).unwrap();
        assert!(spool.pending.len() <= MAX_PENDING_BYTES);
    }
    assert!(spool.durable_seq() >= 5);
    assert_eq!(spool.sync().unwrap(), 10);
}

//! A spool's directory, some of whose bytes were overwritten: it opens, or says why not, and goes on.
//!
//! The input is a list of edits: which file, where (two bytes), how many bytes, the bytes.

use std::fs;
use std::path::Path;
use std::time::Duration;

use spool::{Chunk, Options, Spool, Worth};

const OPTIONS: Options = Options {
    segment_bytes: 4096,
    max_bytes: 4 * 4096,
    max_age: Duration::from_hours(1),
    judge,
};
const RECORDS: u64 = 12;

pub(crate) fn run(edits: &[u8]) {
    let dir = crate::folder();
    fill(dir.path());
    damage(dir.path(), edits);
    let Ok(opened) = Spool::open(dir.path(), OPTIONS, [2; 16]) else {
        return;
    };
    let mut spool = opened.spool;
    read_all(&mut spool);
    let seq = spool.append(b"afterwards").expect("it takes records");
    assert_eq!(spool.sync().expect("it writes"), seq);
    let Chunk::Records { records, .. } = spool.read(seq, 1, 100).expect("it reads") else {
        panic!("what was just written is not there");
    };
    assert_eq!(records, [b"afterwards"]);
    spool.acknowledge(seq).expect("it lets go");
}

fn fill(dir: &Path) {
    let mut spool = Spool::open(dir, OPTIONS, [1; 16]).expect("a new spool").spool;
    for seq in 1..=RECORDS {
        spool.append(&vec![0xab; 700]).expect("append");
        if seq % 3 == 0 {
            spool.sync().expect("sync");
        }
    }
    spool.acknowledge(2).expect("acknowledge");
}

fn damage(dir: &Path, mut edits: &[u8]) {
    let mut files: Vec<_> = fs::read_dir(dir)
        .expect("list")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.sort();
    while let [file, low, high, count, rest @ ..] = edits {
        let (bytes, rest) = rest.split_at(rest.len().min(usize::from(*count)));
        edits = rest;
        let path = &files[usize::from(*file) % files.len()];
        let mut content = fs::read(path).expect("read");
        let at = usize::from(u16::from_le_bytes([*low, *high]));
        if bytes.is_empty() {
            content.truncate(at);
        } else if at + bytes.len() <= 2 * 4096 {
            content.resize(content.len().max(at + bytes.len()), 0);
            content[at..at + bytes.len()].copy_from_slice(bytes);
        }
        fs::write(path, content).expect("write");
    }
}

/// The first byte says it.
fn judge(record: &[u8]) -> Worth {
    let first = record.first().copied().unwrap_or(0);
    Worth {
        class: (first % 4).to_string(),
        is_critical: first % 8 == 0,
        events: first.into(),
    }
}

/// Reads everything; the sequences have no holes and come to an end.
fn read_all(spool: &mut Spool) {
    let mut next = spool.acknowledged_seq() + 1;
    loop {
        match spool.read(next, 5, 2000).expect("it reads") {
            Chunk::Empty => break,
            Chunk::Records { first_seq, records } => {
                assert_eq!(first_seq, next);
                next += records.len() as u64;
            }
            Chunk::Gap { first_seq, count, .. } => {
                assert!(first_seq == next && count > 0);
                next += count;
            }
        }
    }
    assert_eq!(next, spool.durable_seq() + 1);
}

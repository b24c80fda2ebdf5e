use proptest::prelude::*;

use super::*;

const CODE: u64 = 0x40_0000;
const STACK: u64 = 0x7fff_0000;
const PAGE: u64 = PAGE_BYTES as u64;
const PAGE_BYTES: usize = 0x1000;
const BUILD_ID: [u8; 8] = *b"01234567";

/// Where a thread is: its frame pointers lead from `frame`.
fn thread(tid: u32, instruction: u64, frame: u64) -> Vec<u8> {
    let mut note = vec![0; 336];
    note[32..36].copy_from_slice(&tid.to_le_bytes());
    let mut register = |index: usize, value: u64| {
        note[112 + 8 * index..][..8].copy_from_slice(&value.to_le_bytes());
    };
    register(16, instruction);
    register(19, STACK + 0x100);
    register(4, frame);
    note
}

fn note(kind: u32, content: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for word in [5, u32::try_from(content.len()).unwrap(), kind] {
        bytes.extend(word.to_le_bytes());
    }
    bytes.extend(b"CORE\0\0\0\0");
    bytes.extend(content);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

fn words(words: &[u64]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

fn notes(threads: &[Vec<u8>]) -> Vec<u8> {
    let mut signal = vec![0; 128];
    for (at, value) in [(0, 11_u32), (8, 1), (16, 0x10)] {
        signal[at..at + 4].copy_from_slice(&value.to_le_bytes());
    }
    let mut process = vec![0; 136];
    process[40..46].copy_from_slice(b"server");
    let mut files = words(&[2, PAGE, CODE, CODE + PAGE, 0, CODE + PAGE, CODE + 2 * PAGE, 1]);
    files.extend(b"/usr/bin/server\0/usr/bin/server\0");
    let (first, others) = threads.split_first().unwrap();
    let mut bytes = note(1, first);
    bytes.extend(note(3, &process));
    bytes.extend(note(0x5349_4749, &signal));
    bytes.extend(note(6, &words(&[3, CODE + 64, 0, 0])));
    bytes.extend(note(0x4649_4c45, &files));
    bytes.extend(others.iter().flat_map(|other| note(1, other)));
    bytes
}

/// The first page of a program.
fn program() -> Vec<u8> {
    let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
    bytes.resize(64, 0);
    bytes[16..20].copy_from_slice(&[3, 0, 62, 0]);
    bytes[32] = 64;
    bytes[54] = 56;
    bytes[56] = 1;
    // PT_NOTE at 120.
    bytes.extend([4, 0, 0, 0, 4, 0, 0, 0]);
    bytes.extend(words(&[120, 120, 120, 24, 24, 4]));
    bytes.extend([4_u32, 8, 3].iter().flat_map(|word| word.to_le_bytes()));
    bytes.extend(b"GNU\0");
    bytes.extend(BUILD_ID);
    bytes.resize(PAGE_BYTES, 0);
    bytes
}

/// A stack with the frames of a function that was called by another one.
fn stack() -> Vec<u8> {
    let mut bytes = vec![0; PAGE_BYTES];
    let mut frame = |at: usize, above: u64, caller: u64| {
        bytes[at..at + 16].copy_from_slice(&words(&[above, caller]));
    };
    frame(0x200, STACK + 0x300, CODE + PAGE + 0x20);
    frame(0x300, 0, CODE + PAGE + 0x10);
    bytes
}

/// A whole dump of these notes.
fn dump(notes: &[u8]) -> Vec<u8> {
    let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
    bytes.resize(64, 0);
    bytes[16..20].copy_from_slice(&[4, 0, 62, 0]);
    bytes[32] = 64;
    bytes[54] = 56;
    bytes[56] = 4;
    let first = 64 + 4 * 56;
    let mut header = |kind: u32, flags: u32, fields: [u64; 6]| {
        bytes.extend(kind.to_le_bytes());
        bytes.extend(flags.to_le_bytes());
        bytes.extend(words(&fields));
    };
    let size = notes.len() as u64;
    let data = (first + size).next_multiple_of(PAGE);
    header(4, 0, [first, 0, 0, size, 0, 4]);
    header(1, 4, [data, CODE, 0, PAGE, PAGE, PAGE]);
    header(1, 5, [data + PAGE, CODE + PAGE, 0, 0, PAGE, PAGE]);
    header(1, 6, [data + PAGE, STACK, 0, PAGE, PAGE, PAGE]);
    bytes.extend(notes);
    bytes.resize(bytes.len().next_multiple_of(PAGE_BYTES), 0);
    bytes.extend(program());
    bytes.extend(stack());
    bytes
}

fn whole() -> Vec<u8> {
    let first = thread(7, CODE + PAGE + 0x30, STACK + 0x200);
    let other = thread(8, CODE + PAGE + 0x40, 0);
    dump(&notes(&[first, other]))
}

#[test]
fn a_dump_says_who_died_of_what_and_where_each_thread_was() {
    let dump = read(whole().as_slice()).unwrap();
    let signal = Signal {
        number: 11,
        code: 1,
        errno: 0,
        address: Some(0x10),
    };
    assert_eq!((dump.comm.as_str(), dump.signal), ("server", Some(signal)));
    assert_eq!(
        (dump.executable.as_str(), dump.build_id.as_slice()),
        ("/usr/bin/server", BUILD_ID.as_slice())
    );
    assert!(!dump.truncated);
    let frame = |offset| Frame {
        build_id: BUILD_ID.to_vec(),
        file: "/usr/bin/server".into(),
        offset: PAGE + offset,
    };
    let [first, other] = dump.threads.as_slice() else {
        panic!("{:?}", dump.threads);
    };
    assert_eq!((first.tid, other.tid), (7, 8));
    assert_eq!(first.frames, [frame(0x30), frame(0x20), frame(0x10)]);
    assert_eq!(other.frames, [frame(0x40)]);
}

#[test]
fn a_dump_that_ends_early_says_what_it_has() {
    let bytes = whole();
    for length in 64..bytes.len() {
        let dump = read(&bytes[..length]).unwrap();
        assert!(dump.truncated, "{length}");
    }
    // Behind the notes, and before the mappings.
    let dump = read(&bytes[..0x1000]).unwrap();
    assert_eq!((dump.comm.as_str(), dump.threads.len()), ("server", 2));
    assert_eq!(dump.threads[0].frames.len(), 1);
}

#[test]
fn of_very_many_threads_some_are_kept_with_the_one_that_crashed() {
    let threads: Vec<_> = (1..=100).map(|tid| thread(tid, CODE + PAGE, 0)).collect();
    let dump = read(dump(&notes(&threads)).as_slice()).unwrap();
    assert_eq!((dump.threads.len(), dump.threads[0].tid), (THREADS, 1));
}

#[test]
fn what_is_no_core_dump_is_told() {
    let mut bytes = whole();
    assert_eq!(read(&bytes[..63]), Err(CoreError::NotElf));
    assert_eq!(read(b"#!/bin/sh\n".as_slice()), Err(CoreError::NotElf));
    assert_eq!(read(program().as_slice()), Err(CoreError::NotCore));
    // A processor that is not known here.
    bytes[18] = 8;
    let dump = read(bytes.as_slice()).unwrap();
    assert!(dump.truncated && dump.threads.is_empty());
}

/// A reader that gives a few bytes at a time.
struct Slowly<'a>(&'a [u8], usize);

impl Read for Slowly<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let bytes = self.0.len().min(self.1).min(buffer.len());
        let (now, later) = self.0.split_at(bytes);
        buffer[..bytes].copy_from_slice(now);
        self.0 = later;
        Ok(bytes)
    }
}

proptest! {
    #[test]
    fn it_does_not_matter_in_which_pieces_a_dump_comes(piece in 1_usize..5_000) {
        let bytes = whole();
        prop_assert_eq!(read(Slowly(&bytes, piece)), read(bytes.as_slice()));
    }

    #[test]
    fn any_damage_is_read_within_the_limits(
        at in 0_usize..2_000,
        with in prop::collection::vec(any::<u8>(), 1..64),
        cut in 0_usize..16_000,
    ) {
        let mut bytes = whole();
        for (byte, with) in bytes.iter_mut().skip(at).zip(with) {
            *byte = with;
        }
        bytes.truncate(cut);
        if let Ok(dump) = read(bytes.as_slice()) {
            prop_assert!(dump.threads.len() <= THREADS);
            prop_assert!(dump.threads.iter().all(|thread| thread.frames.len() <= FRAMES));
        }
    }

    #[test]
    fn any_bytes_are_looked_through_for_a_build_id_without_a_panic(
        at in 0_usize..160,
        with in prop::collection::vec(any::<u8>(), 0..24),
        cut in 0_usize..160,
    ) {
        let mut bytes = program();
        for (byte, with) in bytes.iter_mut().skip(at).zip(with) {
            *byte = with;
        }
        bytes.truncate(cut);
        let _found = build_id(&bytes);
    }
}

//! One kind of damage each: what is left is read, what is gone is declared, the sequences go on.

use super::*;

fn path(dir: &TempDir, name: &str) -> PathBuf {
    dir.path().join("spool").join(name)
}

fn segments(dir: &TempDir) -> Vec<PathBuf> {
    let mut found: Vec<_> = fs::read_dir(dir.path().join("spool"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.file_name()
                .unwrap()
                .to_str()
                .unwrap()
                .starts_with("segment-")
        })
        .collect();
    found.sort();
    found
}

fn first_seq(segment: &Path) -> u64 {
    let name = segment.file_name().unwrap().to_str().unwrap();
    name["segment-".len()..].parse().unwrap()
}

/// A spool of 100 records in several segments, closed.
fn filled() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    fill(&mut open(&dir), 100);
    dir
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 0x10;
    fs::write(path, bytes).unwrap();
}

/// Opens it, checks that it goes on after 100, and returns what it reads.
fn reopened(dir: &TempDir) -> (Vec<Damage>, Vec<Found>) {
    let mut opened = open_with(dir, SMALL);
    assert_eq!(opened.spool.durable_seq(), 100);
    let all = read_all(&mut opened.spool, 1);
    fill(&mut opened.spool, 1);
    assert_eq!(read_all(&mut opened.spool, 101), all_records(101, 101));
    drop(opened.spool);
    let mut again = open_with(dir, SMALL);
    assert_eq!(
        read_all(&mut again.spool, 1)[..all.len()],
        all,
        "damage stays as it is declared"
    );
    (opened.damage, all)
}

fn without(first: u64, last: u64) -> Vec<Found> {
    let mut all = all_records(1, first - 1);
    all.push(Err((first, last, GapReason::Unreadable)));
    all.extend(all_records(last + 1, 100));
    all
}

#[test]
fn a_flipped_bit_costs_one_record() {
    for at in [HEADER_BYTES + 3, HEADER_BYTES + 30] {
        let dir = filled();
        let segment = &segments(&dir)[1];
        let seq = first_seq(segment);
        flip(segment, at);
        let (damage, all) = reopened(&dir);
        assert_eq!(all, without(seq, seq));
        assert_eq!(
            damage,
            [Damage::Records {
                first_seq: seq,
                count: 1
            }]
        );
    }
}

#[test]
fn a_flipped_bit_while_it_is_open_costs_one_record() {
    let dir = filled();
    let mut spool = open(&dir);
    let segment = &segments(&dir)[1];
    flip(segment, HEADER_BYTES + 3);
    let seq = first_seq(segment);
    assert_eq!(read_all(&mut spool, 1), without(seq, seq));
}

#[test]
fn a_deleted_segment_is_a_gap() {
    for open_meanwhile in [false, true] {
        let dir = filled();
        let spool = open_meanwhile.then(|| open(&dir));
        let found = segments(&dir);
        fs::remove_file(&found[1]).unwrap();
        let (first, last) = (first_seq(&found[1]), first_seq(&found[2]) - 1);
        match spool {
            Some(mut spool) => assert_eq!(read_all(&mut spool, 1), without(first, last)),
            None => assert_eq!(reopened(&dir).1, without(first, last)),
        }
    }
}

#[test]
fn the_deleted_last_segment_is_a_gap_and_its_sequences_are_not_used_again() {
    let dir = filled();
    let last = segments(&dir).pop().unwrap();
    fs::remove_file(&last).unwrap();
    assert_eq!(reopened(&dir).1, without(first_seq(&last), 100));
}

#[test]
fn all_segments_deleted_are_a_gap() {
    let dir = filled();
    for segment in segments(&dir) {
        fs::remove_file(segment).unwrap();
    }
    assert_eq!(reopened(&dir).1, [Err((1, 100, GapReason::Unreadable))]);
}

#[test]
fn a_cut_segment_loses_its_end() {
    let dir = filled();
    let last = segments(&dir).pop().unwrap();
    let frame = (FRAME_HEADER_BYTES + record(90).len()) as u64;
    let length = HEADER_BYTES as u64 + 2 * frame + 5;
    fs::OpenOptions::new()
        .write(true)
        .open(&last)
        .unwrap()
        .set_len(length)
        .unwrap();
    let (damage, all) = reopened(&dir);
    let lost = first_seq(&last) + 2;
    assert_eq!(all, without(lost, 100));
    assert!(
        damage.contains(&Damage::TornTail {
            segment: last,
            offset: length - 5,
            bytes: 5
        }),
        "{damage:?}"
    );
}

#[test]
fn a_segment_without_its_header_is_still_read() {
    let dir = filled();
    for segment in segments(&dir) {
        flip(&segment, 0);
    }
    assert_eq!(reopened(&dir).1, all_records(1, 100));
}

#[test]
fn a_lost_identity_is_made_again() {
    let dir = filled();
    fs::remove_file(path(&dir, "identity")).unwrap();
    let (damage, all) = reopened(&dir);
    assert_eq!(damage, [Damage::Identity]);
    assert_eq!(all, all_records(1, 100));
    assert!(path(&dir, "identity").exists());
}

#[test]
fn a_lost_mark_is_made_again() {
    let dir = filled();
    let mut spool = open(&dir);
    spool.acknowledge(10).unwrap();
    drop(spool);
    fs::write(path(&dir, "mark"), [0xff; 100]).unwrap();
    let (damage, all) = reopened(&dir);
    assert_eq!(damage, [Damage::Mark]);
    assert_eq!(all, all_records(1, 100));
}

#[test]
fn one_damaged_slot_of_the_mark_is_survived() {
    for slot in [0, crate::format::MARK_SLOT_BYTES] {
        let dir = filled();
        flip(&path(&dir, "mark"), slot + 30);
        let (damage, all) = reopened(&dir);
        assert_eq!(damage, []);
        assert_eq!(all, all_records(1, 100));
    }
}

#[test]
fn when_nothing_says_which_sequences_were_used_a_new_epoch_begins() {
    let dir = filled();
    for segment in segments(&dir) {
        fs::remove_file(segment).unwrap();
    }
    fs::remove_file(path(&dir, "mark")).unwrap();
    let opened = Spool::open(&dir.path().join("spool"), SMALL, [9; 16]).unwrap();
    assert!(opened.created);
    assert_eq!(opened.spool.epoch(), [9; 16]);
    let aside = path(&dir, "damaged-1");
    assert_eq!(opened.damage, [Damage::MovedAside { to: aside.clone() }]);
    assert!(aside.join("identity").exists());
}

#[test]
fn segments_of_another_spool_are_set_aside() {
    let (dir, other) = (filled(), tempfile::tempdir().unwrap());
    let options = SMALL;
    let mut foreign = Spool::open(other.path(), options, [9; 16]).unwrap().spool;
    fill(&mut foreign, 1);
    drop(foreign);
    let name = format!("segment-{:020}", 1000);
    fs::copy(other.path().join(format!("segment-{:020}", 1)), path(&dir, &name)).unwrap();
    let (damage, all) = reopened(&dir);
    let aside = path(&dir, "damaged-1");
    assert_eq!(damage, [Damage::MovedAside { to: aside.clone() }]);
    assert!(aside.join(name).exists());
    assert_eq!(all, all_records(1, 100));
}

#[test]
fn frames_of_another_spool_inside_a_damaged_one_do_not_pass() {
    let dir = tempfile::tempdir().unwrap();
    let mut imitation = Vec::new();
    let seed = Seed::of_epoch([9; 16]);
    encode_frame(seed, 2, 0, FrameKind::Record, b"imitation", &mut imitation);
    let mut spool = open(&dir);
    spool.append(&imitation).unwrap();
    spool.append(&record(2)).unwrap();
    spool.sync().unwrap();
    drop(spool);
    flip(&segments(&dir)[0], HEADER_BYTES);
    assert_eq!(
        read_all(&mut open(&dir), 1),
        [Err((1, 1, GapReason::Unreadable)), Ok(2)]
    );
}

#[test]
fn another_version_is_refused_and_nothing_is_touched() {
    for name in ["identity", &format!("segment-{:020}", 1)] {
        let dir = filled();
        let mut bytes = fs::read(path(&dir, name)).unwrap();
        bytes[8] = 1;
        let crc = crc32c::crc32c_append(crc32c::crc32c(&bytes[0..12]), &bytes[16..40]);
        bytes[12..16].copy_from_slice(&crc.to_le_bytes());
        fs::write(path(&dir, name), &bytes).unwrap();
        fs::write(path(&dir, "segment-x.new"), "unfinished").unwrap();
        let before: Vec<_> = segments(&dir)
            .iter()
            .map(|path| fs::read(path).unwrap())
            .collect();
        let opened = Spool::open(&dir.path().join("spool"), SMALL, EPOCH);
        assert!(matches!(
            opened,
            Err(SpoolError::Version {
                found: 1,
                supported: 2,
                ..
            })
        ));
        let after: Vec<_> = segments(&dir)
            .iter()
            .map(|path| fs::read(path).unwrap())
            .collect();
        assert_eq!(before, after);
        assert!(path(&dir, "segment-x.new").exists());
    }
}

#[test]
fn what_an_interrupted_creation_left_is_removed() {
    let dir = filled();
    fs::write(path(&dir, "segment-x.new"), "unfinished").unwrap();
    let (damage, all) = reopened(&dir);
    assert_eq!((damage, all), (vec![], all_records(1, 100)));
    assert!(!path(&dir, "segment-x.new").exists());
}

/// Whole frames of nothing.
fn empty_frames(bytes: &mut Vec<u8>, seed: Seed) {
    for seq in 1..20_000 {
        encode_frame(seed, seq, 0, FrameKind::Record, b"", bytes);
    }
}

/// Headers of large records one after the other, each with a checksum that holds.
fn headers_alone(bytes: &mut Vec<u8>, seed: Seed) {
    for seq in 1..20_000 {
        let header = crate::format::FrameHeader {
            length: u32::try_from(MAX_RECORD_BYTES).unwrap(),
            payload_crc: 0,
            seq,
            at_s: 0,
            kind: FrameKind::Record,
        };
        bytes.extend(header.encode(seed));
    }
}

fn noise(bytes: &mut Vec<u8>, _: Seed) {
    let mut state = 1_u32;
    bytes.extend((0..2_000_000).map(|_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    }));
}

#[test]
fn recovery_reads_each_byte_a_bounded_number_of_times() {
    for write in [empty_frames, headers_alone, noise] {
        let disk = Simulated::new(0);
        drop(open_simulated(&disk));
        let segment = Path::new(SIMULATED_DIR).join(format!("segment-{:020}", 1));
        let mut bytes = disk.contents(&segment);
        bytes.truncate(HEADER_BYTES);
        write(&mut bytes, Seed::of_epoch(EPOCH));
        disk.overwrite(&segment, bytes.clone());
        disk.take_bytes_read();
        drop(open_simulated(&disk));
        let read = disk.take_bytes_read();
        // Twice to find the frames, and once to write again what nothing says was synced.
        assert!(
            read <= 3 * bytes.len() as u64,
            "read {read} of {} bytes",
            bytes.len()
        );
    }
}

#[test]
fn damage_to_the_end_and_later_to_the_mark_uses_no_sequence_twice() {
    let dir = filled();
    for segment in segments(&dir) {
        fs::remove_file(segment).unwrap();
    }
    drop(open(&dir));
    fs::remove_file(path(&dir, "mark")).unwrap();
    assert_eq!(reopened(&dir).1, [Err((1, 100, GapReason::Unreadable))]);
}

#[test]
fn of_what_was_set_aside_the_last_few_directories_stay() {
    let dir = filled();
    for epoch in 10..20 {
        fs::remove_file(path(&dir, "mark")).unwrap();
        for segment in segments(&dir) {
            fs::remove_file(segment).unwrap();
        }
        let opened = Spool::open(&dir.path().join("spool"), SMALL, [epoch; 16]).unwrap();
        assert!(opened.created);
    }
    let aside = |number: u32| path(&dir, &format!("damaged-{number}"));
    for number in 1..=10 {
        assert_eq!(aside(number).exists(), number > 7, "damaged-{number}");
    }
    assert!(aside(10).join("identity").exists());
}

#[test]
fn what_was_set_aside_takes_no_more_than_the_spool_may() {
    let dir = filled();
    for number in 1..=2 {
        let foreign = path(&dir, &format!("segment-{:020}", 1000 + number));
        let mut bytes = fs::read(path(&dir, &format!("segment-{:020}", 1))).unwrap();
        bytes.resize(usize::try_from(SMALL.max_bytes).unwrap() * 2 / 3, 0);
        fs::write(foreign, bytes).unwrap();
        drop(open(&dir));
    }
    assert!(!path(&dir, "damaged-1").exists());
    assert!(path(&dir, "damaged-2").exists());
}

use proptest::prelude::*;
use proto::v1::{Batch, Record};

use super::*;

const MAX_BYTES: u64 = 1 << 20;

fn now() -> Moment {
    Moment {
        unix_ns: 1_700_000_000_000_000_000,
        ..Moment::default()
    }
}

fn batch(first_seq: u64, classes: &[&str]) -> DeliverRequest {
    let record = |class: &&str| {
        let record = Record {
            class: (*class).to_owned(),
            ..Record::default()
        };
        record.encode_to_vec().into()
    };
    DeliverRequest {
        message: Some(Message::Batch(Batch {
            first_seq,
            records: classes.iter().map(record).collect(),
        })),
    }
}

fn enter(ledger: &mut Ledger, first_seq: u64, count: u64) {
    for seq in first_seq..first_seq + count {
        ledger
            .enter(
                "https://c:1",
                Uuid::from_u128(7),
                &batch(seq, &["kernel.oops"]),
                now(),
            )
            .unwrap();
    }
}

fn written(dir: &Path, count: u64) {
    enter(&mut Ledger::new(dir, MAX_BYTES), 1, count);
}

fn lines(dir: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(dir.join(FILE)).unwrap();
    text.lines().map(str::to_owned).collect()
}

fn rewrite(dir: &Path, lines: &[String]) {
    std::fs::write(dir.join(FILE), lines.join("\n") + "\n").unwrap();
}

fn broken(dir: &Path) -> Option<(u64, Why)> {
    let broken = verify(dir).unwrap().broken;
    broken.map(|broken| (broken.line, broken.why))
}

#[test]
fn an_entry_says_what_left_and_its_hash_is_that_of_the_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let message = batch(5, &["kernel.oops", "custom", "custom"]);
    let mut ledger = Ledger::new(dir.path(), MAX_BYTES);
    ledger
        .enter("https://c:1", Uuid::from_u128(7), &message, now())
        .unwrap();
    let mut read_back = Vec::new();
    read(dir.path(), |line| read_back.push(line.entry)).unwrap();
    let entry = &read_back[0];
    assert_eq!(
        (entry.number, entry.kind, entry.first_seq, entry.last_seq),
        (1, Kind::Records, 5, 7)
    );
    assert_eq!(
        entry.classes,
        BTreeMap::from([("custom".into(), 2), ("kernel.oops".into(), 1)])
    );
    assert_eq!(entry.bytes, message.encoded_len() as u64);
    assert_eq!(entry.sha256, hash(&message.encode_to_vec()));
    assert_eq!(entry.at_unix_ms, 1_700_000_000_000);
    // `printf '' | sha256sum`
    assert_eq!(
        hash(b""),
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    );
}

#[test]
fn the_first_entry_that_was_tampered_with_is_found() {
    let fresh = || {
        let dir = tempfile::tempdir().unwrap();
        written(dir.path(), 5);
        assert_eq!(broken(dir.path()), None);
        let lines = lines(dir.path());
        (dir, lines)
    };
    let (dir, mut all) = fresh();
    all[2] = all[2].replace("https://c:1", "https://d:1");
    rewrite(dir.path(), &all);
    assert_eq!(broken(dir.path()), Some((3, Why::Altered)));

    let (dir, mut all) = fresh();
    all.remove(2);
    rewrite(dir.path(), &all);
    assert_eq!(broken(dir.path()), Some((3, Why::Number)));

    let (dir, mut all) = fresh();
    all.swap(1, 2);
    rewrite(dir.path(), &all);
    assert_eq!(broken(dir.path()), Some((2, Why::Number)));

    let (dir, mut all) = fresh();
    all[3] = "nothing".into();
    rewrite(dir.path(), &all);
    assert_eq!(broken(dir.path()), Some((4, Why::NotAnEntry)));

    // Whoever computes the hash anew breaks the chain behind it.
    let (dir, mut all) = fresh();
    let mut forged = parse(all[1].as_bytes()).unwrap().0.entry;
    forged.server = "https://d:1".into();
    all[1] = String::from_utf8(line(&forged).unwrap().0)
        .unwrap()
        .trim_end()
        .to_owned();
    rewrite(dir.path(), &all);
    assert_eq!(broken(dir.path()), Some((3, Why::Chain)));

    let (dir, mut all) = fresh();
    all.remove(0);
    rewrite(dir.path(), &all);
    assert_eq!(broken(dir.path()), Some((1, Why::Number)));
}

#[test]
fn the_chain_goes_on_over_restarts_half_lines_and_files() {
    let dir = tempfile::tempdir().unwrap();
    written(dir.path(), 3);
    let path = dir.path().join(FILE);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes.extend_from_slice(b"{\"entry\":{\"num");
    std::fs::write(&path, &bytes).unwrap();
    assert_eq!(broken(dir.path()), None);
    written(dir.path(), 2);
    let verdict = verify(dir.path()).unwrap();
    assert_eq!((verdict.entries, verdict.broken), (5, None));

    // Small enough that files are given up.
    let mut ledger = Ledger::new(dir.path(), 8192);
    enter(&mut ledger, 1, 60);
    let verdict = verify(dir.path()).unwrap();
    assert_eq!(verdict.broken, None);
    assert!(
        verdict.first_number > 1 && verdict.last_number == 65,
        "{verdict:?}"
    );
    let size = |name| std::fs::metadata(dir.path().join(name)).unwrap().len();
    assert!(size(FILE) + size(FILE_BEFORE) <= 8192);
    std::fs::remove_file(dir.path().join(FILE_BEFORE)).unwrap();
    assert_eq!(broken(dir.path()), Some((1, Why::Number)));
}

#[test]
fn entries_that_could_not_be_written_are_counted_in_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::new(&dir.path().join("missing"), MAX_BYTES);
    for seq in 1..=2 {
        ledger
            .enter("https://c:1", Uuid::nil(), &batch(seq, &["custom"]), now())
            .unwrap_err();
    }
    std::fs::create_dir(dir.path().join("missing")).unwrap();
    enter(&mut ledger, 3, 2);
    let verdict = verify(&dir.path().join("missing")).unwrap();
    assert_eq!((verdict.entries, verdict.missing, verdict.broken), (2, 2, None));
}

proptest! {
    #[test]
    fn any_bytes_are_a_ledger_or_a_break_of_one(bytes in proptest::collection::vec(any::<u8>(), 0..2048)) {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(FILE), &bytes).unwrap();
        let _verdict = verify(dir.path()).unwrap();
        // It can be gone on with in any case.
        written(dir.path(), 1);
        let mut last = 0;
        read(dir.path(), |line| last = line.entry.number).unwrap();
        prop_assert_eq!(last, 1);
    }

    #[test]
    fn a_changed_byte_is_noticed(at in 0usize..100_000, change in 1u8..) {
        let dir = tempfile::tempdir().unwrap();
        written(dir.path(), 3);
        let path = dir.path().join(FILE);
        let mut bytes = std::fs::read(&path).unwrap();
        let at = at % (bytes.len() - 1);
        bytes[at] ^= change;
        std::fs::write(&path, &bytes).unwrap();
        prop_assert!(verify(dir.path()).unwrap().broken.is_some());
    }
}

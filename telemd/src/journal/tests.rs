use proptest::prelude::*;
use proto::v1::{Custom, Heartbeat, KernelReport, Precursor};

use super::*;

const EPOCH: [u8; 16] = [0xab; 16];

fn record(payload: Payload) -> Record {
    Record {
        class: "kernel.oops".into(),
        title: "t".into(),
        severity: 3,
        boot_id: "b".into(),
        occurred_at_unix_ns: 5_000_000,
        payload: Some(payload),
        ..Record::default()
    }
}

fn custom(payload: &str) -> Record {
    record(Payload::Custom(Custom {
        classification: "a/b/c".into(),
        event_id: "e".into(),
        payload: payload.into(),
        ..Custom::default()
    }))
}

fn entries(dir: &Path) -> Vec<Entry> {
    let mut entries = Vec::new();
    read(dir, |entry| entries.push(entry)).unwrap();
    entries
}

fn at_ms(ms: u64) -> Moment {
    Moment {
        unix_ns: ms * 1_000_000,
        ..Moment::default()
    }
}

#[test]
fn what_was_delivered_is_read_back() {
    let dir = tempfile::tempdir().unwrap();
    assert!(entries(dir.path()).is_empty());
    let mut journal = Journal::new(dir.path(), 1 << 20, true);
    let strained = Record {
        since_boot_ns: 3_000_000_000,
        precursors: vec![Precursor {
            since_boot_ns: 1_800_000_000,
            cpu: 1,
            text: "allocation stall".into(),
        }],
        ..record(Payload::KernelReport(KernelReport::default()))
    };
    let sent = [
        Entry::new(custom("line\nline"), &EPOCH, 17, true),
        Entry::new(strained, &EPOCH, 18, true),
        Entry::new(record(Payload::Heartbeat(Heartbeat::default())), &EPOCH, 19, true),
        Entry::new(custom("private"), &EPOCH, 20, false),
    ];
    journal
        .append(sent.into_iter().flatten().collect(), at_ms(7))
        .unwrap();
    let found = entries(dir.path());
    assert_eq!(found.len(), 3);
    assert_eq!(found[0].record_id, "abababababababab0000000000000011");
    assert_eq!((found[0].occurred_unix_ms, found[0].delivered_unix_ms), (5, 7));
    assert_eq!(found[0].classification, "a/b/c");
    assert_eq!(found[0].payload.as_deref(), Some("line\nline"));
    assert_eq!(found[1].classification, "kernel.oops");
    let before = Before {
        before_ms: 1_200,
        cpu: 1,
        text: "allocation stall".into(),
    };
    assert_eq!(found[1].precursors, [before]);
    assert!(found[0].precursors.is_empty());
    assert_eq!(found[2].payload, None);
}

#[test]
fn the_journal_goes_on_after_a_restart_and_a_torn_line_costs_only_itself() {
    let dir = tempfile::tempdir().unwrap();
    for seq in 1..=2 {
        let mut journal = Journal::new(dir.path(), 1 << 20, false);
        let entry = Entry::new(custom(""), &EPOCH, seq, false);
        journal.append(entry.into_iter().collect(), at_ms(1)).unwrap();
    }
    let path = dir.path().join(FILE);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes.extend_from_slice(b"{\"record_id\":\"to");
    std::fs::write(&path, &bytes).unwrap();
    assert_eq!(entries(dir.path()).len(), 2);
}

#[test]
fn the_oldest_entries_make_room() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = Journal::new(dir.path(), 4096, false);
    for seq in 1..=200 {
        let entry = Entry::new(custom(""), &EPOCH, seq, false);
        journal.append(entry.into_iter().collect(), at_ms(1)).unwrap();
    }
    let bytes: u64 = [FILE, FILE_BEFORE]
        .iter()
        .map(|name| std::fs::metadata(dir.path().join(name)).unwrap().len())
        .sum();
    assert!(bytes <= 4096, "{bytes}");
    let found = entries(dir.path());
    assert!(found.len() >= 10, "{}", found.len());
    assert_eq!(found.last().unwrap().record_id, record_id(&EPOCH, 200));
    let first = record_id(&EPOCH, 201 - found.len() as u64);
    assert_eq!(found[0].record_id, first);
}

#[test]
fn what_is_written_after_the_journal_was_deleted_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = Journal::new(dir.path(), 4096, false);
    std::fs::remove_file(dir.path().join(FILE)).unwrap();
    let entries = (1..=200).filter_map(|seq| Entry::new(custom(""), &EPOCH, seq, false));
    // The first fill the deleted file; then there is none that could be put aside.
    journal.append(entries.collect(), at_ms(1)).unwrap_err();
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

proptest! {
    #[test]
    fn any_file_is_read(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(FILE), &bytes).unwrap();
        let _entries = entries(dir.path());
    }
}

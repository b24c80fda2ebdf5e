use proptest::prelude::*;

use super::*;

fn record(sequence: u64) -> Vec<u8> {
    format!("6,{sequence},5140900,-;text {sequence}\n").into_bytes()
}

#[test]
fn a_record_is_taken_apart() {
    let found = KmsgRecord::parse(
        b"30,339,5140900,c,caller=T77;a\\x5cb\\x09\xc3\xa4;\n SUBSYSTEM=acpi\n DEVICE=+x\n",
    )
    .unwrap();
    let expected = KmsgRecord {
        sequence: 339,
        at_us: 5_140_900,
        level: 6,
        facility: 3,
        continues: true,
        caller: Some(Caller::Task(77)),
        text: b"a\\b\t\xc3\xa4;".to_vec(),
    };
    assert_eq!(found, expected);
    assert_eq!(
        KmsgRecord::parse(b"6,1,2,-,caller=C3;x").unwrap().caller,
        Some(Caller::Cpu(3))
    );
    assert_eq!(
        KmsgRecord::parse(b"6,1,2,-,future=1,caller=T9;x").unwrap().caller,
        Some(Caller::Task(9))
    );
    assert_eq!(KmsgRecord::parse(b"6,1,2,-;").unwrap().text, b"");
}

#[test]
fn what_is_no_record_is_none() {
    for bytes in [
        &b""[..],
        b";",
        b"6,1,2;x",
        b"x,1,2,-;x",
        b"6,-1,2,-;x",
        b"6,1,2,-",
        b"\xff,1,2,-;x",
    ] {
        assert_eq!(KmsgRecord::parse(bytes), None, "{bytes:?}");
    }
}

#[test]
fn a_hole_in_the_sequences_is_a_loss() {
    let mut records = Records::from(Position::Oldest);
    for sequence in [100, 101, 105, 106] {
        assert_eq!(records.accept(&record(sequence)).unwrap().sequence, sequence);
    }
    assert_eq!((records.lost, records.undecodable), (3, 0));
}

#[test]
fn garbage_counts_once_and_not_as_a_hole() {
    let mut records = Records::from(Position::Oldest);
    assert!(records.accept(&record(7)).is_some());
    assert!(records.accept(b"garbage").is_none());
    // Longer than what is read at once.
    records.pass_over();
    assert!(records.accept(&record(10)).is_some());
    assert_eq!((records.lost, records.undecodable), (0, 2));
}

#[test]
fn a_sequence_to_start_at_is_waited_for_or_its_loss_counted() {
    let mut records = Records::from(Position::Sequence(5));
    assert!(records.accept(&record(4)).is_none());
    assert!(records.accept(&record(5)).is_some());
    assert_eq!(records.lost, 0);

    let mut records = Records::from(Position::Sequence(5));
    assert!(records.accept(&record(9)).is_some());
    assert_eq!(records.lost, 4);
}

#[tokio::test]
async fn records_come_through_a_descriptor_and_the_end_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kmsg");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &path,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    let mut log = KernelLog::open(&path, Position::Oldest).unwrap();
    let mut writer = OpenOptions::new().write(true).open(&path).unwrap();
    let mut out = Vec::new();
    tokio::time::timeout(std::time::Duration::from_millis(20), log.next(&mut out))
        .await
        .unwrap_err();
    io::Write::write_all(&mut writer, &record(3)).unwrap();
    log.next(&mut out).await.unwrap();
    assert_eq!(out.len(), 1);
    assert_eq!(out[0].text, b"text 3");
    assert_eq!((log.lost(), log.undecodable()), (0, 0));
}

#[tokio::test]
async fn a_log_that_cannot_be_opened_is_named() {
    let error = KernelLog::open(Path::new("/nonexistent/kmsg"), Position::Now).unwrap_err();
    assert_eq!(error.to_string(), "open /nonexistent/kmsg");
}

proptest! {
    #[test]
    fn any_bytes_are_a_record_or_counted(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut records = Records::from(Position::Oldest);
        let accepted = records.accept(&bytes);
        prop_assert_eq!(accepted.is_none(), records.undecodable == 1);
    }

    #[test]
    fn text_survives_the_kernels_escaping(text in prop::collection::vec(any::<u8>(), 0..100)) {
        let mut line = b"6,1,2,-;".to_vec();
        for byte in &text {
            // `printk.c`: msg_add_ext_text.
            if byte.is_ascii_graphic() && *byte != b'\\' || *byte == b' ' {
                line.push(*byte);
            } else {
                line.extend(format!("\\x{byte:02x}").into_bytes());
            }
        }
        line.push(b'\n');
        prop_assert_eq!(KmsgRecord::parse(&line).unwrap().text, text);
    }
}

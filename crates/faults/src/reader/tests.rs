//! Whole logs, in pieces.

use super::*;
use proptest::prelude::*;

const LINES: &[u8] = b"<4>[   12.5][   T77] BUG: scheduling while atomic: test/77/0x00000002\r\n\
    <4>[   12.5][   T77] Call Trace:\r\n<6>[   12.5][   T78] other\n\
    4,12,12500000,-,caller=T77; example\\x5fwait+0x1f/0x40\n";

const DUMPS: &[u8] = b"Oops#1 Part1\n<4>[   12.6] Call Trace:\n<4>[   12.6]  example_wait+0x1f/0x40\n\
    Oops#1 Part2\n<4>[   12.5] other\n<4>[   12.6] BUG: scheduling while atomic: test/77/0x00000002\n\
    Oops#1 Part1\n<4>[    1.5] Call Trace:\n<4>[    1.5]  second_wait+0x1f/0x40\n\
    Oops#1 Part2\n<4>[    1.5] BUG: scheduling while atomic: test/78/0x00000002\n";

fn export() -> Vec<u8> {
    let entry = |transport: &str, message: &[u8]| {
        let mut entry = b"__CURSOR=s=1\n__REALTIME_TIMESTAMP=1\n__MONOTONIC_TIMESTAMP=13000000\n".to_vec();
        entry.extend_from_slice(message);
        entry.extend_from_slice(
            format!("\n_SOURCE_MONOTONIC_TIMESTAMP=12500000\n_TRANSPORT={transport}\n\n").as_bytes(),
        );
        entry
    };
    let binary = |text: &[u8]| {
        let mut message = b"MESSAGE\n".to_vec();
        message.extend_from_slice(&(text.len() as u64).to_le_bytes());
        message.extend_from_slice(text);
        message
    };
    [
        entry(
            "stdout",
            b"MESSAGE=BUG: scheduling while atomic: not/1/0x00000002",
        ),
        entry(
            "kernel",
            b"MESSAGE=BUG: scheduling while atomic: test/77/0x00000002",
        ),
        entry("kernel", &binary(b"Call Trace")),
        entry("kernel", &binary(b"Call Trace:\n example_wait+0x1f/0x40")),
    ]
    .concat()
}

fn in_pieces(log: &[u8], length: usize) -> Vec<LogReport> {
    let mut reader = Reader::new();
    let mut found = Vec::new();
    for piece in log.chunks(length) {
        reader.push(piece, &mut found);
    }
    reader.finish(&mut found);
    found.sort_by_key(LogReport::order);
    found
}

fn titles(log: &[u8]) -> Vec<String> {
    reports(log).into_iter().map(|found| found.report.title).collect()
}

#[test]
fn pieces_may_be_cut_anywhere() {
    for log in [LINES, DUMPS, &export()] {
        let whole = reports(log);
        assert!(!whole.is_empty());
        for length in 1..log.len() {
            assert_eq!(in_pieces(log, length), whole, "pieces of {length} bytes");
        }
    }
}

#[test]
fn text_is_found_again_in_the_input() {
    let found = &reports(LINES)[0];
    let at = |offset| usize::try_from(offset).unwrap();
    let input = |range: &Range<u64>| &LINES[at(range.start)..at(range.end)];
    let task = found.text.find("test/77").unwrap();
    let ranges = found.in_input(task..found.text.len());
    let texts: Vec<&[u8]> = ranges.iter().map(input).collect();
    assert_eq!(
        texts,
        [
            b"test/77/0x00000002".as_slice(),
            b"Call Trace:",
            b" example\\x5fwait+0x1f/0x40"
        ]
    );
    assert!(input(&found.lines[0].whole).starts_with(b"<4>[   12.5]["));
}

#[test]
fn parts_of_a_dump_come_in_the_right_order() {
    assert_eq!(
        titles(DUMPS),
        [
            "BUG: scheduling while atomic in example_wait",
            "BUG: scheduling while atomic in second_wait"
        ]
    );
}

#[test]
fn an_exported_journal_is_read() {
    let log = export();
    let found = reports(&log);
    assert_eq!(titles(&log), ["BUG: scheduling while atomic in example_wait"]);
    assert_eq!(found[0].first_at_us, Some(12_500_000));
    let first = &found[0].lines[0];
    let at = |offset| usize::try_from(offset).unwrap();
    assert_eq!(
        &log[at(first.in_input.start)..at(first.in_input.end)],
        found[0].text.lines().next().unwrap().as_bytes()
    );
}

#[test]
fn what_a_disk_says_again_is_one_report_behind_the_others() {
    let said = |at: u32| {
        let line = |disk| {
            format!(
                "[   {}.000000] I/O error, dev {disk}, sector {at} op 0x0:(READ)\n",
                10 + at / 100
            )
        };
        line("sda") + &line("nvme0n1")
    };
    let mut log: String = (0..1000).map(said).collect();
    log += "[   30.000000] BUG: scheduling while atomic: test/77/0x00000002\n[   30.000000] Call Trace:\n\
        [   30.000000]  first_wait+0x1f/0x40\n[   30.000000] I/O error, dev sda, sector 7 op 0x0:(READ)\n\
        [   30.000000]  example_wait+0x1f/0x40\n[  300.000000] I/O error, dev sda, sector 7 op 0x0:(READ)\n";
    let found = reports(log.as_bytes());
    let titles: Vec<&str> = found.iter().map(|found| found.report.title.as_str()).collect();
    assert_eq!(
        titles,
        [
            "BUG: scheduling while atomic in first_wait",
            "I/O error on sd",
            "I/O error on nvme",
            "I/O error on sd"
        ]
    );
    assert!(!found[0].text.contains("I/O error"));
    assert_eq!(found[0].report.traces[0].frames.len(), 2);
    assert_eq!((found[1].lines.len(), found[1].left_out), (32, 1001 - 32));
    assert_eq!(
        (found[1].first_at_us, found[1].last_at_us),
        (Some(10_000_000), Some(30_000_000))
    );
}

#[test]
fn lines_of_one_source_are_one_message() {
    let log = b"pcieport 0000:00:1c.0: AER: Corrected error received: 0000:00:1c.0\n\
        pcieport 0000:00:1c.0: PCIe Bus Error: severity=Corrected, type=Physical Layer, (Receiver ID)\n\
        pcieport 0000:00:1c.0:   device [8086:a115] error status/mask=00000001/00002000\n\
        usb 1-1: other\n\
        pcieport 0000:00:1c.0:    [ 0] RxErr                  (First)\n";
    let found = reports(log);
    assert_eq!(found.len(), 1);
    assert_eq!(
        found[0].report.title,
        "PCIe bus error: corrected, Physical Layer, RxErr"
    );
    assert_eq!(found[0].text.lines().count(), 3);
}

#[test]
fn a_line_without_end_takes_no_room() {
    let mut reader = Reader::new();
    let mut found = Vec::new();
    reader.push(b"BUG: ", &mut found);
    for _ in 0..1000 {
        reader.push(&[b'x'; 1000], &mut found);
    }
    assert!(reader.tail.capacity() <= 2 * LINE_MAX);
    reader.push(b"\n", &mut found);
    assert_eq!(reader.at, 1_000_006);
}

proptest! {
    /// Pieces of lines that mean something, in any order, cut anywhere.
    #[test]
    fn any_log_is_read_alike_in_pieces(
        parts in proptest::collection::vec(prop_oneof![
            Just(LINES.to_vec()), Just(DUMPS.to_vec()), Just(export()), Just(b"ncfrag=".to_vec()),
            Just(b"4,1,2,-,ncfrag=0/20;BUG: \n".to_vec()), Just(b"\n".to_vec()), Just(b"MESSAGE\n".to_vec()),
            Just(b"Panic#1 Part3\n".to_vec()), Just(b"I/O error, dev sda, sector 1\n".to_vec()),
            Just(b"[ 1.000000] ------------[ cut here ]------------\n".to_vec()),
            proptest::collection::vec(any::<u8>(), 0..40),
        ], 0..12),
        length in 1_usize..50,
    ) {
        let log = parts.concat();
        let whole = reports(&log);
        for found in &whole {
            for line in &found.lines {
                prop_assert!(line.whole.end <= log.len() as u64 && line.in_input.start <= line.in_input.end);
                prop_assert!(found.text.get(line.in_text.clone()).is_some());
            }
        }
        prop_assert_eq!(in_pieces(&log, length), whole);
    }
}

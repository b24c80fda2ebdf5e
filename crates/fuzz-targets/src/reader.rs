//! A kernel log in pieces: however it is cut, the reports are the same and their ranges are in it.

use faults::{LogReport, Reader};

pub(crate) fn run(input: &[u8]) {
    let Some((piece, log)) = input.split_first() else {
        return;
    };
    let (mut reader, mut found) = (Reader::new(), Vec::new());
    for piece in log.chunks(usize::from(*piece) + 1) {
        reader.push(piece, &mut found);
    }
    reader.finish(&mut found);
    found.sort_by_key(LogReport::order);
    assert_eq!(found, faults::reports(log));
    for report in found {
        assert!(
            report
                .lines
                .iter()
                .all(|line| report.text.get(line.in_text.clone()).is_some())
        );
        assert!(report.lines.iter().all(|line| line.whole.end <= log.len() as u64));
        faults::fingerprint::of_report(&report.report);
    }
}

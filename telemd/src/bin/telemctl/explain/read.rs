//! A log to its reports, in the order of [`LogReport::order`], in bounded memory.

use std::collections::VecDeque;
use std::io;

use faults::{LogReport, Reader};

use super::progress::Progress;
use crate::input::{Input, InputError};

/// Bytes read at once.
const CHUNK_BYTES: usize = 64 << 10;
/// Reports that wait for one that began earlier and is not complete.
const WAITING_MAX: usize = 256;
/// Messages about devices that wait for the end of the log.
const BEHIND_MAX: usize = 4096;
/// Line ends that are remembered to number the lines of reports.
const LINE_ENDS_MAX: usize = 1 << 20;

/// A report, and the number of each of its lines in the input, from 1; absent when it is too far back.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) report: LogReport,
    pub(super) numbers: Vec<Option<u64>>,
    /// What kept frames from getting their lines, a sentence each.
    pub(super) symbols: Vec<String>,
}

/// Why reading ended early.
#[derive(Debug)]
pub(super) enum Stop {
    Input(InputError),
    Output(io::Error),
}

/// Reads the input to its end and hands each report to `each`.
pub(super) fn reports(
    mut input: Input,
    file: &str,
    each: &mut dyn FnMut(Found) -> io::Result<()>,
) -> Result<(), Stop> {
    let mut progress = Progress::new(file);
    let mut reader = Reader::new();
    let mut waiting = Waiting::default();
    let mut buffer = vec![0; CHUNK_BYTES];
    let mut give = |waiting: &mut Waiting, before, is_end, progress: &mut Progress<'_>| {
        while let Some(found) = waiting.next(before, is_end) {
            progress.clear();
            each(found).map_err(Stop::Output)?;
        }
        Ok(())
    };
    let mut read = Ok(());
    loop {
        let bytes = match input.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => buffer.get(..length).unwrap_or_default(),
            Err(error) => {
                read = Err(Stop::Input(error));
                break;
            }
        };
        waiting.ends.take(bytes);
        reader.push(bytes, &mut waiting.reports);
        let before = reader.collecting_from();
        give(&mut waiting, before, false, &mut progress)?;
        progress.tell(input.taken(), input.size);
    }
    // What was read before an error counts.
    reader.finish(&mut waiting.reports);
    give(&mut waiting, None, true, &mut progress)?;
    read
}

/// Reports that are complete.
#[derive(Debug, Default)]
struct Waiting {
    reports: Vec<LogReport>,
    /// What comes behind the reports of the kernel about itself.
    behind: Vec<Found>,
    ends: LineEnds,
}

impl Waiting {
    /// The next report of those that are complete. One that is still being collected may begin before it, and messages
    /// about devices wait for the end, when nothing is collected any more.
    fn next(&mut self, collecting_from: Option<u64>, is_end: bool) -> Option<Found> {
        let messages: Vec<LogReport> = self
            .reports
            .extract_if(.., |report| report.order().0 > 0)
            .collect();
        for message in messages {
            let message = self.numbered(message);
            self.behind.push(message);
        }
        if self.reports.is_empty() && (is_end || self.behind.len() > BEHIND_MAX) {
            let first = (0..self.behind.len()).min_by_key(|at| self.behind[*at].report.offset())?;
            return Some(self.behind.remove(first));
        }
        let first = (0..self.reports.len()).min_by_key(|at| self.reports[*at].offset())?;
        let offset = self.reports[first].offset();
        if collecting_from.is_some_and(|from| from < offset) && self.reports.len() < WAITING_MAX {
            return None;
        }
        let report = self.reports.remove(first);
        Some(self.numbered(report))
    }

    fn numbered(&self, report: LogReport) -> Found {
        let numbers = report
            .lines
            .iter()
            .map(|line| self.ends.number(line.whole.start))
            .collect();
        Found {
            report,
            numbers,
            symbols: Vec::new(),
        }
    }
}

/// Where lines end, for the last [`LINE_ENDS_MAX`] of them.
#[derive(Debug, Default)]
struct LineEnds {
    /// Offsets of newlines.
    offsets: VecDeque<u64>,
    /// Newlines before those.
    forgotten: u64,
    bytes: u64,
}

impl LineEnds {
    fn take(&mut self, bytes: &[u8]) {
        for at in memchr::memchr_iter(b'\n', bytes) {
            if self.offsets.len() == LINE_ENDS_MAX {
                self.offsets.pop_front();
                self.forgotten += 1;
            }
            self.offsets.push_back(self.bytes + at as u64);
        }
        self.bytes += bytes.len() as u64;
    }

    /// The number of the line that has the byte at `offset`, from 1.
    fn number(&self, offset: u64) -> Option<u64> {
        let before = self.offsets.partition_point(|end| *end < offset);
        (before > 0 || self.forgotten == 0).then(|| self.forgotten + before as u64 + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_numbered_from_one() {
        let mut ends = LineEnds::default();
        ends.take(b"a\nbc");
        ends.take(b"\n\nd");
        let numbers: Vec<_> = (0..7).map(|offset| ends.number(offset)).collect();
        assert_eq!(numbers, [1, 1, 2, 2, 2, 3, 4].map(Some));
    }

    #[test]
    fn lines_that_are_too_far_back_have_no_number() {
        let mut ends = LineEnds::default();
        for _ in 0..=LINE_ENDS_MAX {
            ends.take(b"\n");
        }
        assert_eq!(ends.offsets.len(), LINE_ENDS_MAX);
        assert_eq!(ends.number(0), None);
        assert_eq!(ends.number(2), Some(3));
    }
}

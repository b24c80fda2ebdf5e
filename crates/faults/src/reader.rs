//! Whole logs to reports.

pub(crate) mod export;
pub(crate) mod parts;

use crate::assembler::Origin;
use crate::tables::heads;
use crate::{Assembled, Assembler, KernelReport, Limits, Line, ReportKind, Severity, log, parse};
use export::{Export, Message, Taken};
use parts::Parts;
use std::ops::Range;

/// A longer line of a log is cut here, bytes. The kernel's own records are at most 1 KiB and a few lines long.
const LINE_MAX: usize = 16 << 10;

/// A report that was found in a log.
///
/// Byte ranges in `text` (those of the parts of a report, say) become ranges of the input with
/// [`LogReport::in_input`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct LogReport {
    /// What the text says.
    pub report: KernelReport,
    /// The lines of the report without their prefixes, each with a newline; bytes that are not UTF-8 are replaced.
    pub text: String,
    /// Each line of `text`, and where it is in the input. In order of `text`; other lines may come between two of them in
    /// the input.
    pub lines: Vec<SourceLine>,
    /// Time of the first line, microseconds since boot; absent in a log without such times.
    pub first_at_us: Option<u64>,
    /// Time of the last line, microseconds since boot.
    pub last_at_us: Option<u64>,
    /// A limit was reached, so that the end of the report is not in `text`.
    pub truncated: bool,
    /// Lines that are not in `text`: what came behind a limit, and repetitions of a message about a device.
    pub left_out: u64,
}

/// One line of a report's text and where it comes from. All ranges are byte offsets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct SourceLine {
    /// The line in [`LogReport::text`], without its newline.
    pub in_text: Range<usize>,
    /// The same text in the input: the line without prefix and line end. As long as `in_text`, unless the input escapes
    /// or breaks it (`\x22`, bytes that are not UTF-8).
    pub in_input: Range<u64>,
    /// The whole line in the input, prefix included, line end not.
    pub whole: Range<u64>,
}

impl LogReport {
    /// Where a byte range of `text` is in the input: a range for each line that it touches.
    pub fn in_input(&self, range: Range<usize>) -> Vec<Range<u64>> {
        let first = self.lines.partition_point(|line| line.in_text.end <= range.start);
        let lines = self.lines.iter().skip(first);
        lines
            .take_while(|line| line.in_text.start < range.end)
            .filter_map(|line| line.part(&range))
            .collect()
    }

    /// Offset of the first line in the input.
    pub fn offset(&self) -> u64 {
        self.lines.first().map_or(0, |line| line.whole.start)
    }

    /// The place in a list of a log's reports, by rank and then by offset. What the kernel reports about itself comes
    /// first. What is said about a device ([`ReportKind::is_message`]), and what the processor corrected, comes behind: an
    /// oops in a log is not to be missed behind the errors of a disk.
    pub fn order(&self) -> (u8, u64) {
        let corrected = self.report.kind == ReportKind::MachineCheck && self.report.severity < Severity::High;
        (
            u8::from(corrected || self.report.kind.is_message()),
            self.offset(),
        )
    }
}

impl SourceLine {
    /// The part of a range of the text that is in this line, as a range of the input.
    fn part(&self, range: &Range<usize>) -> Option<Range<u64>> {
        let (start, end) = (
            range.start.max(self.in_text.start),
            range.end.min(self.in_text.end),
        );
        if start >= end {
            return None;
        }
        if self.in_text.len() as u64 != self.in_input.end.saturating_sub(self.in_input.start) {
            return Some(self.in_input.clone());
        }
        let at = |offset: usize| self.in_input.start + (offset - self.in_text.start) as u64;
        Some(at(start)..at(end))
    }
}

/// All reports of a log that is in memory, in the order of [`LogReport::order`].
///
/// ```
/// let log = b"[    7.500000] eth0: link up\n\
///             [   12.500000][   T77] BUG: scheduling while atomic: test/77/0x00000002\n\
///             [   12.500100][   T77] Call Trace:\n\
///             [   12.500200][   T77]  example_wait+0x1f/0x40\n";
/// let reports = faults::reports(log);
/// assert_eq!(reports.len(), 1);
/// assert_eq!(reports[0].report.title, "BUG: scheduling while atomic in example_wait");
/// assert_eq!(reports[0].first_at_us, Some(12_500_000));
///
/// // Where the function is in the log.
/// let at = reports[0].text.find("example_wait").unwrap();
/// let found = &reports[0].in_input(at..at + "example_wait".len())[0];
/// assert_eq!(&log[found.start as usize..found.end as usize], b"example_wait");
/// ```
pub fn reports(log: &[u8]) -> Vec<LogReport> {
    let mut reader = Reader::new();
    let mut reports = Vec::new();
    reader.push(log, &mut reports);
    reader.finish(&mut reports);
    reports.sort_by_key(LogReport::order);
    reports
}

/// Reads a log in pieces, in bounded memory, and yields each report once it is complete.
///
/// It knows all forms of [`log::lines`], and those that are more than lines: `journalctl -o export`, and dumps of pstore,
/// whose parts (`Oops#1 Part2`) it puts into the right order. Lines of programs in a journal are passed over.
///
/// The pieces may be cut anywhere. What is kept between two of them is at most 4 MiB, however long the log is: one line
/// of 16 KiB; 8 reports and 16 messages that are being collected, of 65 KiB and their places in the input each
/// ([`Limits`]); a record in fragments, an entry of a journal; 1 MiB of a dump.
///
/// ```
/// let log = b"BUG: scheduling while atomic: test/77/0x00000002\nCall Trace:\n example_wait+0x1f/0x40\n";
/// let mut reader = faults::Reader::new();
/// let mut reports = Vec::new();
/// for piece in log.chunks(7) {
///     reader.push(piece, &mut reports);
/// }
/// reader.finish(&mut reports);
/// assert_eq!(reports[0].report.title, "BUG: scheduling while atomic in example_wait");
/// ```
#[derive(Debug)]
pub struct Reader {
    assembler: Assembler,
    stripper: log::Stripper,
    export: Export,
    parts: Parts,
    /// A line had a time.
    is_timed: bool,
    /// The beginning of a line whose end was not seen yet, at most [`LINE_MAX`] bytes.
    tail: Vec<u8>,
    /// Offset in the input of that line, or of the next byte when there is none.
    at: u64,
    /// Bytes of that line, those that were not kept included.
    tail_bytes: u64,
}

impl Default for Reader {
    fn default() -> Self {
        Self::new()
    }
}

impl Reader {
    /// A reader at the beginning of a log.
    pub fn new() -> Self {
        Self {
            assembler: Assembler::new(Limits {
                quiet_us: u64::MAX,
                ..Limits::default()
            }),
            stripper: log::Stripper::default(),
            export: Export::default(),
            parts: Parts::default(),
            is_timed: false,
            tail: Vec::new(),
            at: 0,
            tail_bytes: 0,
        }
    }

    /// Takes the next bytes of the log; reports that they complete are appended to `out`.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<LogReport>) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let used = if self.export.is_in_binary() {
                let used = self.export.binary(rest, self.at);
                self.at += used as u64;
                used
            } else {
                self.push_line(rest, out)
            };
            rest = rest.get(used..).unwrap_or_default();
        }
    }

    /// Takes bytes up to the end of the first line that means something; returns how many.
    fn push_line(&mut self, bytes: &[u8], out: &mut Vec<LogReport>) -> usize {
        if self.tail_bytes > 0 {
            let end = memchr::memchr(b'\n', bytes);
            self.keep(bytes.get(..end.unwrap_or(bytes.len())).unwrap_or(bytes));
            let Some(end) = end else {
                return bytes.len();
            };
            let tail = std::mem::take(&mut self.tail);
            self.end_line(&tail, self.tail_bytes, out);
            (self.tail, self.tail_bytes) = (tail, 0);
            self.tail.clear();
            return end + 1;
        }
        let whole = memchr::memrchr(b'\n', bytes).map_or(0, |last| last + 1);
        let skipped = match bytes.get(..whole) {
            Some(lines) if !self.wants_all() => idle(lines),
            _ => 0,
        };
        self.at += skipped as u64;
        let rest = bytes.get(skipped..).unwrap_or_default();
        let Some(end) = memchr::memchr(b'\n', rest) else {
            self.keep(rest);
            return bytes.len();
        };
        let line = rest.get(..end).unwrap_or_default();
        self.end_line(line, end as u64, out);
        skipped + end + 1
    }

    /// Takes a line of `length` bytes, of which `line` is the beginning.
    fn end_line(&mut self, line: &[u8], length: u64, out: &mut Vec<LogReport>) {
        let at = self.at;
        self.at += length + 1;
        self.line(line.get(..LINE_MAX).unwrap_or(line), at, out);
    }

    /// Where the earliest of the reports that are being collected begins in the input. A report that comes out later
    /// does not begin before it, so that those who want reports in order know which to hold back. Messages about devices
    /// are not counted: they are collected for long and come behind ([`LogReport::order`]).
    pub fn collecting_from(&self) -> Option<u64> {
        self.assembler.collecting_from()
    }

    /// The log ends here.
    pub fn finish(mut self, out: &mut Vec<LogReport>) {
        if self.tail_bytes > 0 {
            let tail = std::mem::take(&mut self.tail);
            self.end_line(&tail, self.tail_bytes, out);
        }
        let message = self.export.end();
        self.entry(message, out);
        self.dumps(out);
        self.flush(out);
    }

    fn flush(&mut self, out: &mut Vec<LogReport>) {
        let mut done = Vec::new();
        self.assembler.flush(&mut done);
        self.found(done, out);
    }

    /// Whether lines without the head of a report mean something now.
    fn wants_all(&self) -> bool {
        self.assembler.wants_all()
            || self.stripper.is_waiting()
            || self.export.is_open()
            || !self.parts.is_empty()
    }

    /// Keeps the beginning of a line.
    fn keep(&mut self, piece: &[u8]) {
        let room = LINE_MAX.saturating_sub(self.tail.len());
        let kept = piece.get(..room).unwrap_or(piece);
        self.tail.extend_from_slice(kept);
        self.tail_bytes += piece.len() as u64;
    }

    /// Takes a whole line, which begins at `at` in the input.
    fn line(&mut self, raw: &[u8], at: u64, out: &mut Vec<LogReport>) {
        if !self.wants_all() && heads::may_begin(raw).is_none() {
            return;
        }
        if let Taken::Yes(message) = self.export.take(raw, at) {
            return self.entry(message, out);
        }
        if !self.parts.take(raw, at) {
            return self.kernel_line(raw, at, out);
        }
        if self.parts.is_full() {
            self.dumps(out);
        }
    }

    /// Takes the entry of a journal.
    fn entry(&mut self, message: Option<Message>, out: &mut Vec<LogReport>) {
        let Some(message) = message else { return };
        self.is_timed |= message.at_us.is_some();
        let line = Line {
            text: &message.text,
            at_us: message.at_us.unwrap_or_default(),
            cpu: None,
            task: None,
        };
        let origin = Origin {
            line: message.field_at,
            text: message.text_at,
        };
        let mut done = Vec::new();
        self.assembler.push_from(line, Some(&origin), &mut done);
        self.found(done, out);
    }

    /// Takes the dumps of pstore that were collected.
    fn dumps(&mut self, out: &mut Vec<LogReport>) {
        for lines in self.parts.dumps() {
            for (at, raw) in lines {
                self.kernel_line(&raw, at, out);
            }
            self.flush(out);
        }
    }

    /// Takes a line with any prefix.
    fn kernel_line(&mut self, raw: &[u8], at: u64, out: &mut Vec<LogReport>) {
        let (mut raw, mut at) = (raw, at);
        let mut done = Vec::new();
        while !raw.is_empty() {
            let (line, used) = self.stripper.take(raw);
            if let Some(line) = line.filter(|line| !line.of_program) {
                self.is_timed |= line.is_timed;
                let span = |(start, end): (usize, usize)| at + start as u64..at + end as u64;
                let origin = Origin {
                    line: span(line.span),
                    text: span(line.text_span),
                };
                self.assembler.push_from(line.as_line(), Some(&origin), &mut done);
            }
            raw = raw.get(used..).unwrap_or_default();
            at += used as u64;
        }
        self.found(done, out);
    }

    fn found(&mut self, done: Vec<Assembled>, out: &mut Vec<LogReport>) {
        out.extend(done.into_iter().filter_map(|assembled| {
            let report = parse(&assembled.text)?;
            Some(LogReport {
                report,
                first_at_us: self.is_timed.then_some(assembled.first_at_us),
                last_at_us: self.is_timed.then_some(assembled.last_at_us),
                text: assembled.text,
                lines: assembled.lines,
                truncated: assembled.truncated,
                left_out: assembled.left_out,
            })
        }));
    }
}

/// The length of the lines at the front that mean nothing while nothing is collected.
fn idle(lines: &[u8]) -> usize {
    let Some(end) = heads::may_begin(lines) else {
        return lines.len();
    };
    let before = lines.get(..end).unwrap_or_default();
    memchr::memrchr(b'\n', before).map_or(0, |newline| newline + 1)
}

#[cfg(test)]
mod tests;

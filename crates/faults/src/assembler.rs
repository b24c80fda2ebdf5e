//! Lines to report texts.

mod collecting;
mod mark;
mod messages;

use crate::Line;
use crate::reader::SourceLine;
use collecting::{Collecting, Context, Seen, Verdict};
use mark::Mark;
use messages::Messages;
use std::ops::Range;

/// The first line of a kernel: what a log shows before it is of the boot before.
const NEXT_BOOT: &[u8] = b"Linux version ";

/// Bounds of an [`Assembler`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Contexts that collect at the same time; the one that waited longest is ended when there are more.
    pub contexts: usize,
    /// Lines of one report; what comes after is dropped, except for the report's last line, and the report marked as
    /// truncated.
    pub lines: usize,
    /// Bytes of one report's text, line ends included and the last line not.
    pub bytes: usize,
    /// Bytes of one line.
    pub line_bytes: usize,
    /// A report whose last line is older than this is complete for [`Assembler::flush_idle`], in microseconds.
    pub quiet_us: u64,
    /// A silence between two lines that [`Assembler::push`] takes for the end of a report, in microseconds.
    pub gap_us: u64,
}

impl Default for Limits {
    /// 8 contexts of 1024 lines or 64 KiB: an all-CPU backtrace of a small machine fits. Printing a report takes the
    /// kernel milliseconds, so 400 ms without a line is the end; NMI backtraces of a stuck CPU may take 10 s.
    fn default() -> Self {
        Self {
            contexts: 8,
            lines: 1024,
            bytes: 64 << 10,
            line_bytes: 1024,
            quiet_us: 400_000,
            gap_us: 10_000_000,
        }
    }
}

/// The text of one report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assembled {
    /// The lines without prefixes, each with a newline; bytes that are not UTF-8 are replaced.
    pub text: String,
    /// Time of the first line, microseconds since boot.
    pub first_at_us: u64,
    /// Time of the last line, microseconds since boot.
    pub last_at_us: u64,
    /// The CPU of the first line.
    pub cpu: Option<u32>,
    /// The thread of the first line.
    pub task: Option<u32>,
    /// A limit was reached: something is missing.
    pub truncated: bool,
    /// Where in `text` lines are missing that were lost on the way, the first place; a line begins there, or the text
    /// ends.
    pub gap: Option<usize>,
    /// Lines that are not in `text`: what came behind a limit, and repetitions of a message about a device.
    pub left_out: u64,
    /// Where each line of `text` is in the input; empty unless a [`crate::Reader`] assembled it.
    pub lines: Vec<SourceLine>,
}

impl Assembled {
    fn new(line: &Line<'_>) -> Self {
        Self {
            text: String::new(),
            first_at_us: line.at_us,
            last_at_us: line.at_us,
            cpu: line.cpu,
            task: line.task,
            truncated: false,
            gap: None,
            left_out: 0,
            lines: Vec::new(),
        }
    }

    /// Appends a line; false when the text is full.
    fn append(&mut self, line: &Seen<'_>, limits: &Limits) -> bool {
        let start = self.text.len();
        if start + line.text.len() + 1 > limits.bytes {
            self.truncated = true;
            return false;
        }
        self.truncated |= line.is_cut;
        self.text.push_str(line.text);
        self.text.push('\n');
        if let Some(origin) = line.origin {
            self.lines.push(SourceLine {
                in_text: start..start + line.text.len(),
                in_input: origin.text.clone(),
                whole: origin.line.clone(),
            });
        }
        true
    }
}

/// Where a line comes from, for those who read a whole log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Origin {
    /// The whole line in the input, without its end.
    pub(crate) line: Range<u64>,
    /// What is left of it without the prefix.
    pub(crate) text: Range<u64>,
}

/// Groups lines of one context (thread, or CPU outside a thread) into report texts, in bounded memory.
///
/// A report begins at a head (`BUG: ...`, `WARNING: ...`, `cut here`, ...) and ends at its end marker, at the next head of
/// its context, when its stack was printed and other text follows, or when its context falls silent. A panic that
/// follows a report of the same context is part of it: it is the same death.
///
/// What is said about a device in a line or a few ([`crate::ReportKind::is_message`]) is collected apart from the reports
/// of contexts: the lines of one source, and the same message when it comes again within a minute.
#[derive(Debug)]
pub struct Assembler {
    limits: Limits,
    open: Vec<Collecting>,
    messages: Messages,
}

impl Assembler {
    /// An assembler that collects nothing yet.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            open: Vec::new(),
            messages: Messages::default(),
        }
    }

    /// Takes a line; reports that it completed are appended to `out`. A text with several lines is taken apart.
    pub fn push(&mut self, line: Line<'_>, out: &mut Vec<Assembled>) {
        self.push_from(line, None, out);
    }

    /// The same for a line that is in an input.
    pub(crate) fn push_from(&mut self, line: Line<'_>, origin: Option<&Origin>, out: &mut Vec<Assembled>) {
        if line.text.starts_with(NEXT_BOOT) {
            self.flush(out);
        }
        for text in line.text.trim_ascii_end().split(|byte| *byte == b'\n') {
            self.push_one(Line { text, ..line }, origin, out);
        }
    }

    /// Lines were lost here, nobody knows whose: every report that is being collected may lack them.
    pub fn lose(&mut self) {
        for Collecting { done, .. } in &mut self.open {
            done.gap.get_or_insert(done.text.len());
        }
    }

    /// Ends the reports whose last line is older than [`Limits::quiet_us`].
    pub fn flush_idle(&mut self, now_us: u64, out: &mut Vec<Assembled>) {
        let limits = self.limits;
        self.end_where(out, |report| {
            now_us.saturating_sub(report.last_at_us) > limits.quiet_us
        });
    }

    /// Ends all reports.
    pub fn flush(&mut self, out: &mut Vec<Assembled>) {
        self.end_where(out, |_| true);
    }

    /// True while a report is being collected, so that [`Assembler::flush_idle`] has to be called in time.
    pub fn is_collecting(&self) -> bool {
        !self.open.is_empty() || !self.messages.is_empty()
    }

    /// Where the first line of the earliest open report is in the input, when lines have an [`Origin`].
    pub(crate) fn collecting_from(&self) -> Option<u64> {
        let first = |report: &Collecting| Some(report.done.lines.first()?.whole.start);
        self.open.iter().filter_map(first).min()
    }

    /// Whether a line without the head of a report may mean something now.
    pub(crate) fn wants_all(&self) -> bool {
        !self.open.is_empty() || self.messages.is_fresh()
    }

    fn push_one(&mut self, line: Line<'_>, origin: Option<&Origin>, out: &mut Vec<Assembled>) {
        let context = Context::of(&line);
        let text = String::from_utf8_lossy(line.text.get(..self.limits.line_bytes).unwrap_or(line.text));
        let mark = Mark::of(&text);
        let seen = Seen {
            at_us: line.at_us,
            text: &text,
            is_cut: line.text.len() > self.limits.line_bytes,
            mark,
            origin,
        };
        if self.messages.take(&line, &seen, &self.limits, out) {
            return;
        }
        if let Some(index) = self.open.iter().position(|report| report.context == context) {
            let report = &mut self.open[index];
            match report.verdict(mark, line.at_us, &self.limits) {
                Verdict::Takes => return report.take(&seen, &self.limits),
                Verdict::Ends => self.end(index, out),
            }
        }
        if let Mark::Head(_) | Mark::Panic(_) | Mark::Cut = mark {
            while self.open.len() >= self.limits.contexts.max(1) {
                let oldest = (0..self.open.len()).min_by_key(|index| self.open[*index].done.last_at_us);
                self.end(oldest.unwrap_or(0), out);
            }
            let mut report = Collecting::new(context, &line);
            report.take(&seen, &self.limits);
            self.open.push(report);
        } else if !matches!(mark, Mark::Other | Mark::Message(_))
            && let Some(report) = self.open.iter_mut().rev().find(|report| report.asked_others)
        {
            // Stacks that other CPUs print because this report asked them to.
            report.take(&seen, &self.limits);
        }
    }

    /// Ends the reports that `done` holds for, in the order of their first lines; messages behind them.
    fn end_where(&mut self, out: &mut Vec<Assembled>, done: impl Fn(&Assembled) -> bool) {
        let mut index = 0;
        while index < self.open.len() {
            if done(&self.open[index].done) {
                self.end(index, out);
            } else {
                index += 1;
            }
        }
        self.messages.end_where(out, done);
    }

    fn end(&mut self, index: usize, out: &mut Vec<Assembled>) {
        let report = self.open.remove(index);
        if report.has_head() {
            out.push(report.done);
        }
    }
}

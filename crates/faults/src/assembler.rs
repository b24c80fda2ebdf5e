//! Lines to report texts.

use crate::Line;

/// Bounds of an [`Assembler`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Contexts that collect at the same time; the one that waited longest is ended when there are more.
    pub contexts: usize,
    /// Lines of one report; what comes after is dropped and the report marked as truncated.
    pub lines: usize,
    /// Bytes of one report's text, line ends included.
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
}

/// Groups lines of one context (thread, or CPU outside a thread) into report texts, in bounded memory.
#[derive(Debug)]
pub struct Assembler {
    limits: Limits,
}

impl Assembler {
    /// An assembler that collects nothing yet.
    pub fn new(limits: Limits) -> Self {
        Self { limits }
    }

    /// Takes a line; reports that it completed are appended to `out`.
    pub fn push(&mut self, line: Line<'_>, out: &mut Vec<Assembled>) {
        let _ = (self.limits, line, out);
    }

    /// Ends the reports whose last line is older than [`Limits::quiet_us`].
    pub fn flush_idle(&mut self, now_us: u64, out: &mut Vec<Assembled>) {
        let _ = (now_us, out);
    }

    /// Ends all reports.
    pub fn flush(&mut self, out: &mut Vec<Assembled>) {
        let _ = out;
    }

    /// True while a report is being collected, so that [`Assembler::flush_idle`] has to be called in time.
    pub fn is_collecting(&self) -> bool {
        false
    }
}

//! Kernel log lines and the prefixes that kernels and tools put before them.

mod json;
mod prefix;
mod syslog;
mod vendor;

use prefix::Form;
use std::borrow::Cow;

/// The longest record that comes in fragments, bytes: more than the kernel's longest (`PRINTKRB_RECORD_MAX`, 1 KiB, or
/// `CONSOLE_EXT_LOG_MAX`, 8 KiB).
const RECORD_MAX: usize = 8 << 10;
/// Lines within which the next fragment of a record has to come: packets get lost.
const FRAGMENT_WITHIN: usize = 64;

/// One line of kernel text, ready for the [`crate::Assembler`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    /// The text without prefix and newline; any bytes.
    pub text: &'a [u8],
    /// Microseconds since boot.
    pub at_us: u64,
    /// The CPU that printed the line, when known.
    pub cpu: Option<u32>,
    /// The thread that printed the line, when known.
    pub task: Option<u32>,
}

/// One line as [`lines`] found it, with what its prefix told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine<'a> {
    /// The text without prefix and line end. Owned when escapes of `/dev/kmsg` had to be resolved.
    pub text: Cow<'a, [u8]>,
    /// Microseconds since boot; the time of the line before when this one has none, 0 at the start.
    pub at_us: u64,
    /// The line has a time of its own.
    pub is_timed: bool,
    /// `[C1]`: printed outside a task on this CPU.
    pub cpu: Option<u32>,
    /// `[T77]`: printed by this thread.
    pub task: Option<u32>,
    /// A program wrote the line: syslog or the journal names it, or its facility is not the kernel's.
    pub of_program: bool,
    /// Syslog level 0 (emergency) to 7 (debug), when printed.
    pub level: Option<u8>,
    /// Byte range of the whole line in the input, without the line end; of a record in fragments that of the last one.
    pub span: (usize, usize),
    /// Byte range of the text in the input, before escapes were resolved.
    pub text_span: (usize, usize),
}

impl LogLine<'_> {
    /// The view that [`crate::Assembler::push`] takes.
    pub fn as_line(&self) -> Line<'_> {
        Line {
            text: &self.text,
            at_us: self.at_us,
            cpu: self.cpu,
            task: self.task,
        }
    }

    /// Moves the spans from the beginning of a line to where it is in the input.
    fn move_by(&mut self, start: usize) {
        for at in [
            &mut self.span.0,
            &mut self.span.1,
            &mut self.text_span.0,
            &mut self.text_span.1,
        ] {
            *at += start;
        }
    }
}

/// Splits a log in any form that kernels and tools produce into lines without prefixes.
///
/// Known are: `dmesg` with and without times, also with wall times, differences, levels in words and colours; `<4>`
/// levels (also syslog facility and level in one number); `[T123]` and `[C1]` callers in a bracket of their own or with
/// the time, and those of phones; records of `/dev/kmsg` and extended netconsole
/// (`prefix,seq,usec,flags;text`, with their dictionary lines dropped and their fragments joined); `journalctl` in its
/// short forms and JSON, syslog files and RFC 5424; carriage returns. Unknown forms are left as they are.
///
/// ```
/// let log = b"6,339,5140900,-,caller=T1;NET: Registered protocol family 10\n SUBSYSTEM=net\n<4>[    7.5][  C1] x\r\n";
/// let lines: Vec<_> = faults::log::lines(log).collect();
/// assert_eq!(&*lines[0].text, b"NET: Registered protocol family 10");
/// assert_eq!((lines[0].at_us, lines[0].task), (5_140_900, Some(1)));
/// assert_eq!((lines[1].at_us, lines[1].cpu, lines[1].level), (7_500_000, Some(1), Some(4)));
/// ```
pub fn lines(bytes: &[u8]) -> Lines<'_> {
    Lines {
        bytes,
        at: 0,
        end: 0,
        stripper: Stripper::default(),
    }
}

/// The iterator of [`lines`].
#[derive(Debug, Clone)]
pub struct Lines<'a> {
    bytes: &'a [u8],
    /// Where the next line begins.
    at: usize,
    /// Where the raw line that is being taken apart ends.
    end: usize,
    stripper: Stripper,
}

impl<'a> Iterator for Lines<'a> {
    type Item = LogLine<'a>;

    fn next(&mut self) -> Option<LogLine<'a>> {
        while self.at < self.bytes.len() {
            if self.at >= self.end {
                let rest = self.bytes.get(self.at..)?;
                self.end = self.at + memchr::memchr(b'\n', rest).unwrap_or(rest.len());
            }
            let start = self.at;
            let (line, used) = self.stripper.take(self.bytes.get(start..self.end)?);
            self.at = if used < self.end - start {
                start + used
            } else {
                self.end + 1
            };
            if let Some(mut line) = line {
                line.move_by(start);
                return Some(line);
            }
        }
        None
    }
}

/// Takes the prefixes off lines that come one after the other.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stripper {
    last_us: u64,
    /// The line before was a `/dev/kmsg` record, so lines that begin with a space are its dictionary.
    in_record: bool,
    fragment: Option<Fragment>,
}

/// The beginning of a record that comes in fragments.
#[derive(Debug, Clone)]
struct Fragment {
    sequence: u64,
    length: usize,
    text: Vec<u8>,
    /// Lines within which the rest has to come.
    patience: usize,
}

impl Stripper {
    /// The first line in `raw`, a line of the input without its newline, with spans from its beginning, and how many
    /// bytes it takes: another line may begin in the middle of `raw`.
    pub(crate) fn take<'a>(&mut self, raw: &'a [u8]) -> (Option<LogLine<'a>>, usize) {
        let mut used = raw.len();
        let whole = raw;
        let mut raw = raw.trim_ascii_end();
        if let Some(fragment) = &mut self.fragment {
            fragment.patience = fragment.patience.saturating_sub(1);
            self.fragment.take_if(|fragment| fragment.patience == 0);
        }
        if self.in_record && raw.first() == Some(&b' ') && memchr::memchr(b'=', raw).is_some() {
            return (None, used);
        }
        let mut prefix = prefix::strip(raw);
        if prefix.fragment.is_some() {
            // Spaces at the end are not the end.
            raw = whole.strip_suffix(b"\r").unwrap_or(whole);
            prefix = prefix::strip(raw);
        }
        if prefix.form == Form::Plain
            && let Some(inside) = prefix::stamp_inside(prefix.text)
        {
            // A console that several write to: the kernel's line begins in the middle of another one.
            let text_start = offset_in(raw, prefix.text);
            used = text_start + inside;
            raw = raw.get(..used).unwrap_or_default();
            prefix.text = prefix.text.get(..inside).unwrap_or_default().trim_ascii_end();
            prefix.of_program = false;
        }
        self.in_record = prefix.form == Form::Kmsg;
        self.last_us = prefix.at_us.unwrap_or(self.last_us);
        let text_start = offset_in(raw, prefix.text);
        let mut text = prefix::decoded(prefix.text, prefix.form);
        if let Some(fragment) = prefix.fragment {
            match self.join(fragment, &text) {
                Some(whole) => text = Cow::Owned(whole),
                None => return (None, used),
            }
        }
        let line = LogLine {
            text,
            at_us: self.last_us,
            is_timed: prefix.at_us.is_some(),
            cpu: prefix.cpu,
            task: prefix.task,
            level: prefix.level,
            of_program: prefix.of_program,
            span: (0, raw.len()),
            text_span: (text_start, text_start + prefix.text.len()),
        };
        (Some(line), used)
    }

    /// Whether the rest of a record has still to come.
    pub(crate) fn is_waiting(&self) -> bool {
        self.fragment.is_some()
    }

    /// Adds a fragment of a record; the whole text once it is there. A record of which a fragment is missing is lost.
    fn join(&mut self, (sequence, offset, length): (u64, usize, usize), text: &[u8]) -> Option<Vec<u8>> {
        let mut fragment = match self.fragment.take() {
            Some(fragment) if fragment.sequence == sequence && fragment.text.len() == offset => fragment,
            _ if offset == 0 && length <= RECORD_MAX => Fragment {
                sequence,
                length,
                text: Vec::with_capacity(length),
                patience: FRAGMENT_WITHIN,
            },
            _ => return None,
        };
        fragment.text.extend_from_slice(text);
        fragment.patience = FRAGMENT_WITHIN;
        if fragment.text.len() >= fragment.length {
            return Some(fragment.text);
        }
        self.fragment = Some(fragment);
        None
    }
}

/// Where a part of a line begins in it.
fn offset_in(line: &[u8], part: &[u8]) -> usize {
    (part.as_ptr() as usize)
        .saturating_sub(line.as_ptr() as usize)
        .min(line.len())
}

#[cfg(test)]
mod tests;

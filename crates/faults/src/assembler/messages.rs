//! Messages about devices that are being collected.
//!
//! A disk that fails says so a thousand times. What it says again shortly after is one report, of which the first lines
//! are kept. Unlike the report of a kernel, a message is collected by what it says and not by who prints: it neither
//! ends a report that its context prints nor becomes part of it.

use super::collecting::Seen;
use super::mark::Mark;
use super::{Assembled, Limits};
use crate::parse::pattern;
use crate::tables::formats::Head;
use crate::{Line, ReportKind};

/// Messages that are collected at the same time; the one that waited longest is ended when there are more.
const MESSAGES_MAX: usize = 16;
/// Lines that are kept of a message and its repetitions.
const LINES_MAX: usize = 32;
/// Lines after a message in which lines of the same source are looked for.
const GROUP_WITHIN: usize = 16;
/// The same message after so long a silence is a new report, microseconds.
const SILENCE_US: u64 = 60_000_000;
/// A message that goes on is reported so often, microseconds.
const LASTS_US: u64 = 600_000_000;
/// Bytes of what tells one message from another.
const KEY_MAX: usize = 128;

/// The messages that are being collected.
#[derive(Debug, Default)]
pub(super) struct Messages {
    open: Vec<Message>,
    /// Lines for which a line of the same source is still looked for.
    fresh: usize,
}

#[derive(Debug)]
struct Message {
    /// The form and what it names: device, function.
    key: (usize, String),
    /// What the kernel puts before each line of the same source: driver and device, or the record's number.
    source: String,
    done: Assembled,
    lines: usize,
}

impl Messages {
    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Takes the line when it is a message, or belongs to the last one. Those that it ends are appended to `out`.
    pub(super) fn take(
        &mut self,
        line: &Line<'_>,
        seen: &Seen<'_>,
        limits: &Limits,
        out: &mut Vec<Assembled>,
    ) -> bool {
        match seen.mark {
            Mark::Message(head) => {
                let Some(key) = key(head, seen.text) else {
                    return false;
                };
                self.message(key, line, seen, limits, out);
                self.fresh = GROUP_WITHIN;
                true
            }
            Mark::Other | Mark::Body if self.fresh > 0 => {
                self.fresh -= 1;
                let Some(last) = self.open.last_mut() else {
                    return false;
                };
                let belongs = !last.source.is_empty() && seen.text.trim_start().starts_with(&last.source);
                if belongs {
                    last.take(seen, limits);
                    // Firmware's records are longer than that: each line speaks for the next.
                    self.fresh = GROUP_WITHIN;
                }
                belongs
            }
            _ => false,
        }
    }

    /// Whether lines that are no heads may belong to a message.
    pub(super) fn is_fresh(&self) -> bool {
        self.fresh > 0
    }

    fn message(
        &mut self,
        key: (usize, String),
        line: &Line<'_>,
        seen: &Seen<'_>,
        limits: &Limits,
        out: &mut Vec<Assembled>,
    ) {
        let known = self.open.iter().position(|message| message.key == key);
        let mut message = match known.map(|index| self.open.remove(index)) {
            Some(message) if message.goes_on(seen.at_us) => message,
            ended => {
                out.extend(ended.map(|message| message.done));
                Message::new(key, line, seen)
            }
        };
        message.take(seen, limits);
        if self.open.len() >= MESSAGES_MAX {
            out.push(self.open.remove(0).done);
        }
        self.open.push(message);
    }

    /// Ends the messages that `done` holds for.
    pub(super) fn end_where(&mut self, out: &mut Vec<Assembled>, done: impl Fn(&Assembled) -> bool) {
        let ended = self.open.extract_if(.., |message| done(&message.done));
        out.extend(ended.map(|message| message.done));
    }
}

impl Message {
    fn new(key: (usize, String), line: &Line<'_>, seen: &Seen<'_>) -> Self {
        Self {
            key,
            source: source(seen.text),
            done: Assembled::new(line),
            lines: 0,
        }
    }

    /// Whether a message of the same key is a repetition of this one.
    fn goes_on(&self, at_us: u64) -> bool {
        at_us.saturating_sub(self.done.last_at_us) <= SILENCE_US
            && at_us.saturating_sub(self.done.first_at_us) <= LASTS_US
    }

    fn take(&mut self, seen: &Seen<'_>, limits: &Limits) {
        self.done.last_at_us = self.done.last_at_us.max(seen.at_us);
        if self.lines >= LINES_MAX.min(limits.lines) || !self.done.append(seen, limits) {
            self.done.left_out += 1;
            return;
        }
        self.lines += 1;
    }
}

/// The form of a message and what it names; `None` when the line is in none of the forms.
fn key(head: &Head, text: &str) -> Option<(usize, String)> {
    head.formats.iter().enumerate().find_map(|(index, format)| {
        let fields = pattern::find(format.pattern, text)?;
        if format.kind == ReportKind::MemoryFailure {
            // What became of a page is told in several lines, each in its own form.
            return Some((std::ptr::from_ref(head) as usize, String::new()));
        }
        let mut named = String::new();
        for field in fields
            .iter()
            .filter(|field| !field.starts_with(|c: char| c.is_ascii_digit()))
        {
            named.extend(field.chars().take(KEY_MAX / fields.len()));
            named.push('\0');
        }
        Some((std::ptr::from_ref(head) as usize + index, named))
    })
}

/// `ata1.00`, `{1}[Hardware Error]`, `pcieport 0000:00:1c.0`, `EXT4-fs error (device sda1)`.
fn source(text: &str) -> String {
    // The records that a firmware left at the boot before are told without a number of their own.
    if text.starts_with("BERT: ") {
        return "[Hardware Error]".to_owned();
    }
    let source = text
        .trim_start()
        .split_once(": ")
        .map_or("", |(source, _)| source);
    if source.len() > KEY_MAX {
        String::new()
    } else {
        source.to_owned()
    }
}

//! One report that is being collected.

use super::mark::Mark;
use super::{Assembled, Limits};
use crate::Line;
use crate::tables::formats::{Head, Needs};

/// Lines of other text behind a complete stack after which the report is over.
const STRAY_LINES: usize = 24;
/// Lines after `cut here` in which the head has to come.
const HEAD_WITHIN: usize = 16;

/// Who prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Context {
    Task(u32),
    Cpu(u32),
    Unknown,
}

impl Context {
    /// The thread when there is one: task 0 is every CPU's idle loop.
    pub(super) fn of(line: &Line<'_>) -> Self {
        match (line.task, line.cpu) {
            (Some(task), cpu) if task != 0 || cpu.is_none() => Self::Task(task),
            (_, Some(cpu)) => Self::Cpu(cpu),
            _ => Self::Unknown,
        }
    }
}

/// What to do with a line of the context of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The line is part of the report.
    Takes,
    /// The report was over before this line.
    Ends,
}

/// A report that is being collected.
#[derive(Debug)]
pub(super) struct Collecting {
    pub(super) context: Context,
    pub(super) done: Assembled,
    pub(super) last_at_us: u64,
    /// The first head.
    pub(super) head: Option<&'static Head>,
    /// Other CPUs were asked for their stacks.
    pub(super) asked_others: bool,
    lines: usize,
    /// A frame was seen since the head.
    has_frames: bool,
    /// The end marker was seen.
    ended: bool,
    /// The kernel panicked: nothing but this death follows.
    panicked: bool,
    /// Lines of other text since the last line that belongs to a report.
    stray: usize,
}

impl Collecting {
    pub(super) fn new(context: Context, line: &Line<'_>) -> Self {
        Self {
            context,
            done: Assembled {
                text: String::new(),
                first_at_us: line.at_us,
                last_at_us: line.at_us,
                cpu: line.cpu,
                task: line.task,
                truncated: false,
            },
            last_at_us: line.at_us,
            head: None,
            asked_others: false,
            lines: 0,
            has_frames: false,
            ended: false,
            panicked: false,
            stray: 0,
        }
    }

    /// How long no line came.
    pub(super) fn silent_for(&self, now_us: u64) -> u64 {
        now_us.saturating_sub(self.last_at_us)
    }

    /// Whether a line of this context is still part of this report.
    pub(super) fn verdict(&self, mark: Mark, at_us: u64, limits: &Limits) -> Verdict {
        if self.ended && self.silent_for(at_us) > limits.quiet_us {
            return Verdict::Ends;
        }
        let takes = match mark {
            Mark::Panic(_) => true,
            Mark::Cut | Mark::Head(_) if self.panicked => true,
            Mark::Cut => self.head.is_none() || !self.ended && !self.has_frames,
            Mark::Head(head) => self.takes_head(head),
            Mark::Frame | Mark::Body | Mark::Stack | Mark::AskOthers | Mark::End => true,
            Mark::Other => !self.is_over(),
        };
        if takes { Verdict::Takes } else { Verdict::Ends }
    }

    /// A second head before the first one's stack is a part of the same report (`BUG: ...`, then `Oops: ...`).
    fn takes_head(&self, head: &'static Head) -> bool {
        let Some(first) = self.head else { return true };
        let stackless = first
            .formats
            .iter()
            .all(|format| matches!(format.needs, Needs::Nothing));
        let same = std::ptr::eq(first, head);
        !self.ended && !self.has_frames && !(same && stackless)
    }

    /// The report is over when other text comes.
    fn is_over(&self) -> bool {
        if self.head.is_none() {
            return self.lines >= HEAD_WITHIN;
        }
        !self.panicked && (self.ended || self.has_frames && self.stray >= STRAY_LINES)
    }

    /// Appends a line.
    pub(super) fn take(&mut self, line: &Line<'_>, text: &str, cut: bool, mark: Mark, limits: &Limits) {
        self.last_at_us = self.last_at_us.max(line.at_us);
        self.done.last_at_us = self.last_at_us;
        match mark {
            Mark::Head(head) => {
                self.head.get_or_insert(head);
            }
            Mark::Panic(head) => {
                self.head.get_or_insert(head);
                self.panicked = true;
            }
            Mark::Frame => self.has_frames = true,
            Mark::End => self.ended = true,
            Mark::AskOthers => self.asked_others = true,
            Mark::Cut | Mark::Stack | Mark::Body | Mark::Other => {}
        }
        self.stray = if matches!(mark, Mark::Other) {
            self.stray + 1
        } else {
            0
        };
        if self.lines >= limits.lines || self.done.text.len() + text.len() + 1 > limits.bytes {
            self.done.truncated = true;
            return;
        }
        self.done.truncated |= cut;
        self.lines += 1;
        self.done.text.push_str(text);
        self.done.text.push('\n');
    }
}

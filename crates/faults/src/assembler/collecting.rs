//! One report that is being collected.

use super::mark::Mark;
use super::{Assembled, Limits, Origin};
use crate::Line;
use crate::tables::formats::{Head, Needs};

/// Lines of other text behind a complete stack after which the report is over.
const STRAY_LINES: usize = 24;
/// The same where the kernel lists the memory and the tasks of the machine before it says whom it killed.
const STRAY_LINES_OF_OOM: usize = 8192;
/// The same behind a head that needs no stack: messages of one `printk` with several lines.
const STRAY_LINES_BEHIND_HEAD: usize = 2;
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

/// A line, looked at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen<'a> {
    pub(super) at_us: u64,
    pub(super) text: &'a str,
    /// The text is the beginning of a longer line.
    pub(super) is_cut: bool,
    pub(super) mark: Mark,
    pub(super) origin: Option<&'a Origin>,
}

/// What to do with a line of the context of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The line is part of the report.
    Takes,
    /// The report was over before this line.
    Ends,
}

/// How far a report is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Progress {
    /// `cut here` was seen, the head was not.
    Announced,
    /// The head was seen, a frame was not.
    Begun,
    /// Frames were seen.
    Stack,
    /// The end marker was seen: registers or a panic may follow.
    Ended,
    /// The kernel panicked: nothing but this death follows.
    Panicked,
}

/// A report that is being collected.
#[derive(Debug)]
pub(super) struct Collecting {
    pub(super) context: Context,
    pub(super) done: Assembled,
    /// Other CPUs were asked for their stacks.
    pub(super) asked_others: bool,
    progress: Progress,
    /// It began with `cut here`.
    is_announced: bool,
    /// The first head, or that of the warning whose message reads like one.
    head: Option<&'static Head>,
    lines: usize,
    frames: usize,
    /// Lines of other text since the last line that belongs to a report.
    stray: usize,
}

impl Collecting {
    pub(super) fn new(context: Context, line: &Line<'_>) -> Self {
        Self {
            context,
            done: Assembled::new(line),
            asked_others: false,
            progress: Progress::Announced,
            is_announced: false,
            head: None,
            lines: 0,
            frames: 0,
            stray: 0,
        }
    }

    /// False when nothing but `cut here` was seen.
    pub(super) fn has_head(&self) -> bool {
        self.head.is_some()
    }

    /// How long no line came.
    fn silent_for(&self, now_us: u64) -> u64 {
        now_us.saturating_sub(self.done.last_at_us)
    }

    /// Whether a line of this context is still part of this report.
    pub(super) fn verdict(&self, mark: Mark, at_us: u64, limits: &Limits) -> Verdict {
        let patience = if self.progress == Progress::Ended {
            limits.quiet_us
        } else {
            limits.gap_us
        };
        if self.silent_for(at_us) > patience {
            return Verdict::Ends;
        }
        let takes = match mark {
            Mark::Head(_) | Mark::Cut => self.takes_head(),
            Mark::Other | Mark::Message(_) => !self.is_over(),
            Mark::Panic(_) | Mark::Frame | Mark::Body | Mark::Stack | Mark::AskOthers | Mark::End => true,
        };
        if takes { Verdict::Takes } else { Verdict::Ends }
    }

    /// A second head before the first one's stack is a part of the same report (`BUG: ...`, then `Oops: ...`).
    fn takes_head(&self) -> bool {
        // Before 2.6.25 x86-64 printed the frame at fault between the two.
        let before_stack =
            self.progress < Progress::Stack || self.progress == Progress::Stack && self.frames == 1;
        self.progress == Progress::Panicked || before_stack && (!self.is_stackless() || self.is_message())
    }

    /// All that was seen is `cut here` and what a warning is about, `WARN(…, "NETDEV WATCHDOG: …")`, which reads like a head
    /// and comes before the warning's own (`__warn_printk`, `kernel/panic.c`).
    fn is_message(&self) -> bool {
        self.is_announced && self.lines == 2
    }

    /// The head says it all, and more heads of that sort may follow.
    fn is_stackless(&self) -> bool {
        let is_stackless = |head: &Head| {
            head.formats
                .iter()
                .all(|format| matches!(format.needs, Needs::Nothing))
        };
        self.head.is_some_and(is_stackless)
    }

    /// Behind the stack of the out-of-memory killer come long lists, and then the victim.
    fn lists_memory(&self) -> bool {
        self.head.is_some_and(|head| head.needle == "invoked oom-killer")
    }

    /// The report is over when other text comes.
    fn is_over(&self) -> bool {
        match self.progress {
            Progress::Announced => self.lines >= HEAD_WITHIN,
            Progress::Begun | Progress::Stack if self.lists_memory() => self.stray >= STRAY_LINES_OF_OOM,
            Progress::Begun => self.is_stackless() && self.stray >= STRAY_LINES_BEHIND_HEAD,
            Progress::Stack => self.stray >= STRAY_LINES,
            Progress::Ended => true,
            Progress::Panicked => false,
        }
    }

    /// Appends a line.
    pub(super) fn take(&mut self, line: &Seen<'_>, limits: &Limits) {
        self.done.last_at_us = self.done.last_at_us.max(line.at_us);
        self.is_announced |= self.lines == 0 && matches!(line.mark, Mark::Cut);
        let progress = match line.mark {
            Mark::Head(head) => {
                self.head = self.head.filter(|_| !self.is_message()).or(Some(head));
                Progress::Begun
            }
            Mark::Panic(head) => {
                self.head.get_or_insert(head);
                Progress::Panicked
            }
            Mark::Frame if self.has_head() => {
                self.frames += 1;
                Progress::Stack
            }
            Mark::End => Progress::Ended,
            _ => self.progress,
        };
        self.progress = self.progress.max(progress);
        self.asked_others |= matches!(line.mark, Mark::AskOthers);
        self.stray = if matches!(line.mark, Mark::Other) {
            self.stray + 1
        } else {
            0
        };
        // The last line says how it ended: there is always room for it.
        let limits = match line.mark {
            Mark::End if self.progress == Progress::Ended => Limits {
                lines: limits.lines + 1,
                bytes: limits.bytes + limits.line_bytes + 1,
                ..*limits
            },
            _ => *limits,
        };
        if self.lines < limits.lines && self.done.append(line, &limits) {
            self.lines += 1;
        } else {
            self.done.truncated = true;
            self.done.left_out += 1;
        }
    }
}

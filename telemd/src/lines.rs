//! Pieces of kernel text to lines.
//!
//! The console hook sees every piece that the kernel prints on its own: a `pr_cont` is a piece that continues the one
//! before it of the same CPU and task, and nothing tells that a line is complete but the next piece, a newline, or time.
//!
//! Lines leave in the order in which they began: "Sending NMI from CPU 1 to CPUs 0:" is not complete before CPU 0 has
//! printed what it was asked for, and only means something before it.

use std::collections::VecDeque;

use probe_user::Context;

/// Lines that wait for their end, or for that of a line before them: what a CPU prints of another while that one waits.
const WAITING: usize = 128;
/// Longest line, bytes; more begins a new one.
const LINE_BYTES: usize = 4096;

/// A line, and who printed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextLine {
    /// Who printed its first piece.
    pub context: Context,
    /// The line without its newline.
    pub text: Vec<u8>,
    /// Before a piece of it others were lost.
    pub follows_loss: bool,
}

/// What a hook saw being printed.
#[derive(Debug, Clone, Copy, Default)]
pub struct Piece<'a> {
    /// The text.
    pub text: &'a [u8],
    /// It continues the one before it of the same CPU and task.
    pub continues: bool,
    /// Others were lost before it.
    pub follows_loss: bool,
}

/// Joins pieces.
#[derive(Debug, Default)]
pub struct Lines {
    /// In the order of their first pieces.
    waiting: VecDeque<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    line: TextLine,
    /// More of it may come.
    is_open: bool,
}

impl Lines {
    /// Takes a piece; lines that are complete, with all that began before them, are appended to `out`.
    pub fn push(&mut self, context: &Context, piece: Piece<'_>, out: &mut Vec<TextLine>) {
        let (text, is_ended) = match piece.text.strip_suffix(b"\n") {
            Some(text) => (text, true),
            None => (piece.text, false),
        };
        for (index, text) in text.split(|byte| *byte == b'\n').enumerate() {
            let is_first = index == 0;
            let joins = is_first && piece.continues;
            match self.open_line(context) {
                Some(open) if joins && open.line.text.len() + text.len() <= LINE_BYTES => {
                    open.line.text.extend_from_slice(text);
                    open.line.follows_loss |= piece.follows_loss;
                    continue;
                }
                Some(open) => open.is_open = false,
                None => {}
            }
            self.waiting.push_back(Waiting {
                line: TextLine {
                    context: context.clone(),
                    text: text.to_vec(),
                    follows_loss: is_first && piece.follows_loss,
                },
                is_open: true,
            });
        }
        if is_ended && let Some(open) = self.open_line(context) {
            open.is_open = false;
        }
        self.release(out);
    }

    /// Completes the lines that began before `since_boot_ns`.
    pub fn expire(&mut self, since_boot_ns: u64, out: &mut Vec<TextLine>) {
        for waiting in &mut self.waiting {
            waiting.is_open &= waiting.line.context.since_boot_ns >= since_boot_ns;
        }
        self.release(out);
    }

    /// Completes all lines.
    pub fn flush(&mut self, out: &mut Vec<TextLine>) {
        out.extend(self.waiting.drain(..).map(|waiting| waiting.line));
    }

    /// Whether lines wait.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// The line that a CPU is printing for a task.
    fn open_line(&mut self, context: &Context) -> Option<&mut Waiting> {
        self.waiting.iter_mut().rev().find(|waiting| {
            let by = &waiting.line.context;
            waiting.is_open && by.cpu == context.cpu && by.pid == context.pid
        })
    }

    fn release(&mut self, out: &mut Vec<TextLine>) {
        loop {
            let is_full = self.waiting.len() > WAITING;
            let Some(first) = self.waiting.pop_front_if(|first| !first.is_open || is_full) else {
                return;
            };
            out.push(first.line);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn context(cpu: u32, pid: u32, at: u64) -> Context {
        Context {
            hook: probe_user::hook::PRINTK_CONSOLE.into(),
            attach: probe_user::Attach::TpBtf,
            cpu,
            pid,
            tgid: pid,
            comm: "x".into(),
            cgroup_id: 1,
            since_boot_ns: at,
            sequence: at,
            stack: Vec::new(),
        }
    }

    fn text(text: &[u8]) -> Piece<'_> {
        Piece {
            text,
            ..Piece::default()
        }
    }

    fn more(more: &[u8]) -> Piece<'_> {
        Piece {
            continues: true,
            ..text(more)
        }
    }

    fn texts(lines: &[TextLine]) -> Vec<String> {
        lines
            .iter()
            .map(|line| String::from_utf8_lossy(&line.text).into_owned())
            .collect()
    }

    #[test]
    fn continuations_join_the_line_of_their_own_cpu_and_task() {
        let (mut lines, mut out) = (Lines::default(), Vec::new());
        lines.push(&context(0, 1, 1), text(b"Modules linked in:"), &mut out);
        lines.push(&context(1, 2, 2), text(b"other"), &mut out);
        lines.push(&context(0, 1, 3), more(b" a b"), &mut out);
        lines.push(&context(0, 1, 4), text(b"next"), &mut out);
        assert_eq!(texts(&out), ["Modules linked in: a b"]);
        lines.flush(&mut out);
        assert_eq!(texts(&out), ["Modules linked in: a b", "other", "next"]);
        assert!(lines.is_empty());
    }

    #[test]
    fn what_another_cpu_prints_meanwhile_stays_behind_a_line_that_may_go_on() {
        let (mut lines, mut out) = (Lines::default(), Vec::new());
        lines.push(
            &context(1, 0, 1),
            text(b"Sending NMI from CPU 1 to CPUs 0:"),
            &mut out,
        );
        lines.push(&context(0, 7, 2), text(b"NMI backtrace for cpu 0"), &mut out);
        lines.push(&context(0, 7, 3), text(b"Call Trace:"), &mut out);
        assert_eq!(texts(&out), [""; 0]);
        lines.expire(2, &mut out);
        assert_eq!(
            texts(&out),
            ["Sending NMI from CPU 1 to CPUs 0:", "NMI backtrace for cpu 0"]
        );
    }

    #[test]
    fn a_newline_or_time_ends_a_line() {
        let (mut lines, mut out) = (Lines::default(), Vec::new());
        lines.push(&context(0, 1, 5), text(b"one\ntwo\n"), &mut out);
        assert_eq!(texts(&out), ["one", "two"]);
        lines.push(&context(0, 1, 6), text(b"three"), &mut out);
        lines.expire(6, &mut out);
        assert_eq!(out.len(), 2);
        lines.expire(7, &mut out);
        assert_eq!(texts(&out)[2..], ["three"]);
    }

    proptest! {
        #[test]
        fn no_byte_is_lost_and_memory_is_bounded(
            pieces in prop::collection::vec((0u32..200, "[ab\n]{0,20}", any::<bool>()), 0..500)
        ) {
            let (mut lines, mut out) = (Lines::default(), Vec::new());
            let mut expected = 0;
            for (at, (pid, text, continues)) in pieces.iter().enumerate() {
                let piece = Piece { text: text.as_bytes(), continues: *continues, follows_loss: false };
                lines.push(&context(0, *pid, at as u64), piece, &mut out);
                prop_assert!(lines.waiting.len() <= WAITING);
                expected += text.bytes().filter(|byte| *byte != b'\n').count();
            }
            lines.flush(&mut out);
            prop_assert_eq!(out.iter().map(|line| line.text.len()).sum::<usize>(), expected);
        }
    }
}

//! Pieces of kernel text to lines.
//!
//! The console hook sees every piece that the kernel prints on its own: a `pr_cont` is a piece that continues the one
//! before it of the same CPU and task, and nothing tells that a line is complete but the next piece, a newline, or time.

use std::collections::VecDeque;

use probe_user::Context;

/// Lines that wait for their end: more than CPUs print at the same time.
const OPEN: usize = 64;
/// Longest line, bytes; more begins a new one.
const LINE_BYTES: usize = 4096;

/// A line, and who printed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextLine {
    /// Who printed its first piece.
    pub context: Context,
    /// The line without its newline.
    pub text: Vec<u8>,
}

/// Joins pieces.
#[derive(Debug, Default)]
pub struct Lines {
    /// In the order of their first pieces.
    open: VecDeque<TextLine>,
}

impl Lines {
    /// Takes a piece; lines that it completes are appended to `out`.
    pub fn push(&mut self, context: Context, text: &[u8], continues: bool, out: &mut Vec<TextLine>) {
        let known = self
            .open
            .iter()
            .position(|line| line.context.cpu == context.cpu && line.context.pid == context.pid);
        let before = known.and_then(|at| self.open.remove(at));
        let mut line = TextLine {
            context,
            text: Vec::new(),
        };
        match before {
            Some(open) if continues && open.text.len() + text.len() <= LINE_BYTES => line = open,
            Some(open) => out.push(open),
            None => {}
        }
        let mut pieces = text.split(|byte| *byte == b'\n');
        line.text.extend_from_slice(pieces.next().unwrap_or_default());
        for piece in pieces {
            let next = TextLine {
                context: line.context.clone(),
                text: piece.to_vec(),
            };
            out.push(std::mem::replace(&mut line, next));
        }
        // Behind a newline nothing is open.
        if !text.ends_with(b"\n") {
            if self.open.len() == OPEN {
                out.extend(self.open.pop_front());
            }
            self.open.push_back(line);
        }
    }

    /// Completes the lines that began before `since_boot_ns`.
    pub fn expire(&mut self, since_boot_ns: u64, out: &mut Vec<TextLine>) {
        while let Some(line) = self
            .open
            .pop_front_if(|line| line.context.since_boot_ns < since_boot_ns)
        {
            out.push(line);
        }
    }

    /// Completes all lines.
    pub fn flush(&mut self, out: &mut Vec<TextLine>) {
        out.extend(self.open.drain(..));
    }

    /// Whether lines wait for their end.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
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

    fn texts(lines: &[TextLine]) -> Vec<String> {
        lines
            .iter()
            .map(|line| String::from_utf8_lossy(&line.text).into_owned())
            .collect()
    }

    #[test]
    fn continuations_join_the_line_of_their_own_cpu_and_task() {
        let (mut lines, mut out) = (Lines::default(), Vec::new());
        lines.push(context(0, 1, 1), b"Modules linked in:", false, &mut out);
        lines.push(context(1, 2, 2), b"other", false, &mut out);
        lines.push(context(0, 1, 3), b" a b", true, &mut out);
        lines.push(context(0, 1, 4), b"next", false, &mut out);
        assert_eq!(texts(&out), ["Modules linked in: a b"]);
        lines.flush(&mut out);
        assert_eq!(texts(&out), ["Modules linked in: a b", "other", "next"]);
        assert!(lines.is_empty());
    }

    #[test]
    fn a_newline_or_time_ends_a_line() {
        let (mut lines, mut out) = (Lines::default(), Vec::new());
        lines.push(context(0, 1, 5), b"one\ntwo\n", false, &mut out);
        assert_eq!(texts(&out), ["one", "two"]);
        lines.push(context(0, 1, 6), b"three", false, &mut out);
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
                lines.push(context(0, *pid, at as u64), text.as_bytes(), *continues, &mut out);
                prop_assert!(lines.open.len() <= OPEN);
                expected += text.bytes().filter(|byte| *byte != b'\n').count();
            }
            lines.flush(&mut out);
            prop_assert_eq!(out.iter().map(|line| line.text.len()).sum::<usize>(), expected);
        }
    }
}

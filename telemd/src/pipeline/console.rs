//! Kernel text to reports, from the console hook or from `/dev/kmsg`.

use std::collections::VecDeque;

use faults::{Assembled, Assembler, Limits, Line, log};
use probe_user::Context;
use probe_user::kmsg::{Caller, KmsgRecord};

use super::twins::remember;
use crate::lines::{Lines, Piece, TextLine};

/// How `/dev/kmsg` is called as a way of attaching.
pub const KMSG: &str = "kmsg";

/// A piece of text that is not continued for this long is a line.
const LINE_NS: u64 = 100_000_000;
/// Tasks whose printing is remembered until their report is complete: more than the assembler collects at once.
const PRINTERS: usize = 64;

/// The text that is being printed.
#[derive(Debug)]
pub(super) struct Console {
    lines: Lines,
    assembler: Assembler,
    /// Who printed lately, newest last.
    printers: VecDeque<Context>,
    /// Something was lost since the last piece.
    has_lost: bool,
    /// The sequence that the next record of the kernel log should have.
    next_record: Option<u64>,
    /// How text reaches us; empty until some did.
    pub(super) attach: &'static str,
}

impl Console {
    pub(super) fn new() -> Self {
        Self {
            lines: Lines::default(),
            assembler: Assembler::new(Limits::default()),
            printers: VecDeque::new(),
            has_lost: false,
            next_record: None,
            attach: "",
        }
    }

    /// Takes a piece of text that the console hook saw.
    pub(super) fn piece(
        &mut self,
        context: &Context,
        text: &[u8],
        continues: bool,
        reports: &mut Vec<Assembled>,
    ) {
        let mut lines = Vec::new();
        let piece = Piece {
            text,
            continues,
            follows_loss: std::mem::take(&mut self.has_lost),
        };
        self.lines.push(context, piece, &mut lines);
        self.assemble(&lines, reports);
    }

    /// Something was lost before the next piece, text perhaps.
    pub(super) fn lose(&mut self) {
        self.has_lost = true;
    }

    /// A record of the kernel log is next, whoever wrote it; those that a hole in the sequences stands for are lost.
    pub(super) fn follow(&mut self, sequence: u64) {
        let expected = self.next_record.replace(sequence.wrapping_add(1));
        if expected.is_some_and(|expected| expected != sequence) {
            self.assembler.lose();
        }
    }

    /// Takes a record of the kernel log that was printed at `at_us`, microseconds since boot.
    pub(super) fn kmsg(&mut self, record: &KmsgRecord, at_us: u64, reports: &mut Vec<Assembled>) {
        self.attach = KMSG;
        let (cpu, task) = match record.caller {
            Some(Caller::Cpu(cpu)) => (Some(cpu), None),
            Some(Caller::Task(task)) => (None, Some(task)),
            None => (None, None),
        };
        let line = Line {
            text: &record.text,
            at_us,
            cpu,
            task,
        };
        self.assembler.push(line, reports);
    }

    /// Ends what has waited long enough.
    pub(super) fn tick(&mut self, now_ns: u64, reports: &mut Vec<Assembled>) {
        let mut lines = Vec::new();
        self.lines.expire(now_ns.saturating_sub(LINE_NS), &mut lines);
        self.assemble(&lines, reports);
        self.assembler.flush_idle(now_ns / 1_000, reports);
    }

    /// Ends everything.
    pub(super) fn flush(&mut self, reports: &mut Vec<Assembled>) {
        let mut lines = Vec::new();
        self.lines.flush(&mut lines);
        self.assemble(&lines, reports);
        self.assembler.flush(reports);
    }

    /// Whether something waits for [`Console::tick`].
    pub(super) fn is_busy(&self) -> bool {
        !self.lines.is_empty() || self.is_collecting()
    }

    /// Whether a report is not complete yet.
    pub(super) fn is_collecting(&self) -> bool {
        self.assembler.is_collecting()
    }

    /// The task that printed a report.
    pub(super) fn printer(&self, text: &Assembled) -> Option<&Context> {
        let is_it = |context: &&Context| {
            text.cpu.is_none_or(|cpu| cpu == context.cpu)
                && text.task.map_or(context.pid == 0, |task| task == context.pid)
        };
        self.printers.iter().rev().find(is_it)
    }

    fn assemble(&mut self, lines: &[TextLine], reports: &mut Vec<Assembled>) {
        for TextLine {
            context,
            text,
            follows_loss,
        } in lines
        {
            if *follows_loss {
                self.assembler.lose();
            }
            self.attach = context.attach.as_str();
            for line in log::lines(text) {
                // Before Linux 6.1 the console hook sees prefixed lines, printed by whoever holds the console: only the
                // prefix knows whose they are.
                let prefixed = line.text.len() < line.span.1 - line.span.0;
                let task = (context.pid != 0).then_some(context.pid);
                self.assembler.push(
                    Line {
                        text: &line.text,
                        at_us: context.since_boot_ns / 1_000,
                        cpu: if prefixed { line.cpu } else { Some(context.cpu) },
                        task: if prefixed { line.task } else { task },
                    },
                    reports,
                );
            }
            self.printed(context);
        }
    }

    fn printed(&mut self, context: &Context) {
        let same = |known: &Context| known.cpu == context.cpu && known.pid == context.pid;
        if let Some(index) = self.printers.iter().position(same) {
            self.printers.remove(index);
        }
        remember(&mut self.printers, PRINTERS, context.clone());
    }
}
